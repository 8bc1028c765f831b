package api

import (
	"context"
	"net/http"
)

// pauseHandler pauses a handler, for ?reason= in the operator's words.
func (s *Server) pauseHandler(r *http.Request, q because) (PausedHandler, error) {
	name := r.PathValue("name")
	p, paused, err := s.o.Handlers.Pause(context.WithoutCancel(r.Context()), name, q.Reason)
	return PausedHandler{Name: name, Paused: paused, Pause: p}, s.aboutHandler(r.Context(), name, err)
}
