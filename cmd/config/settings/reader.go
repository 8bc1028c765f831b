package settings

import (
	"fmt"
	"net/netip"
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

// maxSocket is how long the path of a unix socket can be on Linux; elsewhere it is a few bytes less.
const maxSocket = 107

// setting is one setting, as Viper knows it.
type setting struct {
	key, flag, fallback string
	list                bool // of texts; a variable has them with commas between them
}

// settings are the leaves of Keys.
var settings = leaves("", reflect.TypeFor[Keys]())

func leaves(prefix string, t reflect.Type) (list []setting) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("key"), ",")
		switch {
		case f.Tag.Get("wiring") != "": // it is not a setting
			continue
		case f.Type.Kind() == reflect.Struct:
			list = append(list, leaves(prefix+name+".", f.Type)...)
			continue
		}
		list = append(list, setting{key: prefix + name, flag: f.Tag.Get("flag"), fallback: f.Tag.Get("default"), list: f.Type.Kind() == reflect.Slice})
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

// split returns the items of a list that is a text: those of a variable or a flag have commas between them. Anything else stays as it is.
func (s *setting) split(value any) any {
	text, ok := value.(string)
	if !s.list || !ok {
		return value
	}
	var list []any
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// Unexpanded matches texts that only a shell replaces: $NAME, ${NAME}, $(command), and ~ before a path.
var Unexpanded = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*|\{[^}]*\}?|\([^)]*\)?)|^~`)
})

// Report records faults at their places.
type Report interface {
	At(n *yaml.Node, msg, hint string)    // of a node
	Beside(what, msg, hint string)        // of a variable or a flag
	Doubt(n *yaml.Node, msg, hint string) // a probable mistake of a node
	Whole(msg, hint string)               // of the file
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
	Secrets []string // the passwords in settings, once they are settled

	o     Options
	wrong map[string]bool // the keys of the wrong settings in the file
}

// NewReader makes a reader.
func NewReader(o Options) *Reader { return &Reader{o: o, wrong: map[string]bool{}} }

// Prepare reports values that only a shell would expand, and removes them.
func (r *Reader) Prepare(values map[string]any) {
	for i := range settings {
		s := &settings[i]
		for _, n := range r.scalars(s) {
			part := Unexpanded().FindString(Redact(n.Value))
			if part == "" {
				continue
			}
			name := s.name()[strings.LastIndexByte(s.name(), '.')+1:]
			r.o.Report.At(n, fmt.Sprintf("%q: %s is not replaced by anything here", name, fault.Clip(part, 60)),
				fmt.Sprintf("write out what it stands for, or leave %s out and set %s in the environment", name, s.environment()))
			r.wrong[s.key] = true
			put(values, s.key, fields.Unread{})
			break
		}
	}
}

// node returns the value of a setting in the file; nil for none.
func (r *Reader) node(s *setting) *yaml.Node {
	n := r.o.Root
	for key := range strings.SplitSeq(s.key, ".") {
		if n != r.o.Root && n.Kind == yaml.Scalar && s.key == "store.path" {
			break
		}
		if _, n = n.Lookup(key); n == nil {
			break
		}
	}
	return n
}

// scalars returns the value of a setting in the file, or the items of its list.
func (r *Reader) scalars(s *setting) []*yaml.Node {
	n := r.node(s)
	switch {
	case n == nil:
	case n.Kind == yaml.Scalar:
		return []*yaml.Node{n}
	case n.Kind == yaml.Sequence && s.list:
		return slices.DeleteFunc(slices.Clone(n.Content), func(item *yaml.Node) bool { return item.Kind != yaml.Scalar })
	}
	return nil
}

// texts returns the value of a setting in the file: a text, a list of texts, or nil.
func (r *Reader) texts(s *setting) any {
	nodes := r.scalars(s)
	switch {
	case len(nodes) == 0:
		return nil
	case !s.list:
		return nodes[0].Value
	}
	list := make([]any, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, n.Value)
	}
	return list
}

// keyOf is the key of the setting that a path leads to, or into.
func keyOf(path []any) string {
	for i, step := range path {
		if _, item := step.(int); item {
			path = path[:i]
			break
		}
	}
	if key := fault.Path(path); key != "store" {
		return key
	}
	return "store.path"
}

// Note records which settings of the file are wrong: they count as missing.
func (r *Reader) Note(faults []*fault.Fault) {
	for _, f := range faults {
		r.wrong[keyOf(f.Path)] = true
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
		v.SetDefault(s.key, s.fallback)
		if value := r.texts(s); value != nil && !r.wrong[s.key] {
			put(file, s.key, value)
		}
		if text := getenv(s.environment()); text != "" {
			put(environment, s.key, s.split(text))
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
		value, origin := s.split(v.Get(s.key)), origins[s.key]
		switch part := Unexpanded().FindString(Redact(fmt.Sprint(value))); {
		case (value == "" || value == nil) && origin == "":
		case part != "" && origin != "":
			r.o.Report.Beside(origin, fault.Clip(part, 60)+" is not replaced by anything here", "write out what it stands for")
		default:
			put(merged, s.key, value)
		}
	}
	var k Keys
	for _, f := range fields.Decode(&k, merged, fields.Options{Owner: "the settings", Texts: true, Unnamed: true}) {
		if origin := origins[keyOf(f.Path)]; origin != "" { // the fault of the file is already recorded
			r.o.Report.Beside(origin, f.Message, f.Hint)
		}
	}
	return r.settings(&k, origins)
}

// settings returns the merged settings, with absolute paths.
func (r *Reader) settings(k *Keys, origins map[string]string) Settings {
	s := Settings{
		Store: r.store(&k.Store, origins["store.path"]),
		Server: Server{
			Socket: r.place(string(k.Server.Socket), origins["server.socket"]), SocketMode: os.FileMode(k.Server.SocketMode), SocketGroup: string(k.Server.SocketGroup),
			MaxEvent: int(k.Server.MaxEvent), Watch: k.Server.Watch,
			Listen: string(k.Server.Listen), Insecure: k.Server.Insecure, MaxConnections: k.Server.MaxConnections, MaxStreams: k.Server.MaxStreams,
			TLS: TLS{
				Cert: r.place(string(k.Server.TLS.Cert), origins["server.tls.cert"]), Key: r.place(string(k.Server.TLS.Key), origins["server.tls.key"]),
				ClientCA: r.place(string(k.Server.TLS.ClientCA), origins["server.tls.client_ca"]),
			},
		},
		Node: r.member(&k.Node), Log: Log{Format: k.Log.Format}, Grace: k.Server.Grace,
		Retention: Retention{Events: time.Duration(k.Retention.Events), Size: int64(k.Retention.Size), Dedupe: time.Duration(k.Retention.Dedupe)},
		Timezone:  string(k.Timezone),
	}
	for _, host := range k.Server.Hosts {
		s.Server.Hosts = append(s.Server.Hosts, string(host))
	}
	for _, network := range k.Server.TrustedProxies {
		s.Server.TrustedProxies = append(s.Server.TrustedProxies, netip.Prefix(network))
	}
	_ = s.Log.Level.UnmarshalText([]byte(k.Log.Level)) // one of its enum, or empty after a fault
	r.checkStore(s.Store)
	r.checkSocket(&s.Server, origins)
	r.checkTCP(&s.Server, origins)
	return s
}

// checkSocket checks what the settings of the socket are together, and gives the mode its default.
func (r *Reader) checkSocket(s *Server, origins map[string]string) {
	if n := len(s.Socket); n > maxSocket {
		r.complain("server.socket", origins, fmt.Sprintf("the socket's path has %d bytes; the system takes %d at most", n, maxSocket),
			"set server.socket to a shorter path, such as /tmp/evrun.sock")
	}
	switch mode := &s.SocketMode; {
	case *mode == 0 && s.SocketGroup == "":
		*mode = 0o600
	case *mode == 0:
		*mode = 0o660
	case s.SocketGroup != "" && *mode&0o060 != 0o060:
		r.complain("server.socket_mode", origins, fmt.Sprintf("the mode %#o does not let the socket_group %s in", *mode, fault.Clip(s.SocketGroup, 60)),
			`write socket_mode: "0660", or leave socket_group out`)
	}
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

// put sets a dotted key in nested maps. What is in place of a map on the way is replaced by the value, and then decoded no more.
func put(m map[string]any, dotted string, value any) {
	group, rest, more := strings.Cut(dotted, ".")
	if !more {
		m[group] = value
		return
	}
	inner, ok := m[group].(map[string]any)
	if !ok && m[group] != nil {
		m[group] = value
		return
	}
	if inner == nil {
		inner = map[string]any{}
		m[group] = inner
	}
	put(inner, rest, value)
}
