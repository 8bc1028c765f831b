package api

import (
	"net/http"
	"time"

	"evrun/cmd/api/access"
)

// gate is what requests by TCP must pass before mux answers them.
func (s *Server) gate(mux *http.ServeMux, pages []Page) http.Handler {
	rules := map[string]access.Rule{}
	for _, r := range Routes {
		rules[r.Pattern] = access.Rule{Right: r.Right, Local: r.Local}
	}
	for _, p := range pages {
		rules[p.Pattern] = access.Rule{Right: p.Right}
	}
	gate := access.New(access.Options{
		Tokens: s.o.Tokens, Hosts: s.o.Hosts, Log: s.o.Log,
		Client: s.client,
		Refuse: func(w http.ResponseWriter, status int, detail string, retry time.Duration) {
			problem(status, detail).After(retry).Write(w)
		},
	})
	return gate.Handler(mux, rules, s.handler)
}
