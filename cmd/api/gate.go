package api

import (
	"net/http"

	"evrun/cmd/api/access"
)

// gate is what requests by TCP must pass before s.handler answers them.
func (s *Server) gate(mux *http.ServeMux) http.Handler {
	rules := map[string]access.Rule{}
	for _, r := range Routes {
		rules[r.Pattern] = access.Rule{Right: r.Right, Local: r.Local}
	}
	tokens := s.o.Tokens
	if tokens == nil {
		tokens = access.NewTokens()
	}
	gate := access.New(access.Options{Tokens: tokens, Refuse: func(w http.ResponseWriter, status int, detail string) {
		problem(status, detail).Write(w)
	}})
	return gate.Handler(mux, rules, s.handler)
}
