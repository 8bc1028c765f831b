package schedule

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule/slots"
)

// ErrUnknown: no schedule of this name is wired.
var ErrUnknown = errors.New("there is no such schedule")

// ErrPausedByFile: only the wiring file can resume a schedule that it pauses.
var ErrPausedByFile = errors.New("it is paused in the wiring file: take out its paused: true")

// State is the state of a schedule.
type State struct {
	*Entry
	Since        time.Time // when it was first seen, or given this timing
	Last         time.Time // the last slot that was published; zero: none
	PausedByHand bool
	Waiting      bool // for the runs of the last slot, before the next one may come

	timing *slots.Timing // counted from Since
	after  time.Time     // slots up to here are decided
}

// LabelsOf returns the labels of the schedule.
func (st State) LabelsOf() map[string]string { return st.Labels }

// Upcoming returns the next n slots at most. The slots of a paused schedule are included: they will be missed.
func (st *State) Upcoming(n int) []slots.Occurrence { return st.timing.Upcoming(st.after, n) }

// Slots returns the timing of the schedule, with its slots counted from Since.
func (st *State) Slots() *slots.Timing { return st.timing }

// Decided returns the time up to which all slots were published or left out.
func (st *State) Decided() time.Time { return st.after }

// call is something for the scheduler's goroutine to do.
type call struct {
	f    func(context.Context) error
	done chan error
}

// do makes the scheduler's goroutine call f, and waits.
func (s *Scheduler) do(ctx context.Context, f func(context.Context) error) error {
	c := call{f: f, done: make(chan error, 1)}
	select {
	case s.calls <- c:
		return <-c.done
	case <-s.ended:
		return tasks.ErrStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// States gives the states of all schedules, in the order of the file.
func (s *Scheduler) States(ctx context.Context) (list []State, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		if err := s.freshen(ctx); err != nil {
			return err
		}
		for _, e := range s.entries {
			list = append(list, s.timers[e.Name].state())
		}
		return nil
	})
	return list, err
}

// State gives the state of one schedule, or [ErrUnknown].
func (s *Scheduler) State(ctx context.Context, name string) (st State, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		t := s.timers[name]
		if t == nil {
			return ErrUnknown
		}
		if err := s.freshen(ctx); err != nil {
			return err
		}
		st = t.state()
		return nil
	})
	return st, err
}

func (t *timer) state() State {
	return State{Entry: t.Entry, Since: t.mark.Since, Last: t.mark.Fired, PausedByHand: t.mark.Paused,
		Waiting: t.busy && t.Overlap == OverlapQueue, timing: t.timing, after: t.mark.Slot}
}

// Pause stops a schedule from publishing until Resume, across restarts. It reports whether this changed anything.
func (s *Scheduler) Pause(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, true)
}

// Resume lets a schedule publish again. Slots that passed meanwhile are treated as missed.
func (s *Scheduler) Resume(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, false)
}

func (s *Scheduler) setPaused(ctx context.Context, name string, paused bool) (changed bool, err error) {
	who, err := auditPause(ctx, s.o.Emitter, name, paused)
	if err != nil {
		return false, err
	}
	err = s.do(ctx, func(ctx context.Context) error {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		t := s.timers[name]
		switch {
		case t == nil:
			return ErrUnknown
		case !paused && t.Paused:
			return ErrPausedByFile
		case t.mark.Paused == paused:
			return nil
		}
		mark := t.mark
		mark.Paused = paused
		if _, err := s.o.Store.FireSlots(ctx, []store.ScheduleMark{mark}, who); err != nil {
			return err
		}
		t.mark, t.resumed, changed = mark, !paused, true
		s.push(t)
		return nil
	})
	return changed, err
}

// auditPause makes the event that records a pause or its end.
func auditPause(ctx context.Context, em *emitter.Emitter, name string, paused bool) ([]*events.Event, error) {
	typ := events.TypeAuditScheduleResumed
	if paused {
		typ = events.TypeAuditSchedulePaused
	}
	e, err := audit.Event(ctx, em, typ, map[string]any{"schedule": name})
	return []*events.Event{e}, err
}

// Manual makes an extra event of a schedule, paused or not, for [emitter.Emitter.Accept]. It belongs to no slot: it has a new id and
// the extension attribute "manual".
func (s *Scheduler) Manual(ctx context.Context, name string) (e *events.Event, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		t := s.timers[name]
		if t == nil {
			return ErrUnknown
		}
		if err := s.freshen(ctx); err != nil {
			return err
		}
		e, err = t.manual(s.o.Emitter, t.timing, s.now().UTC().Truncate(time.Microsecond), t.mark.Fired)
		return err
	})
	return e, err
}

// Replace replaces the wired schedules. An unchanged one continues; one with the same timing keeps its mark; a new one, and one with
// another timing, begins now; a removed one is forgotten. remember stores the marks of new and changed schedules, deletes those of
// removed ones, and does what must happen in the same step. If it fails, nothing changes and its error is returned. No slot is
// published meanwhile.
func (s *Scheduler) Replace(ctx context.Context, entries []*Entry, remember func(fresh []store.ScheduleMark, gone []string) error) (changes tasks.Changes, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		s.passExcepted(ctx, 0)
		timers, fresh, gone, err := s.take(ctx, entries)
		if err != nil {
			return err
		}
		if s.lead.shared { // another daemon may have those that were never here
			gone = slices.DeleteFunc(gone, func(name string) bool { return s.timers[name] == nil })
		}
		if err := remember(fresh, gone); err != nil {
			return err
		}
		same := func(a, b *Entry) bool { return a == b || a.Version != "" && a.Version == b.Version }
		changes = tasks.Compare(s.entries, entries, func(e *Entry) string { return e.Name }, same)
		was := s.timers
		s.entries, s.timers = entries, make(map[string]*timer, len(entries))
		for _, t := range timers {
			old := was[t.Name]
			if old != nil && same(old.Entry, t.Entry) {
				old.Entry = t.Entry // its description and labels may have changed
				s.timers[t.Name] = old
				delete(was, t.Name)
				continue
			}
			t.resumed = old != nil && old.paused() && !t.paused()
			s.add(ctx, t)
		}
		for _, old := range was {
			s.remove(old)
		}
		return nil
	})
	return changes, err
}

// remove stops a timer.
func (s *Scheduler) remove(t *timer) {
	if t.index >= 0 {
		heap.Remove(&s.queue, t.index)
	}
	if t.watch != nil {
		t.watch()
	}
}
