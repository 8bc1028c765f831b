package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/schedule"
)

// What stands behind a [Server]. With a daemon the runner and the scheduler do; without one, the store and the wiring file
// (see [Stored]).

// Handlers lists the handlers, lets paused ones go on, forgets those that left, and makes dead runs due again.
type Handlers interface {
	HandlerStatuses(ctx context.Context) ([]tasks.HandlerStatus, error)
	Resume(ctx context.Context, name string, fromNow bool) (tasks.Skipped, error)
	Forget(ctx context.Context, name string) (tasks.Skipped, error)
	Retry(ctx context.Context, q store.RunQuery) ([]store.Run, error)
}

// Schedules lists, pauses and resumes the schedules, and makes their extra events. A name that is not wired is
// [schedule.ErrUnknown].
type Schedules interface {
	States(ctx context.Context) ([]schedule.State, error)
	State(ctx context.Context, name string) (schedule.State, error)
	Pause(ctx context.Context, name string) (changed bool, err error)
	Resume(ctx context.Context, name string) (changed bool, err error)
	Manual(ctx context.Context, name string) (*events.Event, error)
}

// Daemon is what only a running daemon has. A server without it refuses the routes that need one.
type Daemon struct {
	Runner  *tasks.Runner
	Bus     *events.Bus
	Commits *events.Feed[store.Commit]
	Status  func(context.Context) (Status, error)
	Reload  func(context.Context) (Reloaded, error) // reads the wiring file again
	Metrics http.Handler                            // answers GET /metrics
}

// errNeedsDaemon refuses in process what only a daemon can do.
var errNeedsDaemon = &Problem{Status: http.StatusNotImplemented, Title: http.StatusText(http.StatusNotImplemented),
	Detail: ErrNoDaemon.Error(), cause: ErrNoDaemon}

// Stored answers for the handlers and schedules of a wiring file that no daemon runs, by what daemons left in its store.
type Stored struct {
	Store   store.Store // nil: no daemon has run yet
	Emitter *tasks.Emitter
	Wired   []*tasks.Handler
	Entries []*schedule.Entry
}

// Handlers gives the handlers' side.
func (s Stored) Handlers() Handlers { return storedHandlers{s} }

// Schedules gives the schedules' side.
func (s Stored) Schedules() Schedules { return storedSchedules{s} }

type storedHandlers struct{ Stored }

func (s storedHandlers) HandlerStatuses(ctx context.Context) ([]tasks.HandlerStatus, error) {
	if s.Store == nil {
		return tasks.NewStatuses(s.Wired), nil
	}
	return tasks.StoredStatuses(ctx, s.Store, s.Wired)
}

func (s storedHandlers) Resume(ctx context.Context, name string, fromNow bool) (tasks.Skipped, error) {
	if s.Store == nil {
		return tasks.Skipped{}, store.ErrNotFound
	}
	return tasks.ResumeHandler(ctx, s.Store, s.Emitter, name, fromNow)
}

func (s storedHandlers) Forget(ctx context.Context, name string) (tasks.Skipped, error) {
	switch {
	case s.Store == nil:
		return tasks.Skipped{}, store.ErrNotFound
	case slices.ContainsFunc(s.Wired, func(h *tasks.Handler) bool { return h.Name == name }):
		return tasks.Skipped{}, fmt.Errorf("handler %q: %w", name, store.ErrActive)
	}
	return tasks.ForgetHandler(ctx, s.Store, s.Emitter, name)
}

func (s storedHandlers) Retry(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	return s.Store.Retry(ctx, q)
}

type storedSchedules struct{ Stored }

func (s storedSchedules) marks(ctx context.Context) (map[string]store.ScheduleMark, error) {
	if s.Store == nil {
		return nil, nil
	}
	return s.Store.ScheduleMarks(ctx)
}

func (s storedSchedules) States(ctx context.Context) ([]schedule.State, error) {
	marks, err := s.marks(ctx)
	return schedule.StoredStates(marks, s.Entries), err
}

func (s storedSchedules) State(ctx context.Context, name string) (schedule.State, error) {
	e, err := s.entry(name)
	if err != nil {
		return schedule.State{}, err
	}
	marks, err := s.marks(ctx)
	return schedule.StoredStates(marks, []*schedule.Entry{e})[0], err
}

func (s storedSchedules) Pause(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, true)
}

func (s storedSchedules) Resume(ctx context.Context, name string) (changed bool, err error) {
	return s.setPaused(ctx, name, false)
}

func (s storedSchedules) setPaused(ctx context.Context, name string, paused bool) (changed bool, err error) {
	e, err := s.entry(name)
	if err != nil {
		return false, err
	}
	return schedule.SetPaused(ctx, s.Store, e, paused)
}

func (s storedSchedules) Manual(ctx context.Context, name string) (*events.Event, error) {
	e, err := s.entry(name)
	if err != nil {
		return nil, err
	}
	marks, err := s.marks(ctx)
	if err != nil {
		return nil, err
	}
	return schedule.StoredManual(s.Emitter, marks, e)
}

func (s storedSchedules) entry(name string) (*schedule.Entry, error) {
	i := slices.IndexFunc(s.Entries, func(e *schedule.Entry) bool { return e.Name == name })
	if i < 0 {
		return nil, schedule.ErrUnknown
	}
	return s.Entries[i], nil
}
