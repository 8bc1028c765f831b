// Package timetable is the work of the commands that deal in slots of schedules: it prints those between two times (evrun simulate), and
// publishes past ones (evrun schedules fire --from).
package timetable

import (
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/tasks/schedule"
)

// Options are the slots to print, as flags give them.
type Options struct {
	From, To  string   // "": from now, for a day
	Zone      string   // of the times, and in which slots are printed; "": the machine's, and each schedule's own
	Schedules []string // none: all
	Down      []string // FROM/TO: evrun does not run meanwhile
}

// Print prints every slot of the schedules, with what becomes of it.
func Print(ctx context.Context, e *cli.Env, o Options) error {
	zone, err := cli.LoadZone(o.Zone)
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
	cfg, err := e.Load()
	if err != nil {
		return err
	}
	entries, err := cli.Named("schedule", cfg.Wiring.Schedules, func(s *schedule.Entry) string { return s.Name }, o.Schedules)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		e.Note("no schedule is wired")
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
	if e.Output != "csv" {
		_, err := output.Pages(e.Printer(), simulatedColumns(), "", 0, readPage)
		return err
	}
	w := csv.NewWriter(e.Out)
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

// span reads the flags' times.
func (o Options) span(zone *time.Location) (during schedule.Span, down []schedule.Span, err error) {
	now := time.Now()
	during.From = now.Truncate(time.Second)
	if o.From != "" {
		if during.From, err = cli.ParseTime("--from", o.From, zone, now); err != nil {
			return during, nil, err
		}
	}
	during.To = during.From.AddDate(0, 0, 1)
	if o.To != "" {
		if during.To, err = cli.ParseTime("--to", o.To, zone, now); err != nil {
			return during, nil, err
		}
	}
	if !during.From.Before(during.To) {
		return during, nil, cli.Usage("--to %s is not after --from %s", during.To.Format(time.RFC3339), during.From.Format(time.RFC3339))
	}
	for _, text := range o.Down {
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
