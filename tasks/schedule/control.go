package schedule

import (
	"container/heap"
	"context"
	"errors"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/schedule/slots"
)

// ErrUnknown: no schedule of this name is wired.
var ErrUnknown = errors.New("there is no such schedule")

// ErrPausedByFile: what the wiring file pauses, only the wiring file resumes.
var ErrPausedByFile = errors.New("it is paused in the wiring file: take out its paused: true")

// State says where a schedule stands.
type State struct {
	*Entry
	Since        time.Time // when it was first seen, or given this timing
	Last         time.Time // the last slot that was published; zero: none
	PausedByHand bool
	Waiting      bool // for the runs of the last slot, before the next one may come

	timing *slots.Timing // counted from Since
	after  time.Time     // what is up to here is no longer to come
}

// Upcoming returns the next n slots at most. The slots of a paused schedule are included: they will be missed.
func (st *State) Upcoming(n int) []slots.Occurrence { return st.timing.Upcoming(st.after, n) }

// call is something for the scheduler's goroutine to do.
type call struct {
	f    func(context.Context) error
	done chan error
}

// do has the scheduler's goroutine call f.
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
	err = s.do(ctx, func(context.Context) error {
		for _, e := range s.entries {
			list = append(list, s.timers[e.Name].state())
		}
		return nil
	})
	return list, err
}

// State gives the state of one schedule, or [ErrUnknown].
func (s *Scheduler) State(ctx context.Context, name string) (st State, err error) {
	err = s.do(ctx, func(context.Context) error {
		t := s.timers[name]
		if t == nil {
			return ErrUnknown
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

// Pause keeps a schedule from publishing, also over restarts, until Resume. It says whether it was not paused by hand before.
func (s *Scheduler) Pause(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, true)
}

// Resume lets a schedule publish again. What passed meanwhile is treated as missed.
func (s *Scheduler) Resume(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, false)
}

func (s *Scheduler) setPaused(ctx context.Context, name string, paused bool) (changed bool, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
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
		if err := s.o.Store.SaveMarks(ctx, []store.ScheduleMark{mark}, nil); err != nil {
			return err
		}
		t.mark, t.resumed, changed = mark, !paused, true
		s.push(t)
		return nil
	})
	return changed, err
}

// Manual makes an extra event of a schedule, paused or not, for [tasks.Emitter.Accept]. It is of no slot: its id is its own, and
// it has the extension attribute "manual".
func (s *Scheduler) Manual(ctx context.Context, name string) (e *events.Event, err error) {
	err = s.do(ctx, func(context.Context) (err error) {
		t := s.timers[name]
		if t == nil {
			return ErrUnknown
		}
		e, err = t.manual(s.o.Emitter, t.timing, s.now().UTC().Truncate(time.Microsecond), t.mark.Fired)
		return err
	})
	return e, err
}

// Replace puts other schedules in the place of those that are wired. One that is written as it was goes on untouched; one with
// the same timing keeps its mark; one with another timing, and one that is new, begins now; one that is gone is forgotten.
// Either all of it happens, or an error says why nothing did: remember's, which stores the marks of schedules that are new or
// changed, deletes those of others, and does whatever else is to come true with them. No slot is published meanwhile.
func (s *Scheduler) Replace(ctx context.Context, entries []*Entry, remember func(fresh []store.ScheduleMark, gone []string) error) (changes tasks.Changes, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		timers, fresh, gone, err := s.take(ctx, entries)
		if err != nil {
			return err
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

// remove lets go of a timer.
func (s *Scheduler) remove(t *timer) {
	if t.index >= 0 {
		heap.Remove(&s.queue, t.index)
	}
	if t.watch != nil {
		t.watch()
	}
}
