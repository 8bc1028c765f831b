// Package schedule publishes an event at each slot of each schedule, once: over restarts, steps of the clock and reloads of the
// wiring file. The package slots computes when slots are; this package decides what happens at each one.
//
//   - [Entry] is a wired schedule: its timing, its event, and what happens to slots that are missed or overlap.
//   - [Entry.Decide] says which slots are published and which are left out. It is pure: the daemon and [Simulate] share it.
//   - [Scheduler] runs the entries. The goroutine of [Scheduler.Run] owns all of its state, and other goroutines hand it
//     functions to call. Its alarm clock is gocron.
//
// How far each schedule has come is its mark in the store. The transaction that accepts a slot's event moves the mark.
package schedule

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule/slots"
)

// maxSleep is how long the scheduler trusts a timer: timers stop while the machine sleeps, and don't notice when the clock is set.
const maxSleep = 5 * time.Second

// firstLook is how long a schedule that begins waits to learn whether the runs of its last slot have ended. After that, they count
// as running.
const firstLook = 5 * time.Second

// maxBatch is how many slots go into one transaction.
const maxBatch = 500

// Options are the parts of a Scheduler. They are required unless they say otherwise.
type Options struct {
	Store   store.Schedules
	Emitter *emitter.Emitter
	Entries []*Entry
	Log     *slog.Logger
	// Settled waits until all runs that an event caused, near or far, have ended, or ctx has. Nil: [OverlapAllow] for all.
	Settled func(ctx context.Context, source, id string) error
	// Observe is called with the delay of each published slot that was not missed. May be nil.
	Observe func(late time.Duration)
	// Leases has the lead of the schedules, which one daemon has at a time. Nil: this one publishes.
	Leases store.Leases
}

// Scheduler publishes an event at each slot of each schedule, once. How far each schedule has come is in the store, moved
// in the transaction that accepts the event; a slot's event is named after the schedule and the slot, so that not even two
// daemons could publish it twice. Slots that are not published are reported by evrun.schedule.missed, in that transaction too.
//
// The goroutine of Run owns all state; the other methods hand it functions to call.
type Scheduler struct {
	o        Options
	now      func() time.Time
	maxSleep time.Duration
	calls    chan call
	settled  chan *timer // timers whose runs of the last slot have ended
	going    chan *timer // timers whose runs of the last slot were unfinished at the first look
	ended    chan struct{}

	lead    lead
	entries []*Entry
	timers  map[string]*timer
	queue   queue
}

// timer is a running schedule.
type timer struct {
	*Entry
	timing *slots.Timing // counted from when it was first seen
	mark   store.ScheduleMark
	slot   time.Time // the next one
	fire   time.Time // when to publish it
	index  int       // in the queue; -1: not queued

	busy    bool // runs of its last slot are unfinished, and overlap depends on it
	unknown bool // it is not known yet whether they are: no slot is decided until then
	watch   context.CancelFunc
	resumed bool // missed slots passed while it was paused
}

func (t *timer) paused() bool { return t.Paused || t.mark.Paused }

// NewScheduler makes a scheduler; Run starts it.
func NewScheduler(o Options) *Scheduler {
	return &Scheduler{o: o, now: time.Now, maxSleep: maxSleep, calls: make(chan call), settled: make(chan *timer), going: make(chan *timer), ended: make(chan struct{}),
		lead: lead{changed: make(chan struct{}, 1)}, entries: o.Entries, timers: map[string]*timer{}}
}

// Run publishes slots until ctx ends, and returns nil then. Slots that passed before it started are treated by the policy of each
// schedule.
func (s *Scheduler) Run(ctx context.Context) error {
	defer close(s.ended)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	err := s.hold(watching)
	if err == nil {
		err = s.load(watching)
	}
	if s.lead.lease != nil {
		defer s.lead.lease.Close()
	}
	if err != nil {
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
	defer s.passExcepted(context.WithoutCancel(ctx), 0)
	warned := ""
	for ctx.Err() == nil {
		err := s.publish(watching)
		switch {
		case err == nil:
			warned = ""
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return nil
		case errors.Is(err, store.ErrBroken):
			return err
		case err.Error() != warned: // once while it stays the same
			warned = err.Error()
			s.o.Log.Warn("slots can't be published now; trying again", "error", err)
		}
		if err := a.set(s.wakeAfter(err)); err != nil {
			return fmt.Errorf("alarm: %w", err)
		}
		s.wait(watching, a)
	}
	return nil
}

// publish publishes what is due.
func (s *Scheduler) publish(ctx context.Context) error {
	err := s.takeOver(ctx)
	if err == nil && s.now().Sub(s.lead.read) >= s.maxSleep {
		err = s.refresh(ctx)
	}
	if err != nil || !s.lead.has {
		return err
	}
	s.passExcepted(ctx, passEvery)
	return s.publishDue(ctx)
}

// wakeAfter returns how long to wait for the next slot; err is the error of the last attempt to publish.
func (s *Scheduler) wakeAfter(err error) time.Duration {
	switch {
	case err != nil:
		return time.Second
	case len(s.queue) > 0:
		return min(s.maxSleep, s.queue[0].fire.Sub(s.now()))
	}
	return s.maxSleep
}

// wait returns when the alarm has rung, something has changed, or ctx has ended.
func (s *Scheduler) wait(ctx context.Context, a *alarm) {
	select {
	case <-a.ring:
	case c := <-s.calls:
		c.done <- c.f(ctx)
	case <-s.leadC():
		s.takeLead()
	case <-s.lead.changed:
		s.lead.read = time.Time{}
	case t := <-s.settled:
		if t.busy, t.unknown = false, false; s.timers[t.Name] == t {
			s.push(t)
		}
	case t := <-s.going:
		if t.unknown && s.timers[t.Name] == t {
			t.unknown = false
			s.push(t)
		}
	case <-ctx.Done():
	}
}

// load starts each schedule at its mark. One that is new or has another timing begins now.
func (s *Scheduler) load(ctx context.Context) error {
	timers, fresh, gone, err := s.take(ctx, s.entries)
	if err != nil {
		return err
	}
	if !s.lead.has {
		fresh, gone = nil, nil
	} else if !s.alike(ctx) {
		gone = nil
	}
	if err := s.remember(ctx, fresh, gone); err != nil {
		return err
	}
	s.lead.read = s.now()
	for _, t := range timers {
		s.add(ctx, t)
	}
	return nil
}

// take makes a timer for each entry. It returns the marks that must be stored first, and the names of those to delete.
func (s *Scheduler) take(ctx context.Context, entries []*Entry) (timers []*timer, fresh []store.ScheduleMark, gone []string, err error) {
	marks, err := s.o.Store.ScheduleMarks(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	for _, e := range entries {
		mark, changed := e.takeUp(marks, now)
		delete(marks, e.Name)
		if changed {
			fresh = append(fresh, mark)
		}
		if mark.Slot.After(now.Add(e.GraceTime())) {
			s.o.Log.Warn("the clock is behind a schedule's last slot: it continues once the clock has passed it", "schedule", e.Name, "slot", mark.Slot)
		}
		timers = append(timers, &timer{Entry: e, timing: e.Timing.CountedFrom(mark.Since), mark: mark, index: -1})
	}
	for name := range marks {
		gone = append(gone, name)
	}
	return timers, fresh, gone, nil
}

// takeUp returns the mark that a schedule continues from: its own, that of its former name, or now if it is new or has another timing. changed
// reports whether the store has another.
func (e *Entry) takeUp(marks map[string]store.ScheduleMark, now time.Time) (mark store.ScheduleMark, changed bool) {
	timing, renamed := e.Timing.Fingerprint(), false
	mark, known := marks[e.Name]
	if former, ok := marks[e.Was]; ok && !known && e.Was != "" {
		mark, known = former, true
		mark.Name, renamed = e.Name, true
	}
	switch {
	case !known:
		mark = store.ScheduleMark{Name: e.Name, Since: now, Slot: now}
	case mark.Timing != timing && mark.Timing != "":
		mark.Since, mark.Slot = now, now
	}
	changed = !known || renamed || mark.Timing != timing
	mark.Timing = timing
	return mark, changed
}

// remember stores marks, and deletes others.
func (s *Scheduler) remember(ctx context.Context, fresh []store.ScheduleMark, gone []string) error {
	if len(fresh)+len(gone) == 0 {
		return nil
	}
	return s.o.Store.SaveMarks(ctx, fresh, gone)
}

// add starts a timer.
func (s *Scheduler) add(ctx context.Context, t *timer) {
	s.timers[t.Name] = t
	if !t.mark.Fired.IsZero() && s.lead.has {
		s.look(ctx, t, t.mark.Fired)
		if t.unknown = t.busy; t.unknown {
			s.lookFirst(ctx, t)
		}
	}
	s.push(t)
}

// lookFirst limits the time in which the state of t's last slot is unknown.
func (s *Scheduler) lookFirst(ctx context.Context, t *timer) {
	go func() {
		patience := time.NewTimer(firstLook)
		defer patience.Stop()
		select {
		case <-patience.C:
		case <-ctx.Done():
			return
		}
		select {
		case s.going <- t:
		case <-ctx.Done():
		}
	}()
}

// look starts a goroutine that waits for the end of a slot's runs, if overlap depends on it.
func (s *Scheduler) look(ctx context.Context, t *timer, slot time.Time) {
	if s.o.Settled == nil || t.OverlapPolicy() == OverlapAllow {
		return
	}
	if t.watch != nil {
		t.watch()
	}
	ctx, t.watch = context.WithCancel(ctx)
	t.busy = true
	go func() {
		for _, part := range t.Parts() {
			if err := s.o.Settled(ctx, s.o.Emitter.Source(part), SlotID(slot)); err != nil && ctx.Err() == nil {
				s.o.Log.Warn("it can't be seen whether a slot's runs have ended: the next one does not wait", "schedule", t.Name, "error", err)
			}
		}
		select {
		case s.settled <- t:
		case <-ctx.Done():
		}
	}()
}

// push queues a schedule for its next slot, if there is one and it may be published.
func (s *Scheduler) push(t *timer) {
	if t.index >= 0 {
		heap.Remove(&s.queue, t.index)
	}
	slot, ok := t.timing.Next(t.mark.Slot)
	t.slot, t.fire = slot, time.Time{}
	if !ok {
		return
	}
	t.fire = t.timing.Fire(slot)
	if !s.lead.has || t.paused() || t.unknown || t.busy && t.Overlap == OverlapQueue {
		return
	}
	heap.Push(&s.queue, t)
}
