package schedule

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// Missed says what becomes of slots that passed while nobody was there to publish them: evrun was stopped, the machine was
// suspended, or its clock was set forward.
type Missed string

// The ways to treat missed slots.
const (
	MissedLast Missed = "last" // publish the last of them; the default
	MissedSkip Missed = "skip" // publish none
	MissedAll  Missed = "all"  // publish each, the newest MaxMissed of them
)

// MaxMissed is how many missed slots are published at most.
const MaxMissed = 1000

// DefaultGrace is how late a slot may be published and still count as on time.
const DefaultGrace = time.Minute

// maxSleep is how long the scheduler trusts a timer: those stand still while the machine sleeps, and know nothing of a
// clock that is set.
const maxSleep = 5 * time.Second

// maxBatch is how many slots go into one transaction.
const maxBatch = 500

// Entry is a wired schedule: its timing, and the event that it publishes.
type Entry struct {
	Name    string
	Timing  *Schedule
	Missed  Missed               // "": MissedLast
	Type    string               // of the event
	Subject *expression.Template // nil: none
	Data    *expression.Value    // nil: none
}

// Options are what a Scheduler is made of; all are required.
type Options struct {
	Store   store.Schedules
	Emitter *tasks.Emitter
	Entries []*Entry
	Log     *slog.Logger
}

// Scheduler publishes an event at each slot of each schedule, once. How far each schedule has come is in the store, moved
// in the transaction that accepts the event; a slot's event is named after the schedule and the slot, so that not even two
// daemons could publish it twice.
type Scheduler struct {
	o        Options
	now      func() time.Time
	maxSleep time.Duration
	queue    queue
}

// timer is a schedule in the queue.
type timer struct {
	*Entry
	timing *Schedule // counted from when it was first seen
	mark   store.ScheduleMark
	slot   time.Time // the next one
	fire   time.Time // when it is to be published
}

// NewScheduler makes a scheduler; Run starts it.
func NewScheduler(o Options) *Scheduler {
	return &Scheduler{o: o, now: time.Now, maxSleep: maxSleep}
}

// Run publishes slots until ctx ends, and returns nil then. What passed before it started is treated as each schedule's
// Missed says.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	a, err := newAlarm()
	if err != nil {
		return fmt.Errorf("alarm: %w", err)
	}
	defer func() {
		if err := a.close(); err != nil {
			s.o.Log.Warn("the alarm did not stop", "error", err)
		}
	}()
	for {
		wake := s.maxSleep
		switch err := s.publishDue(ctx); {
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return nil
		case errors.Is(err, store.ErrBroken):
			return err
		case err != nil:
			s.o.Log.Warn("slots can't be published now; trying again", "error", err)
			wake = time.Second
		}
		at := s.now().Add(wake)
		if err == nil && len(s.queue) > 0 && s.queue[0].fire.Before(at) {
			at = s.queue[0].fire
		}
		if err := a.set(at); err != nil {
			return fmt.Errorf("alarm: %w", err)
		}
		select {
		case <-a.ring:
		case <-ctx.Done():
			return nil
		}
	}
}

// load takes up each schedule where its mark is. One that is new begins now.
func (s *Scheduler) load(ctx context.Context) error {
	marks, err := s.o.Store.ScheduleMarks(ctx)
	if err != nil {
		return err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	var fresh []store.ScheduleMark
	for _, e := range s.o.Entries {
		mark, ok := marks[e.Name]
		if !ok {
			mark = store.ScheduleMark{Name: e.Name, Since: now, Slot: now}
			fresh = append(fresh, mark)
		}
		t := &timer{Entry: e, timing: e.Timing.CountedFrom(mark.Since), mark: mark}
		if mark.Slot.After(now.Add(DefaultGrace)) {
			s.o.Log.Warn("the clock is behind a schedule's last slot: it goes on once the clock has passed it", "schedule", e.Name, "slot", mark.Slot)
		}
		s.push(t)
	}
	if len(fresh) == 0 {
		return nil
	}
	_, err = s.o.Store.FireSlots(ctx, fresh, nil)
	return err
}

// push queues a schedule for its next slot, if there is one.
func (s *Scheduler) push(t *timer) {
	slot, ok := t.timing.Next(t.mark.Slot)
	if !ok {
		return
	}
	t.slot, t.fire = slot, t.timing.Fire(slot)
	heap.Push(&s.queue, t)
}

// publishDue accepts the events of all slots that are due, a batch at a time. After an error the queue is as before, but
// for the batches that were accepted.
func (s *Scheduler) publishDue(ctx context.Context) error {
	for {
		now := s.now().UTC().Truncate(time.Microsecond)
		var due []*timer
		var marks []store.ScheduleMark
		var evs []*events.Event
		for len(s.queue) > 0 && !s.queue[0].fire.After(now) && len(evs) < maxBatch {
			t := heap.Pop(&s.queue).(*timer)
			due = append(due, t)
			mark, slots := s.due(t, now)
			marks = append(marks, mark)
			evs = append(evs, slots...)
		}
		if len(due) == 0 {
			return nil
		}
		_, err := s.o.Store.FireSlots(ctx, marks, evs)
		for i, t := range due {
			if err == nil {
				t.mark = marks[i]
			}
			s.push(t)
		}
		if err != nil {
			return err
		}
	}
}

// due returns the events of a schedule whose time has come, and its mark once they are accepted.
func (s *Scheduler) due(t *timer, now time.Time) (store.ScheduleMark, []*events.Event) {
	// A slot is due at its Fire time, which lies after it by less than the jitter.
	mark := t.mark
	late := now.Add(-DefaultGrace) // slots up to here are missed, those after it are on time
	lastMissed, missed := t.timing.Last(mark.Slot, late)
	var slots []time.Time
	if missed {
		count := t.timing.Count(mark.Slot, late)
		keep := int64(0)
		switch t.Missed {
		case MissedAll:
			keep = min(count, MaxMissed)
		case MissedSkip:
		default:
			keep = 1
		}
		from := mark.Slot
		if skipped := count - keep; skipped > 0 {
			if from, _ = t.timing.Nth(mark.Slot, skipped); keep == 0 {
				from = lastMissed
			}
			s.o.Log.Warn("slots were missed and are left out", "schedule", t.Name, "slots", skipped, "last", from)
		}
		slots, _ = t.timing.Between(from, lastMissed, MaxMissed)
		mark.Slot = lastMissed
	}
	for slot, ok := t.timing.Next(mark.Slot); ok && !t.timing.Fire(slot).After(now); slot, ok = t.timing.Next(slot) {
		slots = append(slots, slot)
		mark.Slot = slot
	}
	var evs []*events.Event
	for _, slot := range slots {
		e, err := s.event(t, slot)
		if err != nil {
			s.o.Log.Error("a slot's event can't be made", "schedule", t.Name, "slot", slot, "error", err)
			continue
		}
		evs = append(evs, e)
	}
	return mark, evs
}

// event makes a slot's event.
func (s *Scheduler) event(t *timer, slot time.Time) (*events.Event, error) {
	e, err := t.Event(t.timing, slot)
	if err != nil {
		return nil, err
	}
	return e, s.o.Emitter.Check(e)
}

// Event makes the event of a slot, which timing, the entry's own or one counted from somewhere, numbers.
func (e *Entry) Event(timing *Schedule, slot time.Time) (*events.Event, error) {
	number, _ := timing.Number(slot)
	env := expression.NewSlotEnv(expression.Slot{Time: slot.In(timing.Location()), Number: number})
	ev := &events.Event{ID: slot.UTC().Format(time.RFC3339Nano), Source: "/schedules/" + e.Name, Type: e.Type, Time: slot.UTC()}
	var err error
	if e.Subject != nil {
		if ev.Subject, err = e.Subject.Text(env); err != nil {
			return nil, fmt.Errorf("subject: %w", err)
		}
	}
	if e.Data != nil {
		v, err := e.Data.Eval(env)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		if ev.Data, err = tasks.MarshalData(v); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	return ev, nil
}

// queue orders schedules by when they fire next.
type queue []*timer

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].fire.Before(q[j].fire) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*timer)) }
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}
