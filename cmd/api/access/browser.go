package access

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ofSession returns who sends a request with the cookie of a session; both are nil if it has none.
func (g *Gate) ofSession(r *http.Request) (*visitor, *refusal) {
	now := time.Now()
	is, given, ok := g.sessions.of(r, g.o.Secure(r), now)
	switch {
	case !given:
		return nil, nil
	case !ok:
		return nil, sessionOver()
	case !fromHere(r, g.o.Secure(r)):
		return nil, &refusal{why: ForeignOrigin, status: http.StatusForbidden, detail: "a page of another origin can't use the session of this browser; a program that changes something must send the header Origin, or better a token"}
	}
	if h := g.o.Tokens.ofHash(is.token, now); h != nil {
		return &visitor{holder: h, session: &is}, nil
	}
	return nil, sessionOver()
}

// sessionOver is why a cookie is no longer taken. It counts as no token: no guess is needed to send an old one.
func sessionOver() *refusal {
	return &refusal{why: NoToken, status: http.StatusUnauthorized, challenge: `Bearer realm="evrun"`,
		detail: "the session is over: sign in again at " + SignInPath}
}

// fromHere reports whether a browser sent a request because of a page of this server, or because its user went to the URL. Browsers send cookies to all ports
// of a host, and a page of another port is of the same site: SameSite=Strict does not keep it from sending requests. To an encrypted port, a page that came
// without TLS is one of another origin.
func fromHere(r *http.Request, secure bool) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "none":
		return reads
	case "": // an older browser, or a server of another machine without TLS
		if origin := r.Header.Get("Origin"); origin != "" {
			at, err := url.Parse(origin)
			return err == nil && at.Host == r.Host && (!secure || at.Scheme == "https")
		}
		return reads
	}
	return reads && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// WantsPage reports whether a request without a route is one of a person with a browser.
func WantsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html") &&
		!strings.HasPrefix(r.URL.Path, "/v1/") && !strings.HasPrefix(r.URL.Path, "/hooks/")
}

// SignIn signs a browser in with a token, or with the code of a link. It returns the cookie of the session and who it is, or the answer to a wrong one.
// Wrong ones are counted as those of requests. A session that the browser had before ends.
func (g *Gate) SignIn(r *http.Request, token, code string) (*http.Cookie, *Identity, *Refused) {
	now, secure, key := time.Now(), g.o.Secure(r), g.sessions.theKey()
	if key == (Key{}) {
		return nil, nil, &Refused{Status: http.StatusConflict, Detail: "nobody can sign in without a TCP port: set server.listen, such as 127.0.0.1:7770"}
	}
	var h *holder
	what := "the token is not valid: it is unknown, revoked or expired"
	if code != "" {
		what = "the link is not valid: it was used, or is older than 10 minutes; evrun open makes another"
		if hash, ok := g.sessions.redeem(code, now); ok {
			h = g.o.Tokens.ofHash(hash, now)
		}
	} else if plausible(token) {
		h = g.o.Tokens.of(token)
	}
	if h == nil {
		no := g.guessed(r, what)
		g.note(r, nil, no)
		return nil, nil, &Refused{Status: no.status, Detail: no.detail, Retry: no.retry}
	}
	g.sessions.signOutAll(r, secure, now)
	is := newSession(h.Hash, now)
	who := h.identity.signedIn(is)
	g.o.Log.Info("a browser signed in", "token", h.Name, "from", g.o.Client(r).String())
	return key.cookie(key.seal(is), who.expires, secure), who, nil
}

// SignOut ends the session of a request, and returns the cookie that removes it from the browser.
func (g *Gate) SignOut(r *http.Request) *http.Cookie {
	now, secure := time.Now(), g.o.Secure(r)
	g.sessions.signOutAll(r, secure, now) // a page of another origin can't send this
	return g.sessions.theKey().cookie("", time.Time{}, secure)
}
