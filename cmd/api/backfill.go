package api

import (
	"context"
	"net/http"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/schedule"
)

const (
	backfillPage  = 500 // slots in one transaction
	backfillFirst = 5   // that an answer shows
)

// backfillSchedule publishes a page of a schedule's past slots, or only counts them.
func (s *Server) backfillSchedule(r *http.Request, ask Backfill, _ none) (done Backfilled, err error) {
	if ask.From.IsZero() {
		return done, problem(http.StatusBadRequest, "from: the time of the first slot is missing")
	}
	if _, err := s.publishing(r); err != nil {
		return done, err
	}
	st, err := s.o.Schedules.State(r.Context(), r.PathValue("name"))
	if err != nil {
		return done, s.aboutSchedule(r, err)
	}
	now := time.Now()
	during := schedule.Span{From: ask.From, To: now}
	if ask.To != nil {
		during.To = *ask.To
	}
	if !during.From.Before(during.To) {
		return done, problem(http.StatusBadRequest, "to is not after from: only slots that have passed can be published again")
	}
	zone := st.Timing.Location()
	b := st.Backfill(during, now)
	done = Backfilled{Schedule: st.Name, From: during.From.In(zone), To: b.To().In(zone), Count: b.Count(), First: []time.Time{}, Recorded: ask.Recorded}
	for _, slot := range b.First(backfillFirst) {
		done.First = append(done.First, slot.In(zone))
	}
	if !ask.DryRun && done.Count > 0 {
		if err := s.fireSlots(r, b, ask, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

// fireSlots publishes the next page of a backfill. The first page that publishes something is recorded in the audit trail.
func (s *Server) fireSlots(r *http.Request, b schedule.Backfill, ask Backfill, done *Backfilled) error {
	var after time.Time
	if ask.After != nil {
		after = *ask.After
	}
	page := b.Page(s.o.Emitter, after, backfillPage)
	if err := s.withoutFormer(r.Context(), b, &page, done); err != nil {
		return err
	}
	receipts, err := s.o.Emitter.Accept(r.Context(), page.Events)
	if err != nil {
		return err
	}
	for _, rc := range receipts {
		if rc.Duplicate {
			done.Known++
		} else {
			done.Fired++
		}
	}
	if done.Done, done.Failed = page.Slots, page.Failed; page.Err != nil {
		done.Failure = page.Err.Error()
	}
	if page.More {
		done.After = &page.Last
	}
	if done.Recorded || done.Fired == 0 {
		return nil
	}
	e, err := audit.Event(r.Context(), s.o.Emitter, events.TypeAuditScheduleBackfilled, map[string]any{
		"schedule": done.Schedule, "from": done.From.UTC().Format(time.RFC3339Nano), "to": done.To.UTC().Format(time.RFC3339Nano), "count": done.Count,
	})
	if err == nil {
		_, err = s.o.Emitter.Accept(r.Context(), []*events.Event{e})
	}
	done.Recorded = err == nil
	return err
}

// withoutFormer takes the slots out of a page that were published under the schedule's former name: their events have another source.
func (s *Server) withoutFormer(ctx context.Context, b schedule.Backfill, page *schedule.BackfillPage, done *Backfilled) error {
	former := b.Former()
	if former == "" {
		return nil
	}
	var rest []*events.Event
	for _, e := range page.Events {
		was, err := s.o.Store.Events(ctx, store.EventQuery{Source: s.o.Emitter.Source(former), ID: e.ID, Limit: 1})
		if err != nil {
			return err
		}
		if len(was) == 0 {
			rest = append(rest, e)
		} else {
			done.Known++
		}
	}
	page.Events = rest
	return nil
}
