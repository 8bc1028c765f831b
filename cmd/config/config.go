// Package config reads the wiring file: settings and wiring, checked whole before anything is opened.
//
// All faults are reported at once, each with file, line, column, the source line and a hint: see [Errors]. A syntax error prevents the other checks
// of its file. A file may have 1 MiB; its author is trusted with the work that it makes.
//
// # Included files
//
// A file includes others: include: [conf.d/*.yaml, team/more.yaml]. They may have events, schedules, hooks, handlers and tests, and include further ones; all other
// keys are the wiring file's. The wiring is that of the wiring file, then that of its included files, in the order of the entries of include and,
// for a pattern, of the files' names; an included file is followed by those that it includes. This is the order of lists, and of nothing else:
// handlers of one event do not wait for each other. A name is given once in all files. An entry that moves from one file to another
// unchanged is the same entry: its version is that of its text.
//
// A pattern matches what [evrun/cmd/config/include] says, and may match nothing. The same file twice, also under two names, is a fault, as is a cycle.
// There may be 1,000 included files, 10 levels deep, with 16 MiB in all. Files that change while they are read are read again, so that a wiring is
// made of files of one time.
//
// Anchors, aliases and merge keys work everywhere, within one file. A fault in an aliased value is reported at its anchor. Top-level keys that begin with x- are
// ignored, so that a file can keep its anchors there.
//
//	cfg, err := config.Load("evrun.yaml", config.Options{Flags: cmd.Flags()})
//	var faults *config.Errors
//	if errors.As(err, &faults) {
//		fmt.Fprint(os.Stderr, faults.Pretty(true))
//	}
//
// # Settings and wiring
//
// The settings (store, server, log, retention, timezone) come from the defaults, the file, the environment (EVRUN_STORE, EVRUN_SERVER_SOCKET, …: the
// key's path in capitals with _ for its dots) and the flags; the later of these wins. Viper layers them. The wiring (strict_types, env,
// events, schedules, hooks, handlers, tests) comes from the file alone and never passes through Viper, which lower-cases keys and splits
// them at dots.
//
// Relative paths in a file are relative to its directory, and those in the environment to that of the wiring file, so that a command means the same in any
// directory. Those in flags are relative to the working directory. The file's directory is that of the path as given: for a
// symbolic link, its own.
package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"evrun/cmd/config/include"
	"evrun/cmd/config/report"
	"evrun/cmd/config/settings"
	"evrun/cmd/config/yaml"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/expression/secrets"
	"evrun/tasks/schedule/slots"
)

// Config is a wiring file that was read and checked.
type Config struct {
	Path, Dir string // of the wiring file; absolute
	Settings  settings.Settings
	Wiring    Wiring
	// Warnings are probable mistakes, in the order of the file. The file can be used with them.
	Warnings []Fault
	// Notes name the checks of files that were left out.
	Notes []string
	// Included are the files that the wiring file includes, and those that these include, as absolute paths in the order of their entries in the wiring.
	Included []string
	// Inputs are all files that were read: these, and the schemas.
	Inputs *include.Inputs
	// Digest identifies what the wiring does: all but the settings that a machine may have of its own, layout, and comments. Files that it names count.
	Digest string
	// Secrets has the values of env() and file(). They must not appear in logs and errors.
	Secrets *expression.Secrets
}

// Places returns the paths of the files that the wiring is made of, and of the directories in which more may appear.
func (c *Config) Places() []string {
	places := []string{c.Path}
	if c.Inputs != nil {
		places = append(places, c.Inputs.Places()...)
	}
	return places
}

// The faults of a wiring file.
type (
	Errors = report.Errors
	Fault  = report.Fault
)

// Options for loading a file. The zero value is usable.
type Options struct {
	Flags  *pflag.FlagSet      // the flags store, socket, log-level and log-format override settings if given; may be nil
	Getenv func(string) string // nil: os.Getenv
	// Parsers returns what reads the statements of sql handlers, in the dialect of a store, and in that of the files of a dsn; nil: none can be read.
	Parsers func(settings.Store) (own, files store.StatementParser)
	// Given are the texts of files, by their absolute paths, of somebody who must learn nothing about this machine. If it is not nil, other files don't
	// exist, and env(), file(), variables, programs, users, groups and certificates are not looked at.
	Given map[string][]byte
}

// Load reads a wiring file and checks all of it. Its error is an [*Errors] with all faults at once.
func Load(path string, o Options) (*Config, error) { return read(path, o, true) }

// LoadSettings reads only the settings, for clients. It ignores faults in the wiring, except YAML syntax errors; Config.Wiring stays empty, but for its tokens. Its error
// is an [*Errors].
func LoadSettings(path string, o Options) (*Config, error) { return read(path, o, false) }

// readings is how often the files are read if they change meanwhile, so that all of them are as they were at one time.
const readings = 5

func read(path string, o Options, wiring bool) (cfg *Config, err error) {
	for range readings {
		in := &include.Inputs{Given: o.Given}
		if cfg, err = readOnce(path, o, wiring, in); !in.Changed() {
			break
		}
	}
	return cfg, err
}

func readOnce(path string, o Options, wiring bool, in *include.Inputs) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, unusable(path, err, o, in)
	}
	file, err := in.Read(path, wiring)
	if err != nil {
		return nil, unusable(path, err, o, in)
	}
	return check(path, abs, file, o, wiring, in)
}

// cause is the system's message, without the operation and the path.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// check reads the text of a wiring file, and the files that it names.
func check(path, abs string, file include.File, o Options, wiring bool, in *include.Inputs) (*Config, error) {
	c := &Config{Path: abs, Dir: filepath.Dir(abs), Secrets: new(expression.Secrets), Inputs: in}
	if o.Given != nil {
		c.Secrets, o.Flags, o.Getenv = secrets.NewSealed(), nil, func(string) string { return "" }
	}
	d := newDocument(path, c.Dir, withoutMark(file.Text))
	fail := func() error {
		err := d.err()
		if faults, ok := errors.AsType[*Errors](err); ok {
			faults.Inputs = in
		}
		return err
	}
	root := d.root(d.texts[0])
	if root == nil {
		return nil, fail()
	}
	if o.Given != nil {
		root = withoutGroup(root)
	}
	root = only(root, func(name string) bool { return !strings.HasPrefix(name, "x-") && (wiring || settings.Is(name)) })
	w := wiringReader{document: d, dir: c.Dir, secrets: c.Secrets, names: map[string]*yaml.Node{}, types: map[string]*declaredType{}, places: map[any]*yaml.Node{}, inputs: in}
	s := settings.NewReader(settings.Options{Report: placed{d, &w.doubts}, Root: root, Dir: c.Dir, Flags: o.Flags, Getenv: o.Getenv})
	d.top(root, s, &w)
	c.Settings, c.Wiring.Tokens = s.Settle(), w.tokens
	for _, password := range s.Secrets {
		c.Secrets.Add(password)
	}
	if wiring {
		w.shared = c.Settings.Store.Shared()
		if o.Parsers != nil {
			w.parse, w.parseFiles = o.Parsers(c.Settings.Store)
		}
		w.zone, _ = slots.LoadZone(c.Settings.Timezone) // it was checked
		c.Included = w.include(root, file.Info)
		c.Wiring = w.read()
		c.Digest = w.digest(append(c.Included, c.Path)...)
	}
	w.note(file.Note)
	if err := fail(); err != nil {
		return nil, err
	}
	c.Notes = w.notes
	if wiring {
		c.Warnings = w.warnings(c.Wiring)
	}
	return c, nil
}

// withoutGroup returns the mapping of a wiring file without server.socket_group: whether it is right depends on the groups of the system.
func withoutGroup(root *yaml.Node) *yaml.Node {
	all := *root
	all.Content = slices.Clone(root.Content)
	for i := 0; i < len(all.Content); i += 2 {
		if all.Content[i].Value == "server" && all.Content[i+1].Kind == yaml.Mapping {
			all.Content[i+1] = only(all.Content[i+1], func(key string) bool { return key != "socket_group" })
		}
	}
	return &all
}

// only returns a mapping with only the keys that keep wants.
func only(n *yaml.Node, keep func(key string) bool) *yaml.Node {
	some := *n
	some.Content = nil
	for i := 0; i < len(n.Content); i += 2 {
		if keep(n.Content[i].Value) {
			some.Content = append(some.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &some
}
