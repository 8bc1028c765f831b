package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/bulk"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/explain"
	"evrun/tasks/trace"
)

type emitOptions struct {
	*cli.Env
	cli.EventFlags
	wait time.Duration
	dry  bool

	bulk bulk.Emit
}

func newEmitCmd(e *cli.Env) *cobra.Command {
	o := &emitOptions{Env: e}
	c := &cobra.Command{
		Use:   "emit TYPE | emit --ndjson FILE | emit TYPE --csv FILE",
		Short: "Publish an event, or many",
		Long: `Publishes one event, and prints its id and number once it is on disk. A note on stderr says so when no handler matches and
the type is not declared as final, and names the type that may have been meant.

Its data is what -d gives, with the fields of -f and -F added. Data that breaks the schema of the type is refused, with all
violations (exit 2). The same --id from the same --source is accepted once:
sending it again is safe, and runs nothing. Without a daemon the event is written to the store, and waits for "evrun serve".

In the key of a field, a.b is the member b of the object a (a\.b is a name with a dot), and a key that comes twice makes a list:
-f tag=new -f tag=paid. One value alone is a list with tag[]=new. A field replaces what -d has under its key.

Without -d, -f and -F, what is piped in, or redirected from a file, is the data. An empty input means no data; a pipe that stays open while
nothing comes for 3 seconds is an error, so that a supervisor's unused pipe holds nothing up (</dev/null: no data; -d -: wait). In
the command of an exec handler, where standard input is the handler's own, only -d - reads it.

With --wait it follows every run and every event that this one causes, and prints each. Exit 1 if a run is dead or was cancelled, 4 if no
handler matched, 124 if the time ran out.

In the command of an exec handler, the event belongs to the handler's run: it is in the same chain, one hop further, and an
"emit --wait" that began the chain follows it too. It is refused once the attempt has ended
(with leave: true it begins a chain of its own then). With -c, for the daemon of another wiring
file, the event begins a chain of its own.

With --dry-run nothing is published: the daemon says which handlers would run, and with which inputs ("evrun explain" says
the same of a file). Exit 4 if none matches.

With --ndjson it publishes each line of a file, or of standard input (-), in their order: a line is a CloudEvent in JSON, or as
little as {"type":"order.placed","data":{}}. Lines that are refused are named, and kept in --rejects FILE (which is added to);
the others go on, and the exit code is 3. When it is stopped or the daemon goes away, it says which lines are acknowledged and
how to go on with --from-line. Sending lines again is safe when they have ids: their own, or with --id BATCH those that it makes
of the line's number (BATCH-12, from the same --source); without, each sending is a new event. The corrected lines of a --rejects
file have other numbers: send that file with another --id (BATCH-2), or its lines pass for others, which were accepted.

An event joins the trace of the environment (TRACEPARENT and TRACESTATE, as W3C Trace Context has them), unless it has a traceparent of
its own (--ext, or in its line). A value that is not valid is left out, and the event is accepted without it.

With --csv it does the same with the rows of a CSV file in UTF-8, as events of TYPE. The header names the fields of the data, as -f
does: a.b is nested, and columns with the same name tag[] make a list. A cell is text, unless the schema that the wiring file declares
for TYPE has a number, a boolean, a list or an object there, or the header says so: total:= has JSON. An empty cell is left out.
The columns @id, @source, @subject and @time are attributes of the event. Rows are named by their first line, and --rejects FILE gets
the header and the refused rows as they are, to be corrected and sent with another --id.`,
		Example: `  evrun emit user.registered -d '{"name":"Ada","email":"ada@example.com"}' --wait
  evrun emit user.registered -f name=Ada -f email=ada@example.com -F age:=36
  evrun emit order.placed -d @order.json --id order-4711
  evrun emit order.placed -d @order.json --dry-run
  curl -s https://example.com/order | evrun emit order.placed
  evrun emit order.placed -f customer.name=Ada -f tag=new -f tag=paid -F total:=120
  evrun emit --ndjson users.ndjson --id import-2026-11 --rejects bad.ndjson
  evrun emit order.placed --csv orders.csv --comma ';' --id orders-2026-11 --rejects bad.csv`,
		Args: func(c *cobra.Command, args []string) error {
			many, err := o.bulk.Given(c, args)
			if err == nil && !many && len(args) != 1 {
				err = cli.Usage("emit takes one event type, such as user.registered, not %d arguments", len(args))
			}
			return err
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Type = args[0]
			}
			if many, _ := o.bulk.Given(c, args); many { // Args has the error
				return o.bulk.Run(c.Context(), e, &o.EventFlags)
			}
			return o.Refused(runEmit(c.Context(), o))
		},
	}
	f := c.Flags()
	o.Register(f)
	f.BoolVar(&o.dry, "dry-run", false, "publish nothing: say which handlers would run, and with what")
	cli.WaitFlag(c, &o.wait)
	o.bulk.Flags(c)
	c.ValidArgsFunction = cli.CompleteFirst(e.CompleteTypes)
	return c
}

func runEmit(ctx context.Context, o *emitOptions) error {
	debug.SetGCPercent(400) // a collection takes longer than the rest of a process that lives for milliseconds
	e, err := o.Event(ctx, o.Command.Flags().Changed, o.In)
	if err != nil {
		return err
	}
	if !trace.Clean(e) {
		o.Note("the traceparent of --ext is not valid, such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01: the event goes without it")
	}
	trace.OfEnvironment(os.Getenv).Give(e)
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	// An event that can't be accepted is refused here, with or without a daemon.
	if err := emitter.New(nil, cfg.Settings.Server.MaxEvent).Check(e); err != nil {
		return err
	}
	if o.dry {
		return o.dryRun(ctx, cfg, e)
	}
	if err := cli.CheckWait(o.Command, o.wait); err != nil {
		return err
	}
	if o.wait > 0 {
		return o.emitAndWait(ctx, e)
	}
	how := cli.Publishes
	how.Again = true // the event keeps its id
	var rc api.Receipt
	alone, err := o.Ask(ctx, cfg, how, func(c *client.Client) (err error) {
		rc, err = c.Emit(ctx, e)
		return err
	})
	if err != nil {
		return err
	}
	if err := o.accepted(e, rc); err != nil {
		return err
	}
	if rc.Matches != nil && !*rc.Matches && !rc.Duplicate {
		o.Note("no handler matches %s: it runs nothing%s", e.Type, cli.AsHint(rc.Hint))
	}
	if alone {
		o.NoteWaiting("the event waits", cfg)
	}
	return nil
}

// accepted prints the acknowledgement.
func (o *emitOptions) accepted(e *events.Event, rc api.Receipt) error {
	e.Sequence = rc.Sequence
	if o.JSON() {
		extra := ""
		switch {
		case rc.Duplicate:
			extra = `,"duplicate":true`
		case rc.Matches != nil && !*rc.Matches:
			extra = `,"matches":false`
		}
		return o.Printer().EventObject(e, extra)
	}
	if rc.Duplicate {
		_, err := fmt.Fprintf(o.Out, "%s was accepted before, as #%d\n", events.EscapeControl(e.ID), rc.Sequence)
		return err
	}
	_, err := fmt.Fprintf(o.Out, "%s accepted as #%d\n", events.EscapeControl(e.ID), rc.Sequence)
	return err
}

func (o *emitOptions) emitAndWait(ctx context.Context, e *events.Event) error {
	return o.Followed(ctx, cli.Publishes, o.wait, e.Type, func(c *client.Client, accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error) {
		return c.EmitWait(ctx, e, o.wait, func(rc api.Receipt) error {
			if rc.Duplicate {
				o.Note("the event was accepted before, as #%d: it runs nothing", rc.Sequence)
				return errors.Join(accepted(rc), o.accepted(e, rc))
			}
			return accepted(rc)
		}, each)
	})
}

// dryRun prints what the daemon would do about e or, without a daemon, what the wiring file says.
func (o *emitOptions) dryRun(ctx context.Context, cfg *config.Config, e *events.Event) error {
	var report explain.Report
	alone, err := o.Ask(ctx, cfg, cli.WiringAlone, func(c *client.Client) (err error) {
		report, err = c.Explain(ctx, e)
		return err
	})
	if alone {
		o.Note("no daemon is running: this is what the wiring file says")
	}
	if err != nil {
		return err
	}
	return o.Explained(e, report)
}
