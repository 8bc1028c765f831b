// Package foreign is what the imports of other programs' files share: reading the file, checking the wiring file that is made of it, handing that over,
// and reporting what it can't have. No goroutines.
package foreign

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/events"
)

// Left is something that was not carried over.
type Left struct {
	Line   int    `json:"line"` // in the file, from 1
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

// Read reads a file, - for standard input, and no more than one byte over limit.
func Read(e *cli.Env, path string, limit int64) ([]byte, error) {
	in := e.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, limit+1))
}

// Name is what messages call a file.
func Name(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// Check validates a wiring file as `evrun validate` does. It returns its faults by their lines, from 1; line 0 is a fault of no line.
func Check(o config.Options, wiring []byte) (map[int]string, error) {
	dir, err := os.MkdirTemp("", "evrun-import-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "evrun.yaml")
	if err := os.WriteFile(path, wiring, 0o600); err != nil {
		return nil, err
	}
	_, err = config.Load(path, o)
	var faults *config.Errors
	if err == nil || !errors.As(err, &faults) {
		return nil, err
	}
	lines := map[int]string{}
	for i := range faults.Faults {
		lines[faults.Faults[i].Line] = faults.Faults[i].Message
	}
	return lines, nil
}

// First returns the fault of the first line.
func First(faults map[int]string) string {
	line := -1
	for l := range faults {
		if line < 0 || l < line {
			line = l
		}
	}
	return faults[line]
}

// Deliver prints a wiring file, or writes it to a new file with this mode. In JSON, it prints counts, what was left, and where the file is.
func Deliver(e *cli.Env, wiring []byte, to string, mode os.FileMode, counts map[string]any, left []Left) error {
	if to != "" {
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = f.Write(wiring)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	switch {
	case e.JSON():
		counts["left"] = append([]Left{}, left...)
		if to != "" {
			counts["config"] = to
		} else {
			counts["wiring"] = string(wiring)
		}
		return e.PrintJSON(map[string]any{"imported": counts})
	case to == "":
		_, err := e.Out.Write(wiring)
		return err
	}
	return nil
}

// Quoted is a text as a YAML scalar in double quotes, which JSON's are, or in an expression.
func Quoted(text string) string {
	b, err := events.MarshalJSON(text)
	if err != nil {
		return `""`
	}
	return string(bytes.TrimSpace(b))
}

// Scalar is a text as a YAML scalar that reads well: as it is, in single quotes or, if it must, in double ones.
func Scalar(text string) string {
	switch {
	case plain().MatchString(text) && !looksTyped().MatchString(text):
		return text
	case text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) || strings.Contains(text, "'"):
		return Quoted(text)
	}
	return "'" + text + "'"
}

// The texts that need no quotes, and those of them that would be read as something else.
var (
	plain      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+=-]*$`) })
	looksTyped = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`) })
)

// Escaped writes a text so that no part of it is an expression.
func Escaped(text string) string { return strings.ReplaceAll(text, "${", "$${") }

// Comment is a text for a comment: on one line, and without characters that YAML refuses.
func Comment(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\u2028' || c == '\u2029' || c == '\u0085' || c == '\ufeff' || c == '\ufffe' || c == '\uffff' {
			return '?'
		}
		return c
	}, strings.ReplaceAll(events.EscapeControl(strings.ToValidUTF8(text, "?")), "\n", " "))
}
