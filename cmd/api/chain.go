package api

import (
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/store"
)

// getChain answers with the chain that an event belongs to.
func (s *Server) getChain(r *http.Request, q eventName) (*Chain, error) {
	ctx := r.Context()
	e, err := s.findEvent(ctx, r.PathValue("id"), q.Source, q.Exact)
	if err != nil {
		return nil, err
	}
	return shape.ReadChain(ctx, s.o.Store, e.Chain, func(page []store.Run) []Run {
		s.begun(ctx, page)
		return s.reasons.Runs(ctx, page)
	})
}
