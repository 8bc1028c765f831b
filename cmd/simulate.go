package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/timetable"
)

func newSimulateCmd(e *cli.Env) *cobra.Command {
	var o timetable.Options
	c := &cobra.Command{
		Use:   "simulate [FILE]",
		Short: "Print every slot of the schedules between two times",
		Long: `Prints every slot of the wiring file's schedules from one time, inclusive, to another, exclusive, with what becomes of it: as if
evrun ran all the time, and saw each schedule first at the beginning. It works on the file as it is, and needs no daemon.

--down FROM/TO is a time in which evrun does not run (stopped, the machine suspended): its slots are published late or left out, as the
missed and grace of each schedule say. Changes of the clock are remarked on.

Times are written 2026-03-29T02:30, 2026-03-29 (its midnight), with an offset (2026-03-29T02:30:00Z) or without: then they are in
--tz, or else in the machine's zone. --tz is also the zone that all slots are printed in; without it each schedule's own is.

-o csv prints slot, published, schedule, type, number and remarks; -o json one object a line.`,
		Example: `  evrun simulate --from 2026-03-28 --to 2026-03-30 --tz Europe/Paris
  evrun simulate --schedule nightly --from 2027-01-01 --to 2028-01-01 -o csv
  evrun simulate --from 2026-12-24 --to 2026-12-27 --down 2026-12-24T20:00/2026-12-26T08:00`,
		Args:              e.FileArg,
		ValidArgsFunction: cli.CompleteFile,
		Annotations:       map[string]string{cli.PrintsCSV: ""},
		RunE:              func(c *cobra.Command, _ []string) error { return timetable.Print(c.Context(), e, o) },
	}
	f := c.Flags()
	f.StringVar(&o.From, "from", "", "the beginning (default: now)")
	f.StringVar(&o.To, "to", "", "the end (default: a day after the beginning)")
	f.StringSliceVar(&o.Schedules, "schedule", nil, "only this schedule (may be repeated)")
	f.StringArrayVar(&o.Down, "down", nil, "FROM/TO: evrun does not run meanwhile (may be repeated)")
	cli.ZoneFlag(c, &o.Zone)
	_ = c.RegisterFlagCompletionFunc("schedule", e.CompleteSchedules) // an error means that the flag does not exist
	return c
}
