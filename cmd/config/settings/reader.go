// Package settings has the settings of a wiring file: their keys, and how defaults, file, environment and flags are layered.
// See package config. No goroutines.
package settings

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// Settings are the settings that the daemon and its clients need before the wiring.
type Settings struct {
	Store     Store
	Server    Server
	Log       Log
	Grace     time.Duration // server.grace: how long a stop waits for running attempts; default 30s
	Retention Retention
	Timezone  string // the zone of schedules that name none; default UTC. A reload applies it
}

// Retention are how long, and how much, the store keeps; 0: off. A reload applies them.
type Retention struct {
	Events time.Duration // retention.events; default 30 days
	Size   int64         // retention.size, in bytes; default off
	Dedupe time.Duration // retention.dedupe; default 30 days
}

// Store are the settings of the store.
type Store struct {
	Path        string // absolute; default evrun.db beside the file
	MaxWAL      int64  // store.wal_max: the bound of the write-ahead log, in bytes; default 4 GiB
	Synchronous string // "full" (default): an acknowledged event survives a power cut; "normal": the last ones may not
}

// Server are the settings of the control socket and the daemon.
type Server struct {
	Socket      string      // absolute; default evrun.sock beside the file
	SocketMode  os.FileMode // default 0600, or 0660 with a SocketGroup
	SocketGroup string      // a group's name or number; default: the group of evrun's user
	MaxEvent    int         // the largest data of an event, in bytes; default 1 MiB
	Watch       bool        // read the wiring file again when it changes; default true
}

// Log are the daemon's log.
type Log struct {
	Level  slog.Level // default info
	Format string     // "auto" (default), "text" or "json"
}

// Differing returns the names of the groups of settings in which s and another differ, of those that only a restart applies.
func (s Settings) Differing(other Settings) []string {
	var names []string
	for _, d := range []struct {
		name string
		same bool
	}{
		{"store", s.Store == other.Store}, {"server", s.Server == other.Server && s.Grace == other.Grace}, {"log", s.Log == other.Log},
	} {
		if !d.same {
			names = append(names, d.name)
		}
	}
	return names
}

// maxSocket is how long the path of a unix socket can be on Linux; elsewhere it is a few bytes less.
const maxSocket = 107

// setting is one setting, as Viper knows it.
type setting struct {
	key, flag, fallback string
	refused             string // why a setting that does nothing yet is refused
}

// settings are the leaves of Keys.
var settings = leaves("", reflect.TypeFor[Keys]())

func leaves(prefix string, t reflect.Type) (list []setting) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("key"), ",")
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[notBuilt]() {
			list = append(list, leaves(prefix+name+".", f.Type)...)
			continue
		}
		list = append(list, setting{key: prefix + name, flag: f.Tag.Get("flag"), fallback: f.Tag.Get("default"), refused: f.Tag.Get("refused")})
	}
	return list
}

// Is reports whether a top-level key is a setting.
func Is(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool {
		group, _, _ := strings.Cut(s.key, ".")
		return group == name
	})
}

// name returns the setting's name in messages and variables: "store" for store.path.
func (s *setting) name() string { return strings.TrimSuffix(s.key, ".path") }

// environment returns the variable that overrides a setting.
func (s *setting) environment() string {
	return "EVRUN_" + strings.ToUpper(strings.ReplaceAll(s.name(), ".", "_"))
}

// Unexpanded matches texts that only a shell replaces: $NAME, ${NAME}, $(command), and ~ before a path.
var Unexpanded = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*|\{[^}]*\}?|\([^)]*\)?)|^~`)
})

// Report records faults at their places.
type Report interface {
	At(n *yaml.Node, msg, hint string) // of a node
	Beside(what, msg, hint string)     // of a variable or a flag
	Whole(msg, hint string)            // of the file
}

// Options are where a [Reader] reads.
type Options struct {
	Report Report
	Root   *yaml.Node          // the file's mapping
	Dir    string              // the file's directory, absolute
	Flags  *pflag.FlagSet      // may be nil
	Getenv func(string) string // nil: os.Getenv
}

// Reader reads the settings of a file, and overrides them by the environment and the flags.
type Reader struct {
	o     Options
	wrong map[string]bool // the keys of the wrong settings in the file
}

// NewReader makes a reader.
func NewReader(o Options) *Reader { return &Reader{o: o, wrong: map[string]bool{}} }

// Prepare reports values that only a shell would expand, and removes them.
func (r *Reader) Prepare(values map[string]any) {
	for i := range settings {
		s := &settings[i]
		n := r.node(s)
		if n == nil || n.Kind != yaml.Scalar {
			continue
		}
		part := Unexpanded().FindString(n.Value)
		if part == "" {
			continue
		}
		name := s.name()[strings.LastIndexByte(s.name(), '.')+1:]
		r.o.Report.At(n, fmt.Sprintf("%q: %s is not replaced by anything here", name, fault.Clip(part, 60)),
			fmt.Sprintf("write out what it stands for, or leave %s out and set %s in the environment", name, s.environment()))
		r.wrong[s.key] = true
		group, key, _ := strings.Cut(s.key, ".")
		if inner, ok := values[group].(map[string]any); ok {
			inner[key] = fields.Unread{}
		} else {
			values[group] = fields.Unread{}
		}
	}
}

// node returns the value of a setting in the file; nil for none.
func (r *Reader) node(s *setting) *yaml.Node {
	group, key, _ := strings.Cut(s.key, ".")
	_, n := r.o.Root.Lookup(group)
	if n == nil || key == "" || n.Kind == yaml.Scalar && s.key == "store.path" {
		return n
	}
	_, n = n.Lookup(key)
	return n
}

// Note records which settings of the file are wrong: they count as missing.
func (r *Reader) Note(faults []*fault.Fault) {
	for _, f := range faults {
		key := fault.Path(f.Path)
		if key == "store" {
			key = "store.path"
		}
		r.wrong[key] = true
	}
}

// Settle merges the layers: defaults, file, environment, flags. Each overrides those before it.
func (r *Reader) Settle() Settings {
	getenv := r.o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	v := viper.New()
	origins := map[string]string{} // of the settings that a flag or a variable has
	file, environment := map[string]any{}, map[string]any{}
	for i := range settings {
		s := &settings[i]
		if s.refused != "" {
			if name := s.environment(); getenv(name) != "" {
				r.o.Report.Beside(name, s.refused, "unset it")
			}
			continue
		}
		v.SetDefault(s.key, s.fallback)
		if n := r.node(s); n != nil && n.Kind == yaml.Scalar && !r.wrong[s.key] {
			put(file, s.key, n.Value)
		}
		if text := getenv(s.environment()); text != "" {
			put(environment, s.key, text)
			origins[s.key] = s.environment()
		}
		if r.o.Flags != nil && s.flag != "" && r.o.Flags.Changed(s.flag) {
			_ = v.BindPFlag(s.key, r.o.Flags.Lookup(s.flag)) // it fails for a nil flag only
			origins[s.key] = "--" + s.flag
		}
	}
	_ = v.MergeConfigMap(file) // neither of them can fail
	_ = v.MergeConfigMap(environment)

	merged := map[string]any{}
	for i := range settings {
		s := &settings[i]
		text := v.GetString(s.key)
		switch part := Unexpanded().FindString(text); {
		case text == "" && origins[s.key] == "":
		case part != "" && origins[s.key] != "":
			r.o.Report.Beside(origins[s.key], fault.Clip(part, 60)+" is not replaced by anything here", "write out what it stands for")
		default:
			put(merged, s.key, text)
		}
	}
	var k Keys
	for _, f := range fields.Decode(&k, merged, fields.Options{Owner: "the settings", Texts: true, Unnamed: true}) {
		if origin := origins[fault.Path(f.Path)]; origin != "" { // the fault of the file is already recorded
			r.o.Report.Beside(origin, f.Message, f.Hint)
		}
	}
	return r.settings(&k, origins)
}

// settings returns the merged settings, with absolute paths.
func (r *Reader) settings(k *Keys, origins map[string]string) Settings {
	s := Settings{
		Store: Store{Path: r.place(string(k.Store.Path), origins["store.path"]), MaxWAL: int64(k.Store.MaxWAL), Synchronous: k.Store.Synchronous},
		Server: Server{
			Socket: r.place(string(k.Server.Socket), origins["server.socket"]), SocketMode: os.FileMode(k.Server.SocketMode), SocketGroup: string(k.Server.SocketGroup),
			MaxEvent: int(k.Server.MaxEvent), Watch: k.Server.Watch,
		},
		Log: Log{Format: k.Log.Format}, Grace: k.Server.Grace,
		Retention: Retention{Events: time.Duration(k.Retention.Events), Size: int64(k.Retention.Size), Dedupe: time.Duration(k.Retention.Dedupe)},
		Timezone:  string(k.Timezone),
	}
	_ = s.Log.Level.UnmarshalText([]byte(k.Log.Level)) // one of its enum, or empty after a fault
	if n := len(s.Server.Socket); n > maxSocket {
		r.complain("server.socket", origins, fmt.Sprintf("the socket's path has %d bytes; the system takes %d at most", n, maxSocket),
			"set server.socket to a shorter path, such as /tmp/evrun.sock")
	}
	switch mode := &s.Server.SocketMode; {
	case *mode == 0 && s.Server.SocketGroup == "":
		*mode = 0o600
	case *mode == 0:
		*mode = 0o660
	case s.Server.SocketGroup != "" && *mode&0o060 != 0o060:
		r.complain("server.socket_mode", origins, fmt.Sprintf("the mode %#o does not let the socket_group %s in", *mode, fault.Clip(s.Server.SocketGroup, 60)),
			`write socket_mode: "0660", or leave socket_group out`)
	}
	return s
}

// complain records a fault of a setting at the place where it was set.
func (r *Reader) complain(key string, origins map[string]string, msg, hint string) {
	n := r.node(&setting{key: key})
	switch {
	case origins[key] != "":
		r.o.Report.Beside(origins[key], msg, hint)
	case n != nil:
		r.o.Report.At(n, msg, hint)
	default:
		r.o.Report.Whole(msg, hint)
	}
}

// place makes a path absolute. A flag's path is relative to the working directory, all others to the file's directory.
func (r *Reader) place(path, origin string) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) && !strings.HasPrefix(origin, "--") {
		path = filepath.Join(r.o.Dir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// put sets a dotted key in nested maps.
func put(m map[string]any, dotted, text string) {
	group, key, more := strings.Cut(dotted, ".")
	if !more {
		m[group] = text
		return
	}
	inner, _ := m[group].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
		m[group] = inner
	}
	inner[key] = text
}
