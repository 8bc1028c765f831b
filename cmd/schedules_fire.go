package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/timetable"
)

type fireOptions struct {
	wait time.Duration
	past timetable.Past
}

func newSchedulesFireCmd(e *cli.Env) *cobra.Command {
	o := &fireOptions{}
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
				return o.past.Publish(c.Context(), e, args[0])
			case given("to"), o.past.DryRun, o.past.Yes:
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
	f.StringVar(&o.past.From, "from", "", "publish the slots since then: 2026-11-24, 2026-11-24T10:00, 2d (ago), yesterday")
	f.StringVar(&o.past.To, "to", "", "with --from: the slots before then (default: now)")
	f.BoolVar(&o.past.DryRun, "dry-run", false, "with --from: only show which slots")
	f.BoolVar(&o.past.Yes, "yes", false, "with --from: don't ask")
	return c
}

func runSchedulesFire(ctx context.Context, e *cli.Env, name string, wait time.Duration) error {
	if wait > 0 {
		return e.Followed(ctx, cli.Publishes, wait, "the event of schedule "+name, func(c *client.Client, accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error) {
			return c.FireWait(ctx, name, wait, accepted, each)
		})
	}
	cfg, err := e.Settings()
	if err != nil {
		return err
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
