// Package bulk publishes many events from a file: it sends their lines, names those that are refused, and keeps them for another try.
package bulk

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/table"
	"evrun/events"
	"evrun/tasks/trace"
)

// Emit is an emit of many events, as its flags describe it.
type Emit struct {
	NDJSON, CSV string // the path of the input, or "-" for standard input; one of them
	Comma       string
	Rejects     string // a path
	FromLine    int
}

// Flags adds the flags of bulk to those of emit.
func (o *Emit) Flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.NDJSON, "ndjson", "", "publish each line of this `FILE`; - is standard input")
	f.StringVar(&o.CSV, "csv", "", "publish each row of this `FILE`, as an event of TYPE; - is standard input")
	CommaFlag(c, &o.Comma)
	f.StringVar(&o.Rejects, "rejects", "", "with --ndjson or --csv: a `FILE` for the lines that are refused")
	f.IntVar(&o.FromLine, "from-line", 1, "with --ndjson or --csv: begin at this line")
}

// Given reports whether the flags ask for many events, and checks them and the arguments that go with them.
func (o *Emit) Given(c *cobra.Command, args []string) (bool, error) {
	lines, rows := c.Flags().Changed("ndjson"), c.Flags().Changed("csv")
	switch {
	case lines && rows:
		return true, cli.Usage("--ndjson and --csv: give one of them")
	case lines && len(args) > 0:
		return true, cli.Usage("emit --ndjson takes no event type: each line has its own")
	case rows && len(args) != 1:
		return true, cli.Usage("emit --csv takes the type of its events: emit TYPE --csv FILE")
	}
	for _, name := range []string{"rejects", "from-line"} {
		if c.Flags().Changed(name) && !lines && !rows {
			return false, cli.Usage("--%s goes with --ndjson or --csv", name)
		}
	}
	if c.Flags().Changed("comma") && !rows {
		return false, cli.Usage("--comma goes with --csv")
	}
	return lines || rows, nil
}

// flag is the one that names the input.
func (o *Emit) flag() string {
	if o.CSV != "" {
		return "--csv"
	}
	return "--ndjson"
}

// notWithLines are emit's flags for one event.
var notWithLines = []string{"data", "field", "json-field", "subject", "time", "ext", "wait", "dry-run"}

// Run publishes the lines of a file, or of standard input. event has what they share.
func (o *Emit) Run(ctx context.Context, e *cli.Env, event *cli.EventFlags) error {
	for _, name := range notWithLines {
		if e.Command.Flags().Changed(name) {
			return cli.Usage("--%s is for one event, and does not go with %s", name, o.flag())
		}
	}
	if e.Command.Flags().Changed("id") && event.ID == "" {
		return cli.Usage("--id is empty: leave it out for new ids")
	}
	accepted, duplicates := 0, 0
	s := &sending{
		Env: e, from: o.flag() + " ", name: cmp.Or(o.CSV, o.NDJSON), access: cli.Publishes, waits: "the events wait",
		lines: client.LinesOptions{LineDefaults: api.LineDefaults{Source: event.Source, ID: event.ID, First: o.FromLine}, Trace: trace.OfEnvironment(os.Getenv)},
		taken: func(a client.LineAnswer) {
			if a.Duplicate {
				duplicates++
			} else {
				accepted++
			}
		},
		counts: func() (string, string, bool) {
			text := fmt.Sprintf("%d accepted, %d duplicates", accepted, duplicates)
			if duplicates > 0 && event.ID != "" {
				text += " (already accepted under this --id)"
			}
			return text, "events", accepted > 0
		},
		again:   "lines that have an id, or with --id, are not accepted twice",
		mend:    o.mend(event.ID),
		rejects: rejects{path: o.Rejects},
	}
	if o.CSV != "" {
		s.table = func() (table.Options, error) { return o.table(e, event.Type) }
	}
	return s.run(ctx)
}

// mend says under which --id corrected lines are sent: ids are made of line numbers, and a file of refused lines has other ones.
func (o *Emit) mend(id string) string {
	switch {
	case id == "":
		return ""
	case o.Rejects == "":
		return "correct the refused lines where they are, and send the file again with the same --id: what was accepted is not accepted twice"
	}
	return fmt.Sprintf("send the corrected %s with another --id, such as --id %s: ids are made of line numbers, and under this one its lines would pass for others, "+
		"which were accepted", o.Rejects, nextID(id))
}

// nextID is a batch's id for its second sending, X-2, or for the one after that. The digits of a date at its end are left alone.
func nextID(id string) string {
	if last := len(id) - 1; last > 0 && id[last-1] == '-' && id[last] >= '2' && id[last] < '9' {
		return id[:last] + string(id[last]+1)
	}
	return id + "-2"
}

// table says how a CSV's rows are events. The cells of members that the type's schema in the wiring file knows as numbers and the like are read as these.
func (o *Emit) table(e *cli.Env, typ string) (t table.Options, err error) {
	if err := events.CheckType(typ); err != nil {
		return t, cli.Usage("%v", err)
	}
	t.Attributes = []string{"id", "source", "subject", "time"}
	t.Begin, t.End = string(append(events.AppendJSONText([]byte(`{"type":`), typ), ',')), "}"
	if t.Comma, err = comma(o.Comma); err == nil {
		t.Kind, err = kinds(e, typ)
	}
	return t, err
}
