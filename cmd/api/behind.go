package api

import (
	"context"
	"net/http"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/schedule"
)

// What stands behind a [Server]. With a daemon the runner and the scheduler do; without one, [tasks.Stored] and
// [schedule.Stored] do, by the store and the wiring file.

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
