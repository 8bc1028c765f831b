package webhook

import (
	"fmt"
	"os"

	"evrun/cmd/cli"
	"evrun/cmd/foreign"
	"evrun/tasks/fault"
)

// Request is what `evrun import webhook` is asked to do.
type Request struct {
	Path   string // - is standard input
	To     string // the file to write; empty: standard output
	Listen string // the address of the server
}

// Run converts a hooks file, writes the wiring file, and reports what was not carried over. Then its exit code is [cli.ExitRefused].
func Run(e *cli.Env, q Request) error {
	src, err := foreign.Read(e, q.Path, maxText)
	if err != nil {
		return err
	}
	o := Options{Source: q.Path, Listen: q.Listen, Check: func(wiring []byte) (map[int]string, error) { return foreign.Check(e.ConfigOptions(), wiring) }}
	if q.Path == "-" {
		o.Source = ""
	}
	if o.Dir, err = os.Getwd(); err != nil {
		return err
	}
	r, err := Convert(src, o)
	if err != nil {
		return fmt.Errorf("%s: %w", foreign.Name(q.Path), err)
	}
	if err := foreign.Deliver(e, r.Wiring, q.To, 0o600, map[string]any{"hooks": r.Hooks}, r.Left); err != nil { // it may have secrets
		return err
	}
	for _, l := range r.Left {
		e.Note("line %d: %s: %s", l.Line, l.Text, l.Reason)
	}
	e.Note("%s carried over", fault.Plural(r.Hooks, "hook"))
	if len(r.Left) > 0 {
		return &cli.ExitError{Code: cli.ExitRefused, Err: fmt.Errorf("%s of the hooks file not carried over", fault.Plural(len(r.Left), "part"))}
	}
	return nil
}
