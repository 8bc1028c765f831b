package api

import (
	"net/http"
	"net/netip"
	"strings"

	"evrun/cmd/api/access"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/shape"
)

// gate is what requests by TCP must pass before mux answers them.
func (s *Server) gate(mux *http.ServeMux, pages []shape.Page) http.Handler {
	rules := map[string]access.Rule{}
	for _, r := range Routes {
		rules[r.Pattern] = r.rule()
	}
	var problemPage func(http.ResponseWriter, *http.Request, *Problem)
	for _, p := range pages {
		rules[p.Pattern] = access.Rule{Right: p.Right, Page: p.Refused != nil, Host: true}
		if p.Refused != nil {
			problemPage = p.Refused
		}
	}
	s.door = access.New(access.Options{
		Tokens: s.o.Tokens, Hosts: s.o.Hosts, Log: s.o.Log,
		Client: s.client, Secure: s.secure,
		Refuse: func(w http.ResponseWriter, r *http.Request, no access.Refused) {
			p := problem(no.Status, no.Detail).After(no.Retry)
			if no.Page {
				problemPage(w, r, p)
				return
			}
			p.Write(w)
		},
	})
	unrouted := s.handler
	if problemPage != nil {
		unrouted = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if access.WantsPage(r) {
				problemPage(w, r, problem(http.StatusNotFound, "There is no such page: "+r.URL.Path))
				return
			}
			s.handler.ServeHTTP(w, r)
		})
	}
	return s.door.Handler(mux, rules, unrouted)
}

func (r *Route) rule() access.Rule { return access.Rule{Right: r.Right, Local: r.Local, Host: r.Host} }

// allowed refuses what the identity of a request may not ask. Requests by TCP have passed the gate, which knows the routes by their patterns; this holds for
// those of pages, which are sent within this process, too.
func (r *Route) allowed(next route) route {
	rule := r.rule()
	return func(w http.ResponseWriter, r *http.Request) error {
		if detail, ok := access.From(r.Context()).Allows(rule); !ok {
			return problem(http.StatusForbidden, detail)
		}
		return next(w, r)
	}
}

// secure reports whether a request was encrypted on its way here. Only a trusted proxy is believed about the part before it.
func (s *Server) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && limits.Within(peer.Addr(), s.o.TrustedProxies) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
