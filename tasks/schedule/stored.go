package schedule

import (
	"context"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule/slots"
)

// Stored has schedules that no daemon runs: it answers for a [Scheduler] by the marks that daemons left in the store. A schedule
// without a mark begins now.
type Stored struct {
	Store   store.Schedules // nil: there is none yet, so no daemon has run
	Emitter *emitter.Emitter
	Entries []*Entry
}

// marked is an entry with its mark.
type marked struct {
	*Entry
	mark store.ScheduleMark
	now  time.Time
}

// marked gives the entries with their marks: all, or the one of a name, which may be [ErrUnknown].
func (s *Stored) marked(ctx context.Context, name string) (list []marked, err error) {
	var marks map[string]store.ScheduleMark
	if s.Store != nil {
		if marks, err = s.Store.ScheduleMarks(ctx); err != nil {
			return nil, err
		}
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, e := range s.Entries {
		if name == "" || name == e.Name {
			mark, _ := e.takeUp(marks, now)
			list = append(list, marked{e, mark, now})
		}
	}
	if name != "" && len(list) == 0 {
		return nil, ErrUnknown
	}
	return list, nil
}

func (m marked) state() State {
	return State{Entry: m.Entry, Since: m.mark.Since, Last: m.mark.Fired, PausedByHand: m.mark.Paused,
		timing: m.Timing.CountedFrom(m.mark.Since), after: slots.Later(m.mark.Slot, m.now)}
}

// States is as [Scheduler.States].
func (s *Stored) States(ctx context.Context) ([]State, error) {
	list, err := s.marked(ctx, "")
	states := make([]State, len(list))
	for i, m := range list {
		states[i] = m.state()
	}
	return states, err
}

// State is as [Scheduler.State].
func (s *Stored) State(ctx context.Context, name string) (State, error) {
	list, err := s.marked(ctx, name)
	if err != nil {
		return State{}, err
	}
	return list[0].state(), nil
}

// Pause is as [Scheduler.Pause].
func (s *Stored) Pause(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, true)
}

// Resume is as [Scheduler.Resume].
func (s *Stored) Resume(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, false)
}

func (s *Stored) setPaused(ctx context.Context, name string, paused bool) (changed bool, err error) {
	list, err := s.marked(ctx, name)
	switch {
	case err != nil:
		return false, err
	case list[0].Paused && !paused:
		return false, ErrPausedByFile
	case list[0].mark.Paused == paused:
		return false, nil
	}
	who, err := auditPause(ctx, s.Emitter, name, paused)
	if err != nil {
		return false, err
	}
	mark := list[0].mark
	mark.Paused = paused
	_, err = s.Store.FireSlots(ctx, []store.ScheduleMark{mark}, who)
	return err == nil, err
}

// Manual is as [Scheduler.Manual].
func (s *Stored) Manual(ctx context.Context, name string) (*events.Event, error) {
	list, err := s.marked(ctx, name)
	if err != nil {
		return nil, err
	}
	m := list[0]
	return m.manual(s.Emitter, m.Timing.CountedFrom(m.mark.Since), m.now, m.mark.Fired)
}
