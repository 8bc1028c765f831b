package access

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// browser sends requests through a gate, and keeps its cookies as a browser does.
type browser struct {
	t       *testing.T
	handler http.Handler
	gate    *Gate
	tokens  *Tokens
	cookie  *http.Cookie
}

// browserOf makes a browser, and a gate with routes for each right. The tokens are 1 (admin), 2 (read) and 3 (emit).
func browserOf(t *testing.T) *browser {
	t.Helper()
	tokens := NewTokens()
	tokens.Set(Owner, []Token{{Name: OwnerName, Hash: HashOf("1"), Rights: all}})
	tokens.Set(Stored, []Token{token(t, "reader", "2", "read"), token(t, "sender", "3", "emit a.>")})
	tokens.Sessions().SetKey(keyOf("owner"))
	b := &browser{t: t, tokens: tokens}
	b.gate = New(Options{Tokens: tokens, Log: slog.New(slog.DiscardHandler), Client: func(*http.Request) netip.Addr { return netip.MustParseAddr("127.0.0.1") },
		Refuse: func(w http.ResponseWriter, _ *http.Request, no Refused) { http.Error(w, no.Detail, no.Status) }})
	mux, rules := http.NewServeMux(), map[string]Rule{}
	for pattern, rule := range map[string]Rule{
		"GET /runs": {Right: Read, Page: true}, "GET /sign-in": {Right: Open, Page: true, Host: true}, "GET /v1/runs": {Right: Read}, "POST /v1/pause": {Right: Operate}, "GET /v1/session": {Right: Any},
	} {
		rules[pattern] = rule
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, From(r.Context()).Name()) })
	}
	b.handler = b.gate.Handler(mux, rules, http.NotFoundHandler())
	return b
}

// request is a request of a page of this server, or with the given headers.
func (b *browser) request(method, path string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, nil)
	r.Host = "localhost:7770"
	if b.cookie != nil {
		r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	if len(headers) == 0 {
		headers = []string{"Sec-Fetch-Site", "same-origin"}
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

func (b *browser) ask(method, path string, headers ...string) int {
	return b.send(b.request(method, path, headers...)).Code
}

// signIn signs in with a token or a code.
func (b *browser) signIn(token, code string) *Refused {
	b.t.Helper()
	cookie, _, no := b.gate.SignIn(b.request("POST", "/sign-in"), token, code)
	if no == nil {
		b.cookie = cookie
	}
	return no
}

func TestASessionMayWhatItsTokenMay(t *testing.T) {
	b := browserOf(t)
	for token, want := range map[string]map[string]int{
		"1": {"GET /v1/runs": 200, "POST /v1/pause": 200, "GET /runs": 200, "GET /v1/session": 200},
		"2": {"GET /v1/runs": 200, "POST /v1/pause": 403, "GET /runs": 200, "GET /v1/session": 200},
		"3": {"GET /v1/runs": 403, "POST /v1/pause": 403, "GET /runs": 403, "GET /v1/session": 200},
	} {
		if no := b.signIn(token, ""); no != nil {
			t.Fatalf("%+v", no)
		}
		for route, status := range want {
			method, path, _ := strings.Cut(route, " ")
			if got := b.ask(method, path); got != status {
				t.Errorf("%s with token %s: %d, want %d", route, token, got, status)
			}
		}
	}
	if c := b.cookie; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.Domain != "" || strings.Contains(c.Value, "3") && len(c.Value) < 100 {
		t.Errorf("%+v", c)
	}
	secure := b.request("POST", "/sign-in")
	b.gate.o.Secure = func(*http.Request) bool { return true }
	if c, _, _ := b.gate.SignIn(secure, "1", ""); !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("with TLS: %+v", c)
	}
}

// What somebody has made of a cookie, or has another key, is no session; and a page leads to the one where browsers sign in.
func TestOnlyItsOwnCookieIsASession(t *testing.T) {
	b := browserOf(t)
	if w := b.send(b.request("GET", "/runs?state=dead&x=%2F")); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sign-in?next=%2Fruns%3Fstate%3Ddead%26x%3D%252F" {
		t.Errorf("without a session: %d %s", w.Code, w.Header())
	}
	b.signIn("1", "")
	good := b.cookie.Value
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := append([]byte{}, raw...)
		changed[i] ^= 1
		b.cookie.Value = base64.RawURLEncoding.EncodeToString(changed)
		if got := b.ask("GET", "/v1/runs"); got != http.StatusUnauthorized {
			t.Errorf("byte %d changed: %d", i, got)
		}
	}
	other := newSession(HashOf("1"), time.Now())
	for name, value := range map[string]string{
		"nothing": "", "a token": "1", "cut": good[:len(good)-1], "longer": good + "A", "of another key": keyOf("other").seal(other), "of no key": Key{}.seal(other),
		"of a token that does not exist": keyOf("owner").seal(newSession(HashOf("4"), time.Now())),
		"that has ended":                 keyOf("owner").seal(newSession(HashOf("1"), time.Now().Add(-SessionLasts))),
		"of the future":                  keyOf("owner").seal(newSession(HashOf("1"), time.Now().Add(2*time.Hour))),
	} {
		b.cookie.Value = value
		if got := b.ask("GET", "/v1/runs"); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
		if got := b.ask("GET", "/runs"); got != http.StatusSeeOther {
			t.Errorf("%s, a page: %d", name, got)
		}
	}
	b.cookie.Value = good
	if got := b.ask("GET", "/v1/runs"); got != http.StatusOK {
		t.Errorf("as it was: %d", got)
	}
	r := b.request("GET", "/v1/runs")
	r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: good})
	if w := b.send(r); w.Code != http.StatusOK {
		t.Errorf("twice the same: %d", w.Code)
	}
	r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: keyOf("owner").seal(newSession(HashOf("2"), time.Now()))})
	if w := b.send(r); w.Code != http.StatusUnauthorized {
		t.Errorf("two that differ: %d, and one of them was set by somebody else", w.Code)
	}
	if one, another := keyOf("a").cookieName(false), keyOf("b").cookieName(false); one == another {
		t.Error("two daemons of a host share a cookie")
	}
}

// Browsers send cookies to all ports of a host: a page of another port must not use the session, and one of another site even less.
func TestASessionIsForPagesOfThisServer(t *testing.T) {
	b := browserOf(t)
	if w := b.send(b.request("GET", "/sign-in")); w.Code != 200 || w.Body.String() != "" {
		t.Errorf("the page where browsers sign in, without a session: %d %s", w.Code, w.Body)
	}
	b.signIn("1", "")
	if w := b.send(b.request("GET", "/sign-in")); w.Body.String() != OwnerName {
		t.Errorf("the page where browsers sign in doesn't know who is signed in: %d %s", w.Code, w.Body)
	}
	const site, mode, dest = "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"
	for _, x := range []struct {
		what          string
		headers       []string
		reads, writes bool
	}{
		{"a page of this server", []string{site, "same-origin", mode, "cors"}, true, true},
		{"a URL that was typed", []string{site, "none", mode, "navigate", dest, "document"}, true, false},
		{"a link of another port", []string{site, "same-site", mode, "navigate", dest, "document"}, true, false},
		{"a script of another port", []string{site, "same-site", mode, "cors"}, false, false},
		{"a picture of another port", []string{site, "same-site", mode, "no-cors", dest, "image"}, false, false},
		{"a frame of another port", []string{site, "same-site", mode, "navigate", dest, "iframe"}, false, false},
		{"a script of another site", []string{site, "cross-site", mode, "no-cors", dest, "script"}, false, false},
		{"a form of another site", []string{site, "cross-site", mode, "navigate", dest, "document", "Origin", "https://evil.example"}, true, false},
		{"an older browser", []string{"Origin", "http://localhost:7770"}, true, true},
		{"an older browser, another port", []string{"Origin", "http://localhost:3000"}, false, false},
		{"an older browser, no origin", []string{"Origin", "null"}, false, false},
		{"a program", []string{"X", "y"}, true, false},
	} {
		if got := b.ask("GET", "/v1/runs", x.headers...); got != 200 && got != 403 || (got == 200) != x.reads {
			t.Errorf("%s reads: %d", x.what, got)
		}
		if got := b.ask("POST", "/v1/pause", x.headers...); got != 200 && got != 403 || (got == 200) != x.writes {
			t.Errorf("%s writes: %d", x.what, got)
		}
	}
}

func TestASessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := browserOf(t)
		status := func(what string, want int) {
			t.Helper()
			if got := b.ask("GET", "/v1/runs"); got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		b.signIn("2", "")
		time.Sleep(SessionLasts - time.Minute)
		status("a minute before its end", 200)
		time.Sleep(time.Minute)
		status("at its end", 401)
		b.signIn("2", "")
		b.tokens.Set(Stored, nil)
		status("its token is revoked", 401)
		b.tokens.Set(Stored, []Token{token(t, "reader", "2", "read")})
		status("its token is back", 200)
		streams, leave, ok := b.tokens.Sessions().hold(sessionIn(t, b))
		link, _, _ := b.tokens.Link(b.tokens.of("2").identity, time.Now())
		b.tokens.Sessions().SetKey(keyOf("owner"))
		if !ok || streams.Err() != nil {
			t.Error("a reload with the same owner's token ends a request")
		}
		b.tokens.Sessions().SetKey(keyOf("new"))
		status("the owner's token is another", 401)
		if streams.Err() == nil {
			t.Error("a request of a session goes on after the owner's token was replaced")
		}
		leave()
		if no := b.signIn("", link); no == nil {
			t.Error("a link of before signs in after the owner's token was replaced")
		}
		b.tokens.Sessions().SetKey(keyOf("owner"))
		status("the owner's token is back", 200)

		was := b.cookie
		ctx, release, ok := b.tokens.Sessions().hold(sessionIn(t, b))
		if !ok {
			t.Fatal("no request can begin")
		}
		defer release()
		out := b.gate.SignOut(b.request("POST", "/sign-out"))
		if out.MaxAge >= 0 || out.Name != was.Name || out.Value != "" {
			t.Errorf("%+v does not remove the cookie", out)
		}
		status("signed out", 401)
		if ctx.Err() == nil {
			t.Error("a request that the session has begun goes on")
		}
		b.cookie = nil
		b.signIn("2", "")
		status("signed in again", 200)
		if b.cookie.Value == was.Value {
			t.Error("the session is the one from before")
		}
		before := b.cookie
		b.signIn("2", "")
		status("signed in twice", 200)
		b.cookie = before
		status("the session of before", 401)
	})
}

// A page of another port can set a second cookie, with which no session is taken. Signing out ends the session nevertheless.
func TestASecondCookieDoesNotKeepASession(t *testing.T) {
	b := browserOf(t)
	b.signIn("2", "")
	r := b.request("POST", "/sign-out")
	r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: "tossed"})
	b.gate.SignOut(r)
	if got := b.ask("GET", "/v1/runs"); got != http.StatusUnauthorized {
		t.Errorf("signed out with a second cookie: %d", got)
	}
}

// An older browser says with Origin alone where a request comes from. A page of the same host without TLS is of another origin.
func TestAPageWithoutTLSHasNoSessionWithTLS(t *testing.T) {
	b := browserOf(t)
	b.gate.o.Secure = func(*http.Request) bool { return true }
	b.signIn("1", "")
	for origin, want := range map[string]int{"https://localhost:7770": 200, "http://localhost:7770": 403} {
		if got := b.ask("POST", "/v1/pause", "Origin", origin); got != want {
			t.Errorf("%s: %d, want %d", origin, got, want)
		}
	}
}

func sessionIn(t *testing.T, b *browser) session {
	t.Helper()
	is, _, ok := b.tokens.Sessions().of(b.request("GET", "/"), false, time.Now())
	if !ok {
		t.Fatal("no session")
	}
	return is
}

func TestALinkSignsInOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := browserOf(t)
		link := func(who *Identity) string {
			t.Helper()
			code, until, ok := b.tokens.Link(who, time.Now())
			if !ok || time.Until(until) != LinkLasts {
				t.Fatalf("%v, until %v", ok, until)
			}
			return code
		}
		code := link(local)
		if no := b.signIn("", code); no != nil {
			t.Fatalf("%+v", no)
		}
		if w := b.send(b.request("GET", "/v1/session")); w.Body.String() != OwnerName {
			t.Errorf("by the socket: %s", w.Body)
		}
		if no := b.signIn("", code); no == nil || no.Status != http.StatusUnauthorized {
			t.Errorf("twice: %+v", no)
		}
		code = link(b.tokens.of("2").identity)
		if no := b.signIn("", code); no != nil {
			t.Fatalf("%+v", no)
		}
		if got := b.ask("POST", "/v1/pause"); got != http.StatusForbidden {
			t.Errorf("the link of a reader: %d", got)
		}
		code = link(b.tokens.of("2").identity)
		b.tokens.Set(Stored, nil)
		if no := b.signIn("", code); no == nil {
			t.Error("the link of a revoked token")
		}
		code = link(local)
		time.Sleep(LinkLasts)
		if no := b.signIn("", code); no == nil {
			t.Error("after its time")
		}
		first := link(local)
		for range mostCodes {
			time.Sleep(time.Millisecond)
			code = link(local)
		}
		if n := len(b.tokens.sessions.codes); n > mostCodes {
			t.Errorf("%d links are remembered", n)
		}
		if no := b.signIn("", first); no == nil {
			t.Error("the oldest of too many is valid")
		}
		if no := b.signIn("", code); no != nil {
			t.Errorf("the newest: %+v", no)
		}
		limited := 0
		for range 3 * failuresAtOnce {
			if no := b.signIn("", "GUESS"); no.Status == http.StatusTooManyRequests {
				limited++
			}
		}
		if limited < failuresAtOnce {
			t.Errorf("only %d guesses were limited", limited)
		}
		if no := b.signIn("1", ""); no != nil {
			t.Errorf("a valid token after guesses: %+v", no)
		}
	})
	if _, _, ok := NewTokens().Link(local, time.Now()); ok {
		t.Error("a link without a TCP port")
	}
}

func TestABrowserGoesOnToThisServerOnly(t *testing.T) {
	for text, want := range map[string]string{
		"/runs": "/runs", "/runs?state=dead&q=a%20b": "/runs?state=dead&q=a%20b", "/events/1": "/events/1", "/": "/",
		"": "/", "runs": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "/\t/evil.example": "/", "/\n/evil.example": "/",
		"https://evil.example": "/", "https:evil.example": "/", "javascript:alert(1)": "/", "/ /evil": "/", "/%2fevil.example": "/", "/%2F/evil": "/", "/runs\x00": "/", "/%zz": "/",
		"/sign-in?next=/sign-in": "/", "/./sign-in#code=x": "/", "/runs/../sign-in#code=x": "/", "/%2e/sign-in#code=x": "/", "/sign-out": "/", "/ü": "/", "@evil.example": "/", "/runs#x": "/runs#x",
	} {
		if got := Next(text); got != want {
			t.Errorf("%q leads to %q, want %q", text, got, want)
		}
	}
}

// Those that signed out are forgotten when they would have ended, and when there are too many.
func TestSignedOutSessionsAreBounded(t *testing.T) {
	var s Sessions
	now := time.Now()
	first := newSession(Hash{}, now)
	s.signOut(first, now)
	for range mostEnded + 10 {
		s.signOut(newSession(Hash{}, now.Add(time.Second)), now)
	}
	if _, _, ok := s.hold(first); len(s.ended) > mostEnded || !ok {
		t.Errorf("%d are remembered", len(s.ended))
	}
	s.signOut(newSession(Hash{}, now), now.Add(SessionLasts+time.Hour))
	if len(s.ended) != 1 {
		t.Errorf("%d are remembered after their end", len(s.ended))
	}
}
