package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/control"
	"evrun/tasks/schedule"
	"evrun/tasks/trace"
)

type schedulesQuery struct {
	Next int  `key:"next" min:"0" doc:"How many of the next slots; 1,000 at most."`
	Last bool `key:"last" doc:"Say what came of the last slots, as last_runs, as far as that takes no longer than 200 ms."`
	labeled
}

// lastWithin bounds the time in which it is looked up what came of last slots.
const lastWithin = 200 * time.Millisecond

func (s *Server) listSchedules(r *http.Request, q schedulesQuery) (list shape.ScheduleList, err error) {
	states, err := s.o.Schedules.States(r.Context())
	if err != nil {
		return list, err
	}
	list.Schedules, list.Hint = control.ByLabels(shape.SchedulesOf(states, min(q.Next, MaxUpcoming)), q.Labels)
	list.Schedules = listed(list.Schedules)
	if q.Last {
		t := s.timeline(states)
		last, err := t.LastSlots(r.Context(), lastWithin)
		if err != nil {
			return list, err
		}
		shape.AddLast(list.Schedules, last)
	}
	return list, nil
}

type scheduleQuery struct {
	Next int `key:"next" min:"0" default:"5" doc:"How many of the next slots; 1,000 at most."`
}

func (s *Server) getSchedule(r *http.Request, q scheduleQuery) (Schedule, error) {
	st, err := s.o.Schedules.State(r.Context(), r.PathValue("name"))
	if err != nil {
		return Schedule{}, s.aboutSchedule(r, err)
	}
	return shape.ScheduleOf(st, min(q.Next, MaxUpcoming)), nil
}

// aboutSchedule makes an error about one schedule a problem.
func (s *Server) aboutSchedule(r *http.Request, err error) error {
	switch name := r.PathValue("name"); {
	case errors.Is(err, schedule.ErrUnknown):
		states, _ := s.o.Schedules.States(r.Context()) // only for the hint
		return unknown("schedule", name, shape.Each(states, func(st schedule.State) string { return st.Name }))
	case errors.Is(err, schedule.ErrPausedByFile):
		return problem(http.StatusConflict, "schedule "+name+": "+err.Error())
	default:
		return err
	}
}

func (s *Server) pauseSchedule(r *http.Request, _ none) (Paused, error) {
	changed, err := s.o.Schedules.Pause(r.Context(), r.PathValue("name"))
	return Paused{Name: r.PathValue("name"), Paused: true, Changed: changed}, s.aboutSchedule(r, err)
}

func (s *Server) resumeSchedule(r *http.Request, _ none) (Paused, error) {
	changed, err := s.o.Schedules.Resume(r.Context(), r.PathValue("name"))
	return Paused{Name: r.PathValue("name"), Changed: changed}, s.aboutSchedule(r, err)
}

// fireSchedule publishes an extra event of a schedule. The answer is that of POST /v1/events to one event.
func (s *Server) fireSchedule(w http.ResponseWriter, r *http.Request, q following) error {
	cause, err := s.publishing(r)
	if err != nil {
		return err
	}
	tellEnded(w, r, cause)
	e, err := s.o.Schedules.Manual(r.Context(), r.PathValue("name"))
	if err != nil {
		return s.aboutSchedule(r, err)
	}
	trace.FromRequest(r.Header, e)
	if cause != nil {
		if err := s.o.Emitter.Join(e, cause); err != nil {
			return err
		}
	}
	fired, err := audit.Event(r.Context(), s.o.Emitter, events.TypeAuditScheduleFired, map[string]any{"schedule": r.PathValue("name"), "event": e.ID})
	if err != nil {
		return err
	}
	accept := func(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
		receipts, err := s.o.Emitter.Accept(ctx, append(evs, fired))
		if err != nil {
			return nil, err
		}
		return receipts[:len(evs)], nil
	}
	return s.publish(w, r, accept, []*events.Event{e}, false, q)
}
