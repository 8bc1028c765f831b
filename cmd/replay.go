package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/against"
	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/events"
	"evrun/tasks/replay"
)

type replayOptions struct {
	cli.Batch
	events  []string // seqs or ids
	against string
	again   bool
	wait    time.Duration
}

func newReplayCmd(e *cli.Env) *cobra.Command {
	o := &replayOptions{Batch: cli.Batch{Env: e, Name: "replay", Action: "replay", Done: "replayed", Thing: "event",
		Careful: "it runs the handler again", Left: "replayed before (--again repeats them)"}}
	c := &cobra.Command{
		Use:   "replay EVENT... | FLAGS --handler NAME",
		Short: "Run recorded events through one handler again, or compare with a changed file",
		Long: `Runs recorded events through one handler again: single ones, by seq or id, or all that the flags select, of the handler's types. For each, a new event
with the same type, time and data, and the attributes target and replayof, goes to that handler alone. Its run is a new one, with an idempotency key of its
own; what the run emits goes to everybody as usual. The data was accepted once, so a newer schema does not refuse it.

No event is replayed twice by accident: one that was replayed through this handler before, also under a former name of it, is left out, and the answer says so.
--again means it. A selection leaves out replays themselves. It is counted and the first ones are shown, and on a terminal you are asked; elsewhere --yes is
needed. It runs as one batch, which can be interrupted: --resume continues it. --wait follows one event and what it causes, as "evrun emit --wait" does.
Without a daemon the events wait for "evrun serve".

With --against FILE nothing is replayed. It compares what the wiring file and FILE would do with recorded events: which handlers would run, skip or fail, with
which inputs, and what they would emit. It reads the newest 1,000 events (-n), or those that the flags select; --handler compares one handler alone. It needs
no daemon, and writes nothing. A handler that has "was" in FILE is compared with the one that it renames. What is made with env() or file() is [secret] in
both, and how attempts are repeated is not compared. First come the counts of each handler, before and after, then up to three events of each as examples;
-o json prints an object for each difference. Exit 0 if nothing differs, 1 if something does, 78 if a file is wrong.`,
		Example: `  evrun replay 41 57 --handler save-order
  evrun replay --handler save-order --since 2026-11-24 --until 2026-11-25 --where 'data.currency == "EUR"' --dry-run
  evrun replay --dry-run --against new.yaml --type 'order.>' -n 0`,
		RunE: func(c *cobra.Command, args []string) error {
			o.events = args
			return runReplay(c, o)
		},
	}
	o.AddEventFlags(c)
	o.AddBatchFlags(c)
	f := c.Flags()
	f.StringVar(&o.To, "handler", "", "the `NAME` of the handler that runs the events again")
	f.BoolVar(&o.again, "again", false, "replay also what was replayed before")
	f.StringVar(&o.against, "against", "", "compare with this wiring `FILE` instead; nothing is replayed")
	cli.LimitFlag(c, &o.Limit, against.Default)
	cli.WaitFlag(c, &o.wait)
	_ = c.RegisterFlagCompletionFunc("handler", e.CompleteHandlers()) // an error means that the flag does not exist
	_ = c.MarkFlagFilename("against", "yaml", "yml")
	return c
}

func runReplay(c *cobra.Command, o *replayOptions) error {
	given := c.Flags().Changed
	switch {
	case o.against != "":
		compared := &against.Options{Batch: &o.Batch, Events: o.events, File: o.against, Replays: o.again || given("wait")}
		return compared.Run(c.Context())
	case given("limit"):
		return cli.Usage("-n goes with --against; --since, --until and --where select what is replayed")
	case o.To == "" && o.Resume == "":
		return cli.Usage("say which handler is to run the events again: --handler NAME")
	case len(o.events) > replay.MaxEvents:
		return cli.Usage("%d events: %d at a time, or flags that select them", len(o.events), replay.MaxEvents)
	}
	if err := cli.CheckWait(c, o.wait); err != nil {
		return err
	}
	if len(o.events) > 0 && !o.ByFlags() {
		return runReplayEvents(c.Context(), o)
	}
	if _, err := o.Chosen(o.events, o.CheckEvents); err != nil {
		return err
	}
	if o.wait > 0 {
		return cli.Usage("--wait follows one event, given by its seq or id")
	}
	if o.again {
		o.Options = json.RawMessage(`{"again":true}`)
	}
	return o.Run(c.Context())
}

// runReplayEvents replays single events.
func runReplayEvents(ctx context.Context, o *replayOptions) error {
	ask := api.ReplayRequest{Events: o.events, To: o.To, Again: o.again, DryRun: o.DryRun}
	if o.wait > 0 && !o.DryRun {
		if len(o.events) > 1 {
			return cli.Usage("--wait follows one event")
		}
		return o.Followed(ctx, cli.Replays, o.wait, "the replay of "+o.events[0], func(c *client.Client, accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error) {
			return c.ReplayWait(ctx, ask, o.wait, func(rc api.Receipt) error {
				if rc.Duplicate {
					o.Note("%s was replayed before, as #%d; --again repeats it", events.EscapeControl(o.events[0]), rc.Sequence)
				}
				return accepted(rc)
			}, each)
		})
	}
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	var done []api.Replayed
	alone, err := o.Ask(ctx, cfg, cli.ChangesRuns, func(c *client.Client) (err error) {
		done, err = c.Replay(ctx, ask)
		return err
	})
	if err != nil {
		return err
	}
	fresh := 0
	for _, d := range done {
		text := fmt.Sprintf("#%d replayed as #%d", d.ReplayOf, d.Sequence)
		switch {
		case d.Duplicate:
			text = fmt.Sprintf("#%d was replayed before, as #%d; --again repeats it", d.ReplayOf, d.Sequence)
		case o.DryRun:
			text = fmt.Sprintf("#%d %s would be replayed through %s", d.ReplayOf, events.EscapeControl(d.Type), events.EscapeControl(d.Handler))
		default:
			fresh++
		}
		if o.JSON() {
			err = o.PrintJSON(d)
		} else {
			_, err = fmt.Fprintln(o.Out, text)
		}
		if err != nil {
			return err
		}
	}
	if alone && fresh > 0 {
		o.NoteWaiting("the events wait", cfg)
	}
	return nil
}
