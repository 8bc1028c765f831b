package cmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
)

func newSchedulesCmd(e *cli.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "schedules",
		Short: "Show the schedules and their next slots; fire, pause or resume one",
		Long: `Shows the schedules and their next slots, as the daemon has them, or the wiring file where none runs; and fires, pauses and
resumes them. "evrun simulate" prints all slots between two times.`,
	}
	var labels []string
	list := &cobra.Command{
		Use:   "list [NAME...]",
		Short: "List the schedules, with the next slot of each",
		Example: `  evrun schedules list
  evrun schedules list --label team=billing`,
		ValidArgsFunction: e.CompleteSchedules,
		RunE:              func(c *cobra.Command, names []string) error { return runSchedulesList(c.Context(), e, names, labels) },
	}
	e.LabelFlag(list, &labels, "only schedules with this label")
	show := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one schedule, with its next slots",
		Example:           "  evrun schedules show nightly",
		Args:              cli.NamesOf("schedule", 1),
		ValidArgsFunction: e.CompleteSchedules,
		RunE:              func(c *cobra.Command, args []string) error { return runSchedulesShow(c.Context(), e, args[0]) },
	}
	return cli.Group(c, list, show, newSchedulesNextCmd(e), newSchedulesFireCmd(e), newSchedulesPauseCmd(e, true), newSchedulesPauseCmd(e, false))
}

func runSchedulesList(ctx context.Context, e *cli.Env, names, labels []string) error {
	all, err := e.Schedules(ctx, 0)
	if err != nil {
		return err
	}
	all, none, err := cli.Wired("schedule", all, func(s api.Schedule) string { return s.Name }, names, labels)
	if err != nil {
		return err
	}
	return cli.List(e, output.WithLabels(output.Schedules(), all), all, none)
}

func runSchedulesShow(ctx context.Context, e *cli.Env, name string) error {
	s, err := cli.Asked(ctx, e, cli.ReadsWiring, func(c *client.Client) (api.Schedule, error) { return c.Schedule(ctx, name, 5) })
	if err != nil {
		return err
	}
	return e.Printer().Schedule(s)
}

func newSchedulesNextCmd(e *cli.Env) *cobra.Command {
	n, tz := 5, ""
	c := &cobra.Command{
		Use:   "next [NAME...]",
		Short: "Print the next slots, of all schedules or of some",
		Example: `  evrun schedules next
  evrun schedules next nightly -n 3 --tz Asia/Tokyo`,
		ValidArgsFunction: e.CompleteSchedules,
		RunE: func(c *cobra.Command, names []string) error {
			if n < 1 || n > api.MaxUpcoming {
				return cli.Usage("-n %d: 1 to %d", n, api.MaxUpcoming)
			}
			return runSchedulesNext(c.Context(), e, names, n, tz)
		},
	}
	c.Flags().IntVarP(&n, "limit", "n", n, "so many slots, of all schedules together")
	cli.RenamedFlag(c, "number", "limit")
	cli.ZoneFlag(c, &tz)
	return c
}

func runSchedulesNext(ctx context.Context, e *cli.Env, names []string, n int, tz string) error {
	zone, err := cli.LoadZone(tz)
	if err != nil {
		return err
	}
	all, err := e.Schedules(ctx, n)
	if err != nil {
		return err
	}
	if all, err = cli.Named("schedule", all, func(s api.Schedule) string { return s.Name }, names); err != nil {
		return err
	}
	var slots []output.Slot
	for _, s := range all {
		for _, slot := range s.Upcoming {
			if zone != nil {
				slot.Slot, slot.Fire = slot.Slot.In(zone), slot.Fire.In(zone)
			}
			slots = append(slots, output.Slot{Schedule: s.Name, Emit: s.Emit, Slot: slot, Paused: s.Paused})
		}
	}
	slices.SortStableFunc(slots, func(a, b output.Slot) int { return a.Slot.Slot.Compare(b.Slot.Slot) })
	p := e.Printer()
	p.Zone = zone
	return output.List(p, p.Slots(), slots[:min(n, len(slots))])
}

func newSchedulesPauseCmd(e *cli.Env, paused bool) *cobra.Command {
	c := &cobra.Command{
		Use:     "pause NAME...",
		Short:   "Keep schedules from publishing until they are resumed",
		Example: "  evrun schedules pause nightly",
		Long: `Keeps schedules from publishing until "evrun schedules resume", also over restarts. What passes meanwhile is treated as the
schedule's missed says, when it is resumed.`,
	}
	if !paused {
		c = &cobra.Command{
			Use:     "resume NAME...",
			Short:   "Let paused schedules publish again",
			Example: "  evrun schedules resume nightly",
			Long: `Lets paused schedules publish again. What has passed meanwhile is treated as the schedule's missed says. A schedule that the
wiring file pauses (paused: true) is resumed there.`,
		}
	}
	c.Args = cli.NamesOf("schedule", 0)
	c.ValidArgsFunction = e.CompleteSchedules
	c.RunE = func(c *cobra.Command, names []string) error { return runSchedulesPause(c.Context(), e, names, paused) }
	return c
}

func runSchedulesPause(ctx context.Context, e *cli.Env, names []string, paused bool) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	return e.Each("schedules", names, func(name string) error {
		var done api.Paused
		_, err := e.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) (err error) {
			done, err = c.SetPaused(ctx, name, paused)
			return err
		})
		switch {
		case err != nil:
			return err
		case e.JSON():
			return e.PrintJSON(done)
		}
		word := "resumed"
		switch {
		case paused && done.Changed:
			word = "paused"
		case paused:
			word = "is paused already"
		case !done.Changed:
			word = "is not paused"
		}
		_, err = fmt.Fprintf(e.Out, "%s %s\n", name, word)
		return err
	})
}
