// Package access decides who may do what by TCP: tokens and their rights, and the [Gate] in front of all routes.
//
// The gate is closed unless a rule opens it: a request passes if its route is open to all, or if its token has the route's right. What the
// mux would run is looked up with the mux itself, so that no spelling of a path leads past the table of rights. Clients of the Unix socket and of
// this process do not pass the gate: [From] says that they may do everything.
//
//	gate := access.New(access.Options{Tokens: tokens, Refuse: refuse})
//	handler := gate.Handler(mux, rules, mux)
//
// No goroutines.
package access

import (
	"net/http"
	"strings"

	"evrun/tasks/audit"
)

// Rule is what a route asks for.
type Rule struct {
	Right Right // empty: refused
	Local bool  // only for clients of the socket
}

// Options are the parts of a Gate.
type Options struct {
	Tokens *Tokens
	Refuse func(w http.ResponseWriter, status int, detail string) // writes an answer
}

// Gate checks requests by TCP.
type Gate struct {
	o Options
}

// New makes a gate.
func New(o Options) *Gate { return &Gate{o: o} }

// Handler lets requests pass to next, which runs the routes of mux. rules are those of the patterns of mux.
func (g *Gate) Handler(mux *http.ServeMux, rules map[string]Rule, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		rule, routed := rules[pattern]
		who := anonymous
		if rule.Right != Open {
			who = g.o.Tokens.of(bearer(r.Header))
		}
		switch {
		case who == nil, who == anonymous && rule.Right != Open:
			w.Header().Set("WWW-Authenticate", "Bearer")
			g.o.Refuse(w, http.StatusUnauthorized, "this needs a token: Authorization: Bearer …")
			return
		case !routed: // the answer says so
		case rule.Local:
			g.o.Refuse(w, http.StatusForbidden, "this is for clients of the socket only")
			return
		case !who.May(rule.Right):
			g.o.Refuse(w, http.StatusForbidden, "the token "+who.name+" does not have the right "+string(rule.Right))
			return
		}
		ctx := with(r.Context(), who)
		if who != anonymous {
			ctx = audit.With(ctx, audit.Actor{UID: -1, Token: who.name})
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// bearer returns the token of a request; empty if there is none, or no valid one.
func bearer(h http.Header) string {
	values := h["Authorization"]
	if len(values) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
