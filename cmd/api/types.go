package api

import (
	"fmt"
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/store"
)

// typesQuery is a page of the types.
type typesQuery struct {
	After string `key:"after" doc:"The next of the page before."`
	sized
}

func (s *Server) types() *shape.Types { return shape.NewTypes(s.o.Emitter.Declared(), s.o.Wired()) }

// listTypes answers with the types that the wiring names and those of stored events.
func (s *Server) listTypes(r *http.Request, q typesQuery) (shape.TypeList, error) {
	limit := min(q.Limit, maxPage)
	seen, err := s.o.Store.Types(r.Context(), q.After, limit+1)
	return s.types().Page(seen, q.After, limit), err
}

func (s *Server) getType(r *http.Request, _ none) (t shape.EventType, err error) {
	name := r.PathValue("type")
	seen, err := s.o.Store.Types(r.Context(), name, 1)
	if err != nil {
		return t, err
	}
	t = s.types().Of(name, len(seen) > 0 && seen[0] == name)
	if !t.Seen && !t.Declared && len(t.Handlers) == 0 && t.Description == "" {
		return t, fmt.Errorf("type %q: %w", name, store.ErrNotFound)
	}
	return t, nil
}
