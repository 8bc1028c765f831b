// Package backfill publishes slots of schedules that have passed, a page in each transaction. No goroutines.
package backfill

import (
	"context"
	"time"

	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule"
)

// page is how many slots one transaction has.
const page = 500

// Backfill publishes slots.
type Backfill struct {
	Store   store.Store
	Emitter *emitter.Emitter
}

// Fire publishes the next page, of the slots behind after. The first page that publishes something is recorded in the audit trail.
func (f *Backfill) Fire(ctx context.Context, b schedule.Backfill, behind *time.Time, done *shape.Backfilled) error {
	var after time.Time
	if behind != nil {
		after = *behind
	}
	slots := b.Page(f.Emitter, after, page)
	if err := f.withoutFormer(ctx, b, &slots, done); err != nil {
		return err
	}
	receipts, err := f.Emitter.Accept(ctx, slots.Events)
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
	if done.Done, done.Failed = slots.Slots, slots.Failed; slots.Err != nil {
		done.Failure = slots.Err.Error()
	}
	if slots.More {
		done.After = &slots.Last
	}
	if done.Recorded || done.Fired == 0 {
		return nil
	}
	e, err := audit.Event(ctx, f.Emitter, events.TypeAuditScheduleBackfilled, map[string]any{
		"schedule": done.Schedule, "from": done.From.UTC().Format(time.RFC3339Nano), "to": done.To.UTC().Format(time.RFC3339Nano), "count": done.Count,
	})
	if err == nil {
		_, err = f.Emitter.Accept(ctx, []*events.Event{e})
	}
	done.Recorded = err == nil
	return err
}

// withoutFormer takes the slots out of a page that were published under the schedule's former name: their events have another source.
func (f *Backfill) withoutFormer(ctx context.Context, b schedule.Backfill, page *schedule.BackfillPage, done *shape.Backfilled) error {
	former := b.Former()
	if former == "" {
		return nil
	}
	var rest []*events.Event
	for _, e := range page.Events {
		was, err := f.Store.Events(ctx, store.EventQuery{Source: f.Emitter.Source(former), ID: e.ID, Limit: 1})
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
