package config

import (
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/viper"

	"evrun/cmd/config/yaml"
)

// Settings are what the daemon and its clients have to know before any wiring.
type Settings struct {
	Store  StoreSettings
	Server ServerSettings
	Log    LogSettings
	Grace  time.Duration // server.grace: how long a stop waits for runs in flight; default 30s
}

// StoreSettings say where the store is.
type StoreSettings struct {
	Path        string // absolute; default evrun.db beside the file
	MaxWAL      int64  // store.wal_max: the bound of the write-ahead log, in bytes; default 4 GiB
	Synchronous string // "full" (default): an acknowledged event survives a power cut; "normal": perhaps not the last moments
}

// ServerSettings say how the daemon is reached.
type ServerSettings struct {
	Socket      string      // absolute; default evrun.sock beside the file
	SocketMode  os.FileMode // default 0600, or 0660 with a SocketGroup
	SocketGroup string      // a group's name or number; default: the group of evrun's user
	MaxEvent    int         // the largest data of an event, in bytes; default 1 MiB
	Watch       bool        // read the wiring file again when it changes; default true
}

// LogSettings are the daemon's log.
type LogSettings struct {
	Level  slog.Level // default info
	Format string     // "text" (default) or "json"
}

// Differing names the settings that are other than in s.
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

// setting is one setting: its key, the flag that overrides it, its default, and how its text is put into Settings.
type setting struct {
	key, flag, fallback string

	put func(s *Settings, text string) (msg, hint string)
}

// keyWatch is the one setting that is no text.
const keyWatch = "server.watch"

var settings = []setting{
	{"store.path", "store", "evrun.db", putStore},
	{"store.synchronous", "", "full", func(s *Settings, text string) (msg, hint string) {
		s.Store.Synchronous = text
		return oneOf(text, "full", "normal")
	}},
	{"store.wal_max", "", "4GiB", func(s *Settings, text string) (msg, hint string) {
		s.Store.MaxWAL, msg, hint = parseSizeWithin(text, 16<<20, 1<<40, "from 16MiB to 1024GiB")
		return msg, hint
	}},
	{"server.socket", "socket", "evrun.sock", func(s *Settings, text string) (msg, hint string) {
		s.Server.Socket = text
		return badPath(text)
	}},
	{"server.socket_mode", "", "", func(s *Settings, text string) (msg, hint string) {
		s.Server.SocketMode, msg, hint = parseSocketMode(text)
		return msg, hint
	}},
	{"server.socket_group", "", "", func(s *Settings, text string) (msg, hint string) {
		s.Server.SocketGroup = text
		if _, err := LookupGroup(text); text != "" && err != nil {
			return err.Error(), ""
		}
		return "", ""
	}},
	{"server.max_event", "", "1MiB", func(s *Settings, text string) (msg, hint string) {
		s.Server.MaxEvent, msg, hint = parseSize(text)
		return msg, hint
	}},
	{keyWatch, "", "true", func(s *Settings, text string) (msg, hint string) {
		s.Server.Watch = text == "true"
		return oneOf(text, "true", "false")
	}},
	{"server.grace", "", "30s", func(s *Settings, text string) (msg, hint string) {
		s.Grace, msg, hint = parseDuration(text)
		return msg, hint
	}},
	{"log.level", "log-level", "info", func(s *Settings, text string) (msg, hint string) {
		if msg, hint = oneOf(text, "debug", "info", "warn", "error"); msg == "" {
			_ = s.Log.Level.UnmarshalText([]byte(text))
		}
		return msg, hint
	}},
	{"log.format", "log-format", "text", func(s *Settings, text string) (msg, hint string) {
		s.Log.Format = text
		return oneOf(text, "text", "json")
	}},
}

// unbuiltSetting is a setting that does nothing yet. It is refused with the reason, in the file and in the environment.
type unbuiltSetting struct{ key, msg, hint string }

const noRetention = "retention is not built yet: nothing is deleted from the store"

var unbuilt = []unbuiltSetting{
	{"server.listen", "TCP is not built yet", "leave listen out: the socket serves everything"},
	{"retention", noRetention, "leave retention out"},
	{"retention.events", noRetention, ""}, // in the environment
}

// environment is the variable that overrides a setting.
func (s *setting) environment() string { return variable(strings.TrimSuffix(s.key, ".path")) }

func variable(key string) string {
	return "EVRUN_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// unexpanded is what only a shell replaces: $NAME, ${NAME}, $(command), and ~ in front of a path.
var unexpanded = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*|\{[^}]*\}?|\([^)]*\)?)|^~`)

// check puts the text of a setting into to, and says what is wrong with it.
func (s *setting) check(to *Settings, text string) (msg, hint string) {
	if part := unexpanded.FindString(text); part != "" {
		return fmt.Sprintf("%s is not replaced by anything here", clip(part)), "write out what it stands for"
	}
	return s.put(to, text)
}

func putStore(s *Settings, text string) (msg, hint string) {
	s.Store.Path = text
	switch {
	case strings.HasPrefix(text, "postgres:"), strings.HasPrefix(text, "postgresql:"):
		return "PostgreSQL is not there yet", "name a file: evrun.db"
	case text == ":memory:", strings.HasPrefix(text, "file:"), strings.Contains(text, "://"):
		return fmt.Sprintf("%q is not a file path", clip(text)), "name a file: evrun.db"
	}
	return badPath(text)
}

func badPath(text string) (msg, hint string) {
	switch {
	case text == "":
		return "the path is empty", ""
	case strings.ContainsFunc(text, unicode.IsControl):
		return "the path has a control character in it", ""
	case strings.HasSuffix(text, "/"), text == ".", text == "..":
		return fmt.Sprintf("%q is a folder", clip(text)), "name a file"
	}
	return "", ""
}

// settingsReader reads the settings' part of a file.
type settingsReader struct {
	*document
	dir   string
	nodes []*yaml.Node // of each setting, nil where the file doesn't say it, or says it wrongly
}

// keys are the settings as a file writes them.
func (r *settingsReader) keys() []key {
	group := func(name string, more ...key) key {
		return key{name: name, read: func(n *yaml.Node) {
			keys := more
			for i := range settings {
				if prefix, rest, _ := strings.Cut(settings[i].key, "."); prefix == name && rest != "" {
					keys = append(keys, key{name: rest, read: func(n *yaml.Node) { r.take(i, n) }})
				}
			}
			r.mapping(n, strconv.Quote(name), keys)
		}}
	}
	refused := func(name string) key {
		i := slices.IndexFunc(unbuilt, func(u unbuiltSetting) bool { return u.key == name })
		return key{name: name[strings.LastIndexByte(name, '.')+1:], later: true, read: func(n *yaml.Node) { r.at(n, unbuilt[i].msg, unbuilt[i].hint) }}
	}
	store := group("store")
	return []key{
		{name: "store", read: func(n *yaml.Node) {
			if n.Kind == yaml.Mapping {
				store.read(n)
				return
			}
			r.take(0, n)
		}},
		group("server", refused("server.listen")),
		group("log"),
		refused("retention"),
	}
}

// take notes where the file says a setting, if it says it well.
func (r *settingsReader) take(i int, n *yaml.Node) {
	key := strings.TrimSuffix(settings[i].key, ".path")
	key = key[strings.LastIndexByte(key, '.')+1:]
	text, ok := r.literal(n, key)
	if !ok {
		return
	}
	var scratch Settings
	if msg, hint := settings[i].check(&scratch, text); msg != "" {
		if unexpanded.MatchString(text) {
			hint += fmt.Sprintf(", or leave %s out and set %s in the environment", key, settings[i].environment())
		}
		r.at(n, about(key, msg), hint)
		return
	}
	if settings[i].key != keyWatch {
		if _, ok := r.text(n, key); !ok {
			return
		}
	}
	r.nodes[i] = n
}

// settle lays the layers over each other: defaults, file, environment, flags. What the file says was checked by take.
func (r *settingsReader) settle(o Options) Settings {
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	v := viper.New()
	file, environment := map[string]any{}, map[string]any{}
	for i := range settings {
		s := &settings[i]
		v.SetDefault(s.key, s.fallback)
		if n := r.nodes[i]; n != nil {
			put(file, s.key, n.Value)
		}
		if text := getenv(s.environment()); text != "" {
			put(environment, s.key, text)
		}
		if r.flagged(o, s) {
			_ = v.BindPFlag(s.key, o.Flags.Lookup(s.flag)) // it fails for a nil flag only
		}
	}
	_ = v.MergeConfigMap(file) // neither of them can fail
	_ = v.MergeConfigMap(environment)

	for _, u := range unbuilt {
		if name := variable(u.key); getenv(name) != "" {
			r.beside(name, u.msg, "unset it")
		}
	}
	var result Settings
	for i := range settings {
		s := &settings[i]
		text := v.GetString(s.key)
		msg, hint := s.check(&result, text)
		switch {
		case r.flagged(o, s):
			if msg == "" {
				r.place(&result, i, "--"+s.flag, ".")
				continue
			}
			r.beside("--"+s.flag, msg, hint)
		case getenv(s.environment()) != "":
			if msg == "" {
				r.place(&result, i, s.environment(), r.dir)
				continue
			}
			r.beside(s.environment(), msg, hint)
		default:
			r.place(&result, i, "", r.dir)
		}
	}
	r.settleMode(&result.Server)
	return result
}

// settleMode gives a socket its default mode, and refuses one that lets the group in that is named for nothing.
func (r *settingsReader) settleMode(s *ServerSettings) {
	mode := slices.IndexFunc(settings, func(s setting) bool { return s.key == "server.socket_mode" })
	switch {
	case s.SocketMode == 0 && s.SocketGroup == "":
		s.SocketMode = 0o600
	case s.SocketMode == 0:
		s.SocketMode = 0o660
	case s.SocketGroup != "" && s.SocketMode&0o060 != 0o060:
		msg, hint := fmt.Sprintf("the mode %#o does not let the socket_group %s in", s.SocketMode, clip(s.SocketGroup)), `write socket_mode: "0660", or leave socket_group out`
		if n := r.nodes[mode]; n != nil {
			r.at(n, msg, hint)
		} else {
			r.beside(settings[mode].environment(), msg, hint)
		}
	}
}

// parseSocketMode reads the mode of the socket: whoever can write to it can connect. Empty, it is the default.
func parseSocketMode(text string) (mode os.FileMode, msg, hint string) {
	if text == "" {
		return 0, "", ""
	}
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || len(text) > 4 || n&^0o666 != 0 || n&0o600 != 0o600 {
		return 0, fmt.Sprintf("%q is not a valid mode of a socket", clip(text)), `write it in octal digits, in quotes: "0600" for evrun's user alone, "0660" for a group too`
	}
	return os.FileMode(n), "", ""
}

// LookupGroup gives the number of a group, which is named or is a number.
func LookupGroup(name string) (gid int, err error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("unknown group %q", clip(name))
	}
	return strconv.Atoi(g.Gid)
}

func (r *settingsReader) flagged(o Options, s *setting) bool {
	return o.Flags != nil && s.flag != "" && o.Flags.Changed(s.flag)
}

// put sets a dotted key in nested maps.
func put(m map[string]any, dotted, text string) {
	for {
		name, rest, more := strings.Cut(dotted, ".")
		if !more {
			m[name] = text
			return
		}
		inner, _ := m[name].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			m[name] = inner
		}
		m, dotted = inner, rest
	}
}

// place makes a setting that is a path absolute. Its origin is a variable or a flag, or empty for the file and the default.
func (r *settingsReader) place(s *Settings, i int, origin, dir string) {
	var path *string
	switch settings[i].key {
	case "store.path":
		path = &s.Store.Path
	case "server.socket":
		path = &s.Server.Socket
	default:
		return
	}
	if !filepath.IsAbs(*path) {
		*path = filepath.Join(dir, *path)
	}
	if abs, err := filepath.Abs(*path); err == nil {
		*path = abs
	}
	if settings[i].key != "server.socket" || len(*path) <= maxSocket {
		return
	}
	msg := fmt.Sprintf("the socket's path has %d bytes; the system takes %d at most", len(*path), maxSocket)
	hint := "set server.socket to a shorter path, such as /tmp/evrun.sock"
	switch {
	case origin != "":
		r.beside(origin, msg, "a shorter path is needed, such as /tmp/evrun.sock")
	case r.nodes[i] != nil:
		r.at(r.nodes[i], msg, hint)
	default:
		r.fault(0, 1, msg, hint)
	}
}
