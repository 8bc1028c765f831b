package cmd

import (
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/tasks/schedule"
)

type simulateOptions struct {
	*cli.Env
	from, to  string
	tz        string
	schedules []string
	down      []string
}

func newSimulateCmd(e *cli.Env) *cobra.Command {
	o := &simulateOptions{Env: e}
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
		RunE:              func(c *cobra.Command, _ []string) error { return runSimulate(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "the beginning (default: now)")
	f.StringVar(&o.to, "to", "", "the end (default: a day after the beginning)")
	f.StringSliceVar(&o.schedules, "schedule", nil, "only this schedule (may be repeated)")
	f.StringArrayVar(&o.down, "down", nil, "FROM/TO: evrun does not run meanwhile (may be repeated)")
	cli.ZoneFlag(c, &o.tz)
	_ = c.RegisterFlagCompletionFunc("schedule", e.CompleteSchedules) // an error means that the flag does not exist
	return c
}

// span reads the flags' times.
func (o *simulateOptions) span(zone *time.Location) (during schedule.Span, down []schedule.Span, err error) {
	now := time.Now()
	during.From = now.Truncate(time.Second)
	if o.from != "" {
		if during.From, err = cli.ParseTime("--from", o.from, zone, now); err != nil {
			return during, nil, err
		}
	}
	during.To = during.From.AddDate(0, 0, 1)
	if o.to != "" {
		if during.To, err = cli.ParseTime("--to", o.to, zone, now); err != nil {
			return during, nil, err
		}
	}
	if !during.From.Before(during.To) {
		return during, nil, cli.Usage("--to %s is not after --from %s", during.To.Format(time.RFC3339), during.From.Format(time.RFC3339))
	}
	for _, text := range o.down {
		from, to, ok := strings.Cut(text, "/")
		if !ok {
			return during, nil, cli.Usage("--down %q: write FROM/TO, such as 2026-12-24T20:00/2026-12-26T08:00", text)
		}
		var d schedule.Span
		if d.From, err = cli.ParseTime("--down", from, zone, now); err != nil {
			return during, nil, err
		}
		if d.To, err = cli.ParseTime("--down", to, zone, now); err != nil {
			return during, nil, err
		}
		if !d.From.Before(d.To) {
			return during, nil, cli.Usage("--down %q: its end is not after its beginning", text)
		}
		down = append(down, d)
	}
	slices.SortFunc(down, func(a, b schedule.Span) int { return a.From.Compare(b.From) })
	for i := 1; i < len(down); i++ {
		if !down[i-1].To.Before(down[i].From) {
			return during, nil, cli.Usage("--down: the times overlap")
		}
	}
	return during, down, nil
}

func runSimulate(ctx context.Context, o *simulateOptions) error {
	zone, err := cli.LoadZone(o.tz)
	if err != nil {
		return err
	}
	read := zone
	if read == nil {
		read = time.Local
	}
	during, down, err := o.span(read)
	if err != nil {
		return err
	}
	cfg, err := o.Load()
	if err != nil {
		return err
	}
	entries, err := cli.Named(cfg.Wiring.Schedules, func(s *schedule.Entry) string { return s.Name }, o.schedules)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		o.Note("no schedule is wired")
	}
	next, stop := iter.Pull(schedule.Simulate(entries, during, down))
	defer stop()
	readPage := func(_ string, n int) (page []simulatedSlot, more string, err error) {
		for range n {
			s, ok := next()
			if !ok {
				return page, "", nil
			}
			page = append(page, shapeSlot(s, zone))
		}
		return page, "more", ctx.Err()
	}
	if o.Output != "csv" {
		_, err := output.Pages(o.Printer(), simulatedColumns(), "", 0, readPage)
		return err
	}
	w := csv.NewWriter(o.Out)
	err = w.Write([]string{"slot", "published", "schedule", "type", "number", "remarks"})
	for err == nil {
		var page []simulatedSlot
		if page, _, err = readPage("", output.Page); err != nil || len(page) == 0 {
			break
		}
		for _, s := range page {
			err = errors.Join(err, w.Write([]string{s.Slot, s.Published, s.Schedule, s.Emit, strconv.FormatInt(s.Number, 10), s.Remarks}))
		}
	}
	w.Flush()
	return errors.Join(err, w.Error())
}

// simulatedSlot is a slot of a simulation.
type simulatedSlot struct {
	Slot      string `json:"slot"`
	Published string `json:"published,omitempty"` // empty: it is left out
	Schedule  string `json:"schedule"`
	Emit      string `json:"emit"`
	Number    int64  `json:"number"`
	Missed    bool   `json:"missed,omitempty"`
	Paused    bool   `json:"paused,omitempty"`
	Remarks   string `json:"remarks,omitempty"`
}

// shapeSlot shapes a slot with times in zone; nil: in the schedule's zone.
func shapeSlot(s schedule.Simulated, zone *time.Location) simulatedSlot {
	if zone == nil {
		zone = s.Entry.Timing.Location()
	}
	shape := simulatedSlot{Slot: s.Slot.In(zone).Format(time.RFC3339Nano), Schedule: s.Entry.Name, Emit: s.Entry.Type, Number: s.Number,
		Missed: s.Missed, Paused: s.Paused, Remarks: s.Remarks()}
	if !s.At.IsZero() {
		shape.Published = s.At.In(zone).Format(time.RFC3339Nano)
	}
	return shape
}

func simulatedColumns() []output.Column[simulatedSlot] {
	return []output.Column[simulatedSlot]{
		{Title: "SLOT", Text: func(s simulatedSlot) any { return s.Slot }},
		{Title: "SCHEDULE", Text: func(s simulatedSlot) any { return s.Schedule }},
		{Title: "EMITS", Text: func(s simulatedSlot) any { return s.Emit }},
		{Text: func(s simulatedSlot) any {
			switch {
			case s.Published == "" || s.Published == s.Slot:
				return s.Remarks
			case s.Missed:
				return strings.Replace(s.Remarks, "published late", "published "+s.Published, 1)
			}
			return strings.TrimPrefix(s.Remarks+"; published "+s.Published, "; ")
		}},
	}
}
