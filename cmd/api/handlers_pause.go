package api

import (
	"context"
	"net/http"

	"evrun/tasks/control"
)

// PausedHandler answers a request to pause a handler.
type PausedHandler struct {
	Name   string         `json:"name"`
	Paused bool           `json:"paused"`          // false: it was paused already
	Pause  *control.Pause `json:"pause,omitempty"` // who has paused it; nil: it returned late
}

// pauseHandler pauses a handler, for ?reason= in the operator's words.
func (s *Server) pauseHandler(r *http.Request) (any, error) {
	name := r.PathValue("name")
	p, paused, err := s.o.Handlers.Pause(context.WithoutCancel(r.Context()), name, r.URL.Query().Get("reason"))
	return PausedHandler{Name: name, Paused: paused, Pause: p}, s.aboutHandler(r.Context(), name, err)
}
