package api

import (
	"context"
	"net/http"
	"time"

	"evrun/tasks"
)

// Reloaded is what came of reading the wiring file again.
type Reloaded struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why it was refused: the wiring is as it was
	// What is not as it was before.
	Handlers  tasks.Changes `json:"handlers,omitzero"`
	Schedules tasks.Changes `json:"schedules,omitzero"`
	Events    tasks.Changes `json:"events,omitzero"`
	// Left are removed handlers for which events or runs wait, Paused those that were gone for long and wait to be resumed.
	Left    []tasks.Unfinished `json:"left,omitempty"`
	Paused  []tasks.Unfinished `json:"paused,omitempty"`
	Unknown []tasks.UnknownWas `json:"unknown_was,omitempty"` // handlers whose was the store has never had
	Restart []string           `json:"restart,omitempty"`     // settings that differ from those that the daemon runs with, until it starts anew
}

// None says whether nothing has changed.
func (r *Reloaded) None() bool {
	return r.Handlers.None() && r.Schedules.None() && r.Events.None() && len(r.Restart) == 0
}

// reload has the daemon read its wiring file again. A wrong file is answered with 422, and changes nothing.
func (s *Server) reload(r *http.Request) (any, error) {
	return s.o.Daemon.Reload(context.WithoutCancel(r.Context())) // a client that goes away must not leave half a reload
}

// Reload has the daemon read its wiring file again. One that is wrong is a *[Problem] with status 422 and its faults.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	return request[Reloaded](ctx, c, http.MethodPost, "/v1/reload", body{})
}
