// Package config reads the wiring file: settings and wiring, checked whole before anything is opened.
//
// All faults are reported at once, each with file, line, column, the source line and a hint: see [Errors]. A syntax error prevents the other checks,
// so it is reported alone. A file may have 1 MiB; its author is trusted with the work that it makes.
//
// Anchors, aliases and merge keys work everywhere. A fault in an aliased value is reported at its anchor. Top-level keys that begin with x- are
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
// events, schedules, handlers, tests) comes from the file alone and never passes through Viper, which lower-cases keys and splits
// them at dots.
//
// Relative paths in the file and in the environment are relative to the file's directory, so that a command means the same in any
// directory. Those in flags are relative to the working directory. The file's directory is that of the path as given: for a
// symbolic link, its own.
package config

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"evrun/cmd/config/yaml"
	"evrun/store"
	"evrun/store/files"
	"evrun/tasks/expression"
	"evrun/tasks/schedule/slots"
)

// Config is a wiring file that was read and checked.
type Config struct {
	Path, Dir string // absolute; Dir is the directory of the file
	Source    []byte
	Settings  Settings
	Wiring    Wiring
	// Warnings are probable mistakes, in the order of the file. The file can be used with them.
	Warnings []Fault
	// Notes name the checks of files that were left out.
	Notes []string
	// Files are the other files that were read: schemas.
	Files []string
	// Secrets has the values of env() and file(). They must not appear in logs and errors.
	Secrets *expression.Secrets
}

// Options for loading a file. The zero value is usable.
type Options struct {
	Flags  *pflag.FlagSet      // the flags store, socket, log-level and log-format override settings if given; may be nil
	Getenv func(string) string // nil: os.Getenv
	// ParseStatement reads the statements of sql handlers, in the dialect of the store; nil: none can be read.
	ParseStatement store.StatementParser
}

// Load reads a wiring file and checks all of it. Its error is an [*Errors] with all faults at once.
func Load(path string, o Options) (*Config, error) { return read(path, o, true) }

// LoadSettings reads only the settings, for clients. It ignores faults in the wiring, except YAML syntax errors; Config.Wiring stays empty. Its error
// is an [*Errors].
func LoadSettings(path string, o Options) (*Config, error) { return read(path, o, false) }

func read(path string, o Options, wiring bool) (*Config, error) {
	fail := func(msg, hint string) (*Config, error) {
		return nil, &Errors{Path: path, Faults: []Fault{{File: path, Message: msg, Hint: hint}}}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fail(cause(err), "")
	}
	src, err := Text(path, o)
	if err != nil {
		return nil, err
	}
	note, err := files.Trusted(path, wiring)
	var untrusted *files.Error
	switch {
	case errors.As(err, &untrusted) && untrusted.Path == abs:
		return fail(untrusted.Msg, untrusted.Hint)
	case errors.As(err, &untrusted):
		return fail(untrusted.Error(), untrusted.Hint)
	case err != nil:
		return fail("the file can't be read: "+cause(err), "")
	}
	cfg, err := check(path, abs, src, o, wiring)
	if err == nil && note != "" {
		cfg.Notes = append(cfg.Notes, note)
	}
	return cfg, err
}

// cause is the system's message, without the operation and the path.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// check reads the text of a wiring file.
func check(path, abs string, src []byte, o Options, wiring bool) (*Config, error) {
	c := &Config{Path: abs, Dir: filepath.Dir(abs), Source: src, Secrets: new(expression.Secrets)}
	d := newDocument(path, c.Dir, bytes.TrimPrefix(src, []byte(byteOrderMark)))
	root := d.root(d.texts[0])
	if root == nil {
		return nil, d.err()
	}
	root = only(root, func(name string) bool { return !strings.HasPrefix(name, "x-") && (wiring || isSetting(name)) })
	s := settingsReader{document: d, root: root, dir: c.Dir, o: o, wrong: map[string]bool{}}
	w := wiringReader{document: d, dir: c.Dir, secrets: c.Secrets, names: map[string]*yaml.Node{}, types: map[string]*declaredType{}, places: map[any]*yaml.Node{}}
	d.top(root, &s, &w)
	c.Settings = s.settle()
	if wiring {
		w.parse = o.ParseStatement
		w.zone, _ = slots.LoadZone(c.Settings.Timezone) // it was checked
		c.Wiring, c.Files, c.Notes = w.read(), w.files, w.notes
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	if wiring {
		c.Warnings = w.warnings(c.Wiring)
	}
	return c, nil
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
