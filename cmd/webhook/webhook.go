// Package webhook makes a wiring file of the hooks file of webhook (github.com/adnanh/webhook), in JSON or YAML: the work of `evrun import webhook`. Each
// hook becomes a hook of evrun, which checks the same signature and the same rule, and a handler that runs the same command with the same arguments.
// Whatever a wiring file can't have is left out and reported with its line; a hook whose rule can't be kept whole is left out altogether, because its
// command would run for others, too.
//
//	r, err := webhook.Convert(text, webhook.Options{Source: "hooks.json", Check: check})
//	os.Stdout.Write(r.Wiring)
//	for _, l := range r.Left { … }
//
// What differs: evrun answers when the event is stored, and not when the command has ended; a hook takes POST only; a value that is null counts as
// missing; a key with dots in it is always a path. The commands have the variables that evrun gives to all programs, and not its whole environment.
package webhook

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/config/yaml"
	"evrun/cmd/foreign"
)

// maxText is how large a hooks file may be, in bytes.
const maxText = 1 << 20

// Options say how a hooks file is read.
type Options struct {
	Source string // what the comment at the top calls it; empty: standard input
	Dir    string // where relative paths of secrets begin
	Listen string // the address of the wiring file's server
	// Check returns the faults of a wiring file by their lines, from 1. Line 0 is a fault of no line. nil: there are none.
	Check func(wiring []byte) (map[int]string, error)
}

// Result is a wiring file, which is valid.
type Result struct {
	Wiring []byte
	Hooks  int
	Left   []foreign.Left // by lines
}

// Convert makes a wiring file of the text of a hooks file. Hooks that do not pass o.Check are left out as well. The error says why there is no valid file
// at all.
func Convert(src []byte, o Options) (*Result, error) {
	if len(src) > maxText {
		return nil, fmt.Errorf("a hooks file may have %d KiB", maxText>>10)
	}
	marked, err := mark(strings.TrimPrefix(string(src), "\ufeff"), o.Dir)
	if err != nil {
		return nil, err
	}
	text := yaml.NewText(marked)
	root, faults := yaml.Parse(text)
	switch {
	case len(faults) > 0:
		f := faults[0]
		if strings.Contains(marked, "{{") {
			f = f.Hinting("is it a template? Of these, evrun knows {{ getenv \"NAME\" | js }}, cat and credential only")
		}
		return nil, fmt.Errorf("line %d: %w", lineOf(text, f.Offset), f)
	case root == nil || root.Kind != yaml.Sequence:
		return nil, errors.New("this is not a list of hooks, as webhook's hooks file is: [{\"id\": …, \"execute-command\": …}]")
	}
	r := &reader{o: o, text: text, names: map[string]bool{}, ids: map[string]bool{}}
	r.credentials(string(src))
	for _, n := range root.Content {
		if h := r.hook(n); h != nil {
			r.hooks = append(r.hooks, h)
		}
	}
	for {
		slices.SortStableFunc(r.left, func(a, b foreign.Left) int { return a.Line - b.Line })
		w := write(r.hooks, r.left, o)
		wiring, faults := []byte(w.String()), map[int]string{}
		if o.Check != nil {
			faults, err = o.Check(wiring)
		}
		switch {
		case err != nil:
			return nil, err
		case len(faults) == 0:
			return &Result{wiring, len(r.hooks), r.left}, nil
		case !r.drop(w.Faulty(faults)):
			return nil, fmt.Errorf("no valid wiring file can be made of it: %s; give --listen an address of this machine, such as 127.0.0.1:9000, and change server in the wiring file afterwards", foreign.First(faults))
		}
	}
}

// drop leaves out the hooks that have faults. It returns false if none has.
func (r *reader) drop(wrong map[*hook]string) bool {
	r.hooks = slices.DeleteFunc(r.hooks, func(h *hook) bool {
		why, is := wrong[h]
		if is {
			r.leave(h.line, h.title(), why)
		}
		return is
	})
	return len(wrong) > 0
}

func lineOf(text *yaml.Text, offset int) int { return text.Line(offset) + 1 }
