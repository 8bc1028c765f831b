// Package starter writes the wiring files that people begin with: the work of `evrun init`. Each example is a file of this directory that runs as it
// is, and whose tests pass; the one named demo is config.example.yaml, which main embeds, and full explains each key.
package starter

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"evrun/cmd/cli"
	"evrun/events"
	"evrun/tasks/fault"
)

// Schema is the name of the JSON Schema that is written beside a wiring file, for editors.
const Schema = "evrun.schema.json"

//go:embed *.yaml
var files embed.FS

// Example is a wiring file to begin with.
type Example struct {
	Name string
	Doc  string // what it is, for a list
	try  string // a command that shows it at work, without -c
}

// Examples are all of them. The first one is what init writes unless told otherwise.
var Examples = []Example{
	{"starter", "a schedule, a user that is stored, a program that runs", "emit user.registered -f name=Ada -f email=ada@example.com --wait"},
	{"backup", "a nightly command with retries, and an alert when it fails", "emit backup.due --wait"},
	{"webhook", "events by HTTP: in by a hook, out to a URL", "emit order.placed -F order:=1002 -F total:=30"},
	{"import", "many records from a file into a table, each once", `emit contact.listed -f name=Ada -f email=ada@example.com --wait`},
	{"demo", "the demo of the README: declared types, conditions, a daily report, an alert", "emit user.registered -f name=Ada -f email=ada@example.com --wait"},
	{"full", "each key, explained", "emit user.registered -f name=Ada -f email=ada@example.com --wait"},
}

// Names are the names of all examples.
func Names() (names []string) {
	for _, x := range Examples {
		names = append(names, x.Name)
	}
	return names
}

// Find returns the example with a name. The error is a [cli.Usage].
func Find(name string) (Example, error) {
	for _, x := range Examples {
		if x.Name == name {
			return x, nil
		}
	}
	return Example{}, cli.Usage("there is no example %s; write --example %s%s", fault.Quote(name), fault.Or(Names()), cli.AsHint(fault.DidYouMean(name, Names())))
}

// text is the file of an example; demo is the one of that name.
func (x Example) text(demo []byte) ([]byte, error) {
	if x.Name == "demo" {
		return demo, nil
	}
	return files.ReadFile(x.Name + ".yaml")
}

// Write writes an example to path, with its schema beside it, and prints what can be done next. It changes no file that exists.
func Write(e *cli.Env, path string, x Example, demo []byte) error {
	text, err := x.text(demo)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a directory as mkdir makes it; the store's own files are the user's alone
		return err
	}
	err = create(path, append([]byte("# yaml-language-server: $schema="+Schema+"\n\n"), text...))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s already exists, and was left as it is; name another file with -c, or another directory", events.EscapeControl(path))
	}
	if err != nil {
		return err
	}
	var schema bytes.Buffer
	if err := cli.WriteSchema(&schema, "7"); err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(path), Schema)
	switch err := create(beside, schema.Bytes()); {
	case errors.Is(err, fs.ErrExist):
		e.Note("%s already exists, and was left as it is", events.EscapeControl(beside))
	case err != nil:
		return err
	}
	if e.JSON() {
		return e.PrintJSON(map[string]any{"written": map[string]any{"config": path, "schema": beside, "example": x.Name}})
	}
	flag := ""
	if path != "evrun.yaml" {
		flag = " -c " + shellWord(path)
	}
	_, err = fmt.Fprintf(e.Out, `%s is written. Next:
  evrun serve%[2]s    runs it; then, in another terminal:
  evrun tail%[2]s     shows what happens
  evrun %[3]s%[2]s
`, events.EscapeControl(path), flag, x.try)
	return err
}

// shellWord quotes a path for a shell, so that a terminal can show it.
func shellWord(path string) string {
	if plainWord().MatchString(path) {
		return path
	}
	if events.EscapeControl(path) != path { // bash and others: the bytes, in octal
		var b strings.Builder
		for i := range len(path) {
			if c := path[i]; c >= ' ' && c < 0x7f && c != '\'' && c != '\\' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
		return "$'" + b.String() + "'"
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

var plainWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`) })

// create writes a new file; one that exists is fs.ErrExist.
func create(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // for a team to read; secrets come by env() and file()
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
