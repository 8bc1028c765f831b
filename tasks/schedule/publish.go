package schedule

import (
	"container/heap"
	"context"
	"time"

	"evrun/events"
	"evrun/store"
)

// due is a schedule with due slots, and what happens to them.
type due struct {
	t      *timer
	mark   store.ScheduleMark
	fired  time.Time   // the last slot that is published; zero: none
	onTime []time.Time // slots that were published on time
}

// publishDue accepts the events of all slots that are due, a batch at a time. After an error the queue is as before, but
// for the batches that were accepted.
func (s *Scheduler) publishDue(ctx context.Context) error {
	for {
		now := s.now().UTC()
		var batch []due
		var marks []store.ScheduleMark
		var evs []*events.Event
		for len(s.queue) > 0 && !s.queue[0].fire.After(now) && len(evs) < maxBatch {
			t := heap.Pop(&s.queue).(*timer)
			d, slots := s.due(t, now)
			batch = append(batch, d)
			marks = append(marks, d.mark)
			evs = append(evs, slots...)
		}
		if len(batch) == 0 {
			return nil
		}
		receipts, err := s.o.Store.FireSlots(ctx, marks, evs)
		accepted := s.now()
		for i, rc := range receipts {
			if rc.Duplicate {
				s.o.Log.Warn("an event of a schedule is in the journal already, and is not published again: its slot was backfilled, or its mark was lost", "source", evs[i].Source, "id", evs[i].ID, "seq", rc.Sequence)
			}
		}
		for _, d := range batch {
			if err == nil {
				d.t.mark, d.t.resumed = d.mark, false
				if !d.fired.IsZero() {
					s.look(ctx, d.t, d.fired)
				}
				for _, slot := range d.onTime {
					if s.o.Observe != nil {
						s.o.Observe(accepted.Sub(d.t.timing.Fire(slot)))
					}
				}
			}
			s.push(d.t)
		}
		if err != nil {
			return err
		}
	}
}

// due decides about the due slots of a schedule and makes their events.
func (s *Scheduler) due(t *timer, now time.Time) (d due, evs []*events.Event) {
	d = due{t: t, mark: t.mark}
	limit := maxBatch
	if s.o.Settled != nil && t.OverlapPolicy() != OverlapAllow {
		limit = 1 // the next one waits for the runs of this one
	}
	dec := t.Decide(t.timing, t.mark.Slot, now, limit)
	d.mark.Slot = dec.Mark
	reason := "missed"
	if t.resumed {
		reason = "paused"
	}
	if e := s.missed(t, reason, dec.Dropped, nil); e != nil {
		evs = append(evs, e)
	}
	for i, slot := range dec.Publish {
		one := Dropped{Count: 1, First: slot, Last: slot}
		if t.busy {
			if e := s.missed(t, "overlap", one, nil); e != nil {
				evs = append(evs, e)
			}
			continue
		}
		e, err := t.Event(t.timing, slot, d.mark.Fired)
		if err == nil {
			err = s.o.Emitter.Own(t.Part(), e)
		}
		if err != nil {
			if e := s.missed(t, "error", one, err); e != nil {
				evs = append(evs, e)
			}
			continue
		}
		evs = append(evs, e)
		d.mark.Fired, d.fired = slot, slot
		if i >= dec.Late {
			d.onTime = append(d.onTime, slot)
		}
	}
	return d, evs
}
