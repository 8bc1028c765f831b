// Package access decides who may do what by TCP: tokens and their rights, and the [Gate] in front of all routes.
//
// The gate is closed unless a rule opens it: a request passes if its route is open to all, or if its token has the route's right. What the
// mux would run is looked up with the mux itself, so that no spelling of a path leads past the table of rights. Clients of the Unix socket and of
// this process do not pass the gate: [From] says that they may do everything.
//
//	gate := access.New(access.Options{Tokens: tokens, Refuse: refuse})
//	handler := gate.Handler(mux, rules, http.NotFoundHandler())
//
// # What is checked, in this order
//
//   - The Host, against web pages whose name leads to this machine (DNS rebinding): see [Hosts]. Hooks and routes for monitors are exempt.
//   - Origin and Sec-Fetch-Site, against web pages that have a browser send requests: see [http.CrossOriginProtection].
//   - The token: exactly one header Authorization: Bearer TOKEN. One in the URL is refused, because URLs are written to logs. Without the header, the cookie
//     of a browser that has signed in ([Sessions]), if the request is a navigation or comes from a page of this server.
//   - The route's right.
//   - The content type: an HTML form can't send what the API reads.
//
// Tokens are compared by their SHA-256. Wrong ones are counted for each address ([Failures]); a valid token passes whatever was sent before.
//
// No goroutines.
package access

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api/cloudevents"
	"evrun/tasks/audit"
	"evrun/tasks/fault"
)

// Rule is what a route asks for.
type Rule struct {
	Right Right // empty: refused
	Local bool  // only for clients of the socket
	Host  bool  // the Host must be a name of this server, although no token is needed
	Page  bool  // a page for people: a browser without a session is sent to the one where it signs in
}

// Options are the parts of a Gate.
type Options struct {
	Tokens *Tokens
	Refuse func(w http.ResponseWriter, r *http.Request, no Refused) // writes an answer
	Log    *slog.Logger

	Hosts  []string                         // names of this server, beside those of [Hosts]
	Client func(r *http.Request) netip.Addr // the address of who sends a request
	Secure func(r *http.Request) bool       // it was encrypted on its whole way; nil: if its connection has TLS
}

// Refused is the answer to a request that does not pass.
type Refused struct {
	Status int
	Detail string
	Retry  time.Duration // when to try again, if not zero
	Page   bool          // it was for a page, and the answer is for people
}

// Gate checks requests by TCP.
type Gate struct {
	o        Options
	hosts    Hosts
	origins  *http.CrossOriginProtection
	failures Failures
	sessions *Sessions
}

// New makes a gate.
func New(o Options) *Gate {
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	return &Gate{o: o, sessions: o.Tokens.Sessions(), hosts: HostsOf(o.Hosts), origins: http.NewCrossOriginProtection()}
}

// refusal is why a request does not pass.
type refusal struct {
	why       Reason
	status    int
	detail    string
	challenge string        // for WWW-Authenticate
	retry     time.Duration // when to try again
}

// visitor is who sends a request.
type visitor struct {
	*holder
	session *session // nil: the request has the token itself
}

func (v *visitor) who() *Identity {
	if v.session != nil {
		return v.identity.signedIn(*v.session)
	}
	return v.identity
}

// Handler lets requests pass to mux, and those without a route to unrouted. rules are those of the patterns of mux; a pattern without one is refused.
func (g *Gate) Handler(mux *http.ServeMux, rules map[string]Rule, unrouted http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		_, pattern := mux.Handler(r)
		next, routed := http.Handler(mux), pattern != ""
		if !routed {
			next = unrouted
		}
		rule := rules[pattern]
		rule.Page = rule.Page || !routed && rules["GET "+SignInPath].Page && WantsPage(r)
		v, no := g.check(r, rule, routed)
		held := context.Background()
		if no == nil && v != nil && v.session != nil {
			ctx, release, ok := g.sessions.hold(*v.session)
			switch {
			case ok:
				held = ctx
				defer release()
			case rule.Right == Open:
				v = nil
			default:
				no = sessionOver()
			}
		}
		switch {
		case no != nil:
			g.refuse(w, r, v, no, rule.Page)
			return
		case v == nil:
			next.ServeHTTP(w, r.WithContext(with(r.Context(), anonymous)))
			return
		}
		ctx, cancel := context.WithCancel(with(audit.With(r.Context(), audit.Actor{UID: -1, Token: v.Name}), v.who()))
		defer cancel()
		r = r.WithContext(ctx)
		sent := &body{ReadCloser: r.Body, control: http.NewResponseController(w), read: r.ContentLength == 0}
		if !sent.read {
			r.Body = sent
		}
		over := func() { // the token is revoked, or the browser has signed out: the request ends
			cancel()
			sent.end()
		}
		defer context.AfterFunc(v.valid, over)()
		defer context.AfterFunc(held, over)()
		next.ServeHTTP(w, r)
	})
}

// check returns who sends a request, nil where nobody must say so, or why the request is refused.
func (g *Gate) check(r *http.Request, rule Rule, routed bool) (*visitor, *refusal) {
	if (rule.Right != Open || rule.Host) && !g.hosts.Know(r) {
		return nil, &refusal{why: WrongHost, status: http.StatusMisdirectedRequest,
			detail: "this server is not known as " + fault.Quote(r.Host) + "; if it should be, add the name to server.hosts"}
	}
	if err := g.origins.Check(r); err != nil {
		return nil, &refusal{why: ForeignOrigin, status: http.StatusForbidden, detail: "a web page of another origin can't send this: " + err.Error()}
	}
	switch {
	case rule.Right == Open && rule.Page: // which says so to a browser that is signed in
		v, _ := g.ofSession(r)
		return v, nil
	case rule.Right == Open:
		return nil, nil
	}
	v, no := g.recognise(r)
	if no != nil || !routed { // the answer says that there is no such path
		return v, no
	}
	if detail, ok := v.identity.Allows(rule); !ok {
		no := &refusal{why: NoRight, status: http.StatusForbidden, detail: detail}
		if !rule.Local {
			no.challenge = `Bearer realm="evrun", error="insufficient_scope", scope="` + string(rule.Right) + `"`
		}
		return v, no
	}
	if byForm(r) {
		return v, &refusal{why: FormPost, status: http.StatusUnsupportedMediaType,
			detail: "Content-Type: a form can't be sent here; send JSON, and say so: Content-Type: application/json, as curl --json does"}
	}
	return v, nil
}

// recognise returns who sends a request, by its token or its session.
func (g *Gate) recognise(r *http.Request) (*visitor, *refusal) {
	if inURL(r) {
		return nil, &refusal{why: NoToken, status: http.StatusBadRequest, detail: "a token in the URL is refused, because URLs are written to logs; send the header Authorization: Bearer TOKEN"}
	}
	token, given := Bearer(r.Header)
	if !given {
		if v, no := g.ofSession(r); v != nil || no != nil {
			return v, no
		}
		return nil, &refusal{why: NoToken, status: http.StatusUnauthorized, challenge: `Bearer realm="evrun"`, detail: "a token is needed: send the header Authorization: Bearer TOKEN"}
	}
	if h := g.o.Tokens.of(token); h != nil {
		return &visitor{holder: h}, nil
	}
	return nil, g.guessed(r, "the token is not valid: it is unknown, revoked or expired, or the header is not Authorization: Bearer TOKEN")
}

// guessed counts a wrong token or code.
func (g *Gate) guessed(r *http.Request, detail string) *refusal {
	if retry, ok := g.failures.Note(g.o.Client(r), time.Now()); !ok {
		return &refusal{why: TooMany, status: http.StatusTooManyRequests, retry: retry, detail: "too many wrong tokens came from this address: try again later, or send a valid token"}
	}
	return &refusal{why: WrongToken, status: http.StatusUnauthorized, challenge: `Bearer realm="evrun", error="invalid_token"`, detail: detail}
}

// note counts and logs a refused request. What is logged has nothing of the token, and no query.
func (g *Gate) note(r *http.Request, v *visitor, no *refusal) {
	g.o.Tokens.denied.add(no.why)
	if no.why != NoToken && no.why != TooMany && g.failures.mayLog(time.Now()) {
		token := ""
		if v != nil {
			token = v.Name
		}
		g.o.Log.Warn("a request was refused", "reason", string(no.why), "method", fault.Clip(r.Method, 100), "path", fault.Clip(r.URL.Path, 100), "from", g.o.Client(r).String(), "token", token)
	}
}

// refuse answers a request that does not pass.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, v *visitor, no *refusal, page bool) {
	g.note(r, v, no)
	if page && no.why == NoToken && no.status == http.StatusUnauthorized && r.URL.Path != SignInPath {
		http.Redirect(w, r, signInAt(r), http.StatusSeeOther)
		return
	}
	if no.challenge != "" {
		w.Header().Set("WWW-Authenticate", no.challenge)
	}
	who := anonymous
	if v != nil {
		who = v.who()
	}
	g.o.Refuse(w, r.WithContext(with(r.Context(), who)), Refused{Status: no.status, Detail: no.detail, Retry: no.retry, Page: page})
}

// protect has browsers neither guess types, nor keep answers, nor show them in frames of other pages.
func protect(h http.Header) {
	for _, x := range [...][2]string{
		{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}, {"X-Frame-Options", "DENY"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}, {"Referrer-Policy", "no-referrer"}, {"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
	} {
		h.Set(x[0], x[1])
	}
}

// byForm reports whether the body is of a type that HTML forms can send. The header of an event in CloudEvents' binary mode, whose data may have any
// type, can't be sent by a form.
func byForm(r *http.Request) bool {
	for _, value := range r.Header["Content-Type"] {
		media, _, _ := strings.Cut(value, ";")
		if slices.Contains([]string{"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}, strings.ToLower(strings.TrimSpace(media))) {
			return cloudevents.Attributed(r.Header) == ""
		}
	}
	return false
}
