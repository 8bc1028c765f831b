package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/events"
	"evrun/tasks/fault"
)

type fireOptions struct {
	*cli.Env
	wait        time.Duration
	from, to    string
	dryRun, yes bool
}

func newSchedulesFireCmd(e *cli.Env) *cobra.Command {
	o := &fireOptions{Env: e}
	c := &cobra.Command{
		Use:   "fire NAME",
		Short: "Publish an extra event of a schedule now, or its past slots",
		Long: `Publishes an extra event of a schedule now, paused or not. It is not a slot: it has an id of its own and the attribute manual=true,
its slot.time is now, and the next slot comes as before. Without a daemon the event waits in the store for "evrun serve".

With --wait it follows every run and every event that this one causes, as "evrun emit --wait" does, with the same exit codes.

With --from it publishes the slots that have passed since then, up to --to (exclusive; now, if it is not given): a backfill. The event of a slot is
the one that the slot always has, with its own time and data, and the attribute backfill=true. Slots that were published before are left out, and
counted, so a slot fires once, however often this is repeated. Whether a slot was missed, and the schedule's overlap, play no part, and the schedule
may be paused. The number of slots and the first five are shown before it asks; --yes doesn't ask, and --dry-run only shows. It publishes 500 slots at a
time, so that other events get their turn. slot.number is 0 for slots from before the schedule was first seen.`,
		Example: `  evrun schedules fire nightly --wait=5m
  evrun schedules fire nightly --from 2026-11-24 --to 2026-11-26 --dry-run
  evrun schedules fire report --from 7d --yes`,
		Args:              cli.NamesOf("schedule", 1),
		ValidArgsFunction: e.CompleteSchedules,
		RunE: func(c *cobra.Command, args []string) error {
			given := c.Flags().Changed
			switch {
			case given("from") && given("wait"):
				return cli.Usage("--wait follows one event, and --from publishes many")
			case given("from"):
				return runSchedulesBackfill(c.Context(), o, args[0])
			case given("to"), o.dryRun, o.yes:
				return cli.Usage("--to, --dry-run and --yes go with --from, which publishes past slots")
			}
			if err := cli.CheckWait(c, o.wait); err != nil {
				return err
			}
			return runSchedulesFire(c.Context(), e, args[0], o.wait)
		},
	}
	cli.WaitFlag(c, &o.wait)
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "publish the slots since then: 2026-11-24, 2026-11-24T10:00, 2d (ago), yesterday")
	f.StringVar(&o.to, "to", "", "with --from: the slots before then (default: now)")
	f.BoolVar(&o.dryRun, "dry-run", false, "with --from: only show which slots")
	f.BoolVar(&o.yes, "yes", false, "with --from: don't ask")
	return c
}

func runSchedulesFire(ctx context.Context, e *cli.Env, name string, wait time.Duration) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	if wait > 0 {
		c, err := e.Client(cfg)
		if err != nil {
			return err
		}
		return e.Followed(ctx, wait, "the event of schedule "+name, func(accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error) {
			return c.FireWait(ctx, name, wait, accepted, each)
		})
	}
	var rc api.Receipt
	alone, err := e.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) (err error) {
		rc, err = c.Fire(ctx, name)
		return err
	})
	if err != nil {
		return err
	}
	if e.JSON() {
		err = e.PrintJSON(map[string]any{"receipt": rc})
	} else {
		_, err = fmt.Fprintf(e.Out, "%s accepted as #%d\n", rc.ID, rc.Sequence)
	}
	if alone {
		e.NoteWaiting("the event waits", cfg)
	}
	return err
}

// backfilled is the result of a backfill.
type backfilled struct {
	Schedule string      `json:"schedule"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`
	Count    int64       `json:"count"`
	First    []time.Time `json:"first"`
	Fired    int         `json:"fired"`
	Known    int         `json:"known"` // published before
	Failed   int         `json:"failed"`
	Failure  string      `json:"failure,omitempty"`
}

// runSchedulesBackfill publishes past slots of a schedule.
func runSchedulesBackfill(ctx context.Context, o *fireOptions, name string) error {
	now := time.Now()
	from, err := cli.ParseTime("--from", o.from, time.Local, now)
	if err != nil {
		return err
	}
	request := api.Backfill{From: from}
	if o.to != "" {
		to, err := cli.ParseTime("--to", o.to, time.Local, now)
		if err != nil {
			return err
		}
		if !from.Before(to) {
			return cli.Usage("--to %s is not after --from %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
		}
		request.To = &to
	}
	if !from.Before(now) {
		return cli.Usage("--from %s lies ahead: only slots that have passed are published again; the others come by themselves", from.Format(time.RFC3339))
	}
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	var done backfilled
	alone, err := o.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) error { return o.backfill(ctx, c, name, request, &done) })
	if err != nil {
		if done.Fired+done.Known > 0 {
			o.Note("%d of %d slots published, and %d that were published before; the same command goes on", done.Fired, done.Count, done.Known)
		}
		return err
	}
	if o.JSON() {
		if err := o.PrintJSON(done); err != nil {
			return err
		}
	} else if !o.dryRun && done.Count > 0 {
		text := fmt.Sprintf("%s published", fault.Plural(done.Fired, "slot"))
		if done.Known > 0 {
			text += fmt.Sprintf(", %d published before", done.Known)
		}
		if _, err := fmt.Fprintln(o.Out, text); err != nil {
			return err
		}
	}
	if alone && done.Fired > 0 {
		o.NoteWaiting("the events wait", cfg)
	}
	if done.Failed > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: fmt.Errorf("%s can't be published: %s", fault.Plural(done.Failed, "slot"), done.Failure)}
	}
	return nil
}

// backfill shows the slots, asks, and publishes page after page.
func (o *fireOptions) backfill(ctx context.Context, c *client.Client, name string, request api.Backfill, done *backfilled) error {
	request.DryRun = true
	page, err := c.Backfill(ctx, name, request)
	if err != nil {
		return err
	}
	*done = backfilled{Schedule: page.Schedule, From: page.From, To: page.To, Count: page.Count, First: page.First}
	to := o.Err
	if o.dryRun {
		to = o.Out
	}
	if !o.JSON() && (o.dryRun || !o.Quiet || !o.yes) {
		if _, err := fmt.Fprint(to, o.slots(page)); err != nil {
			return err
		}
	}
	if o.dryRun || page.Count == 0 {
		return nil
	}
	if !o.yes {
		if err := o.Confirm(ctx, "Publish those that were not published before?", "it publishes "+fault.Plural(int(page.Count), "slot"), "nothing was published"); err != nil {
			return err
		}
	}
	request.DryRun, request.To = false, &page.To
	p := o.Progress()
	defer p.Clear()
	for total := 0; ; {
		if page, err = c.Backfill(ctx, name, request); err != nil {
			return err
		}
		total += page.Done
		done.Fired, done.Known, done.Failed = done.Fired+page.Fired, done.Known+page.Known, done.Failed+page.Failed
		if done.Failure == "" {
			done.Failure = page.Failure
		}
		if page.After == nil {
			return nil
		}
		request.After, request.Recorded = page.After, page.Recorded
		p.Say("%d of %d slots", total, done.Count)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// slots describes the slots of a backfill.
func (o *fireOptions) slots(page api.Backfilled) string {
	p := o.Printer()
	if p.Zone = page.From.Location(); page.Count == 0 {
		return fmt.Sprintf("%s has no slot from %s to %s\n", page.Schedule, p.Slot(page.From), p.Slot(page.To))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s from %s to %s\n", fault.Plural(int(page.Count), "slot"), events.EscapeControl(page.Schedule), p.Slot(page.From), p.Slot(page.To))
	for _, slot := range page.First {
		fmt.Fprintf(&b, "  %s\n", p.Slot(slot))
	}
	if more := page.Count - int64(len(page.First)); more > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", more)
	}
	return b.String()
}
