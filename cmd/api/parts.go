package api

import (
	"context"
	"errors"
	"net/http"

	"evrun/cmd/activity"
	"evrun/cmd/api/shape"
	"evrun/cmd/wiring"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/control"
	"evrun/tasks/schedule"
)

// Handlers lists the handlers, pauses and resumes them, forgets those that left, and changes runs. With a daemon it is the
// [tasks.Runner], without one a [tasks.Stored].
type Handlers interface {
	HandlerStatuses(ctx context.Context) ([]control.HandlerStatus, error)
	Pause(ctx context.Context, name, why string) (*control.Pause, bool, error)
	Resume(ctx context.Context, name string, fromNow bool) (control.Skipped, error)
	Forget(ctx context.Context, name string) (control.Skipped, error)
	control.Changing
}

// Schedules lists, pauses and resumes the schedules, and makes their extra events. With a daemon it is the [schedule.Scheduler],
// without one a [schedule.Stored]. The error for a name that is not wired is [schedule.ErrUnknown].
type Schedules interface {
	States(ctx context.Context) ([]schedule.State, error)
	State(ctx context.Context, name string) (schedule.State, error)
	Pause(ctx context.Context, name string) (changed bool, err error)
	Resume(ctx context.Context, name string) (changed bool, err error)
	Manual(ctx context.Context, name string) (*events.Event, error)
}

// Daemon has the parts that only a running daemon has. A server without them refuses the routes that need them.
type Daemon struct {
	Runner  *tasks.Runner
	Bus     *events.Bus
	Commits *events.Feed[store.Commit]
	Status  func(context.Context) (Status, error)
	Reload  func(context.Context) (Reloaded, error)            // reads the wiring file again
	Metrics http.Handler                                       // answers GET /metrics
	Examine func(context.Context) ([]shape.CheckResult, error) // looks for what is wrong, or soon will be
	URL     func() string                                      // of the dashboard, by TCP; empty: there is no port
	// Activity says what happened lately. Its error is about the step.
	Activity func(activity.Query) (shape.Activity, error)
	Wiring   *wiring.Wiring
}

// Following is what a server follows events and runs with: a daemon's own, or that of a process which has no daemon and opens a store that others share.
type Following struct {
	Bus     *events.Bus                // of events
	Commits *events.Feed[store.Commit] // with their runs, while it has subscribers
	// Follow follows the consequences of an accepted event: see [chain.Follow].
	Follow func(ctx context.Context, root *events.Event, commits *events.Feed[store.Commit], each func(chain.Link) error) (*chain.Chain, error)
}

// ErrNoDaemon: no process listens on the socket, and in process nothing can answer for a daemon.
var ErrNoDaemon = errors.New("no daemon is running")

// errNeedsDaemon refuses, in process, the routes that need a daemon.
var errNeedsDaemon = problem(http.StatusNotImplemented, ErrNoDaemon.Error()).Because(ErrNoDaemon)
