package api

import (
	"context"
	"net/http"
)

// reload has the daemon read its wiring file again. A wrong file is answered with 422, and changes nothing.
func (s *Server) reload(r *http.Request, _ none) (Reloaded, error) {
	return s.o.Daemon.Reload(context.WithoutCancel(r.Context())) // a client that goes away must not leave half a reload
}
