package api

import (
	"net/http"
	"net/netip"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/limits"
)

// gate is what requests by TCP must pass before mux answers them.
func (s *Server) gate(mux *http.ServeMux) http.Handler {
	rules := map[string]access.Rule{}
	for _, r := range Routes {
		rules[r.Pattern] = access.Rule{Right: r.Right, Local: r.Local}
	}
	gate := access.New(access.Options{
		Tokens: s.o.Tokens, Hosts: s.o.Hosts, Log: s.o.Log,
		Client: func(r *http.Request) netip.Addr { return limits.ClientIP(r, s.o.TrustedProxies) },
		Refuse: func(w http.ResponseWriter, status int, detail string, retry time.Duration) {
			p := problem(status, detail)
			p.RetryAfter = int((retry + time.Second - 1) / time.Second)
			p.Write(w)
		},
	})
	return gate.Handler(mux, rules, s.handler)
}
