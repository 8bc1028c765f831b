package api

import (
	"context"
	"net/http"
)

// pauseHandler pauses a handler, for ?reason= in the operator's words.
func (s *Server) pauseHandler(r *http.Request) (any, error) {
	name := r.PathValue("name")
	p, paused, err := s.o.Handlers.Pause(context.WithoutCancel(r.Context()), name, r.URL.Query().Get("reason"))
	return PausedHandler{Name: name, Paused: paused, Pause: p}, s.aboutHandler(r.Context(), name, err)
}
