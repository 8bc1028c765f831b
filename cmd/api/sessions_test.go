package api

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

// TestAPageHasTheRightsOfWhoLooksAtIt: a page asks the API within the daemon. Each route refuses it what it would refuse who looks at the page, also when a page asks
// for less than what it shows.
func TestAPageHasTheRightsOfWhoLooksAtIt(t *testing.T) {
	tokens := access.NewTokens()
	var all []access.Token
	for name, texts := range map[string][]string{"reader": {"read"}, "operator": {"operate"}, "admin": {"admin"}, "sender": {"emit"}} {
		all = append(all, access.Token{Name: name, Hash: access.HashOf(name), Rights: rights(t, texts...)})
	}
	tokens.Set(access.File, all)
	tokens.Sessions().SetKey(access.Key{1})
	refused := map[string]bool{}
	page := func(server http.Handler) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			for _, route := range Routes {
				method, path, _ := strings.Cut(route.Pattern, " ")
				path = strings.NewReplacer("{", "", "}", "").Replace(path)
				inner := httptest.NewRequestWithContext(r.Context(), method, path+"?no-such-parameter=1", nil) // so that nothing is done
				w := httptest.NewRecorder()
				server.ServeHTTP(w, inner)
				refused[route.Pattern] = w.Code == http.StatusForbidden
			}
		}
	}
	j := &journal{}
	s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000, Tokens: tokens,
		Daemon: &Daemon{Bus: events.NewBus(), Commits: events.NewFeed[store.Commit]()},
		Pages: func(server http.Handler) []shape.Page {
			return []shape.Page{{Pattern: "GET /page", Right: access.Any, Handler: page(server), Refused: func(http.ResponseWriter, *http.Request, *Problem) {}}}
		}})
	look := func(r *http.Request) {
		t.Helper()
		clear(refused)
		w := httptest.NewRecorder()
		if s.gated.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("the page: %d %s", w.Code, w.Body)
		}
	}
	for _, token := range all {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/sign-in", nil)
		cookie, _, no := s.door.SignIn(r, token.Name, "")
		if no != nil {
			t.Fatalf("%+v", no)
		}
		r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/page", nil)
		r.AddCookie(cookie)
		look(r)
		for _, route := range Routes {
			if want := route.Local || !token.Rights.Allow(route.Right); refused[route.Pattern] != want {
				t.Errorf("a page that %s looks at: %s is refused: %v, want %v", token.Name, route.Pattern, refused[route.Pattern], want)
			}
		}
		if len(refused) != len(Routes) {
			t.Errorf("%d of %d routes were asked", len(refused), len(Routes))
		}
	}
	clear(refused)
	s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/page", nil)) // by the socket
	if slices.Contains(slices.Collect(maps.Values(refused)), true) {
		t.Errorf("by the socket: %v", refused)
	}
}

// TestAPageThatDoesNotExist: a person sees a page, and a program a problem, after both have signed in.
func TestAPageThatDoesNotExist(t *testing.T) {
	tokens := access.NewTokens()
	tokens.Set(access.File, []access.Token{{Name: "ci", Hash: access.HashOf("secret"), Rights: rights(t, "read")}})
	j := &journal{}
	s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000, Tokens: tokens, Pages: func(http.Handler) []shape.Page {
		return []shape.Page{{Pattern: "GET /sign-in", Right: access.Open, Handler: http.NotFoundHandler(), Refused: func(w http.ResponseWriter, _ *http.Request, p *Problem) {
			w.WriteHeader(p.Status)
			_, _ = io.WriteString(w, "<p>"+p.Detail)
		}}}
	}})
	for _, x := range []struct {
		path, token, accept string
		status              int
		answer              string
	}{
		{"/nothing", "", "text/html,*/*", 303, `<a href="/sign-in?next=%2Fnothing">`},
		{"/nothing", "secret", "text/html,*/*", 404, "<p>There is no such page: /nothing"},
		{"/nothing", "secret", "*/*", 404, `"no such path: /nothing"`},
		{"/nothing", "", "*/*", 401, `"a token is needed`},
		{"/v1/nothing", "", "text/html", 401, `"a token is needed`},
		{"/v1/nothing", "secret", "text/html", 404, `"no such path: /v1/nothing"`},
		{"/sign-in/x", "", "text/html", 303, `<a href="/sign-in">`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+x.path, nil)
		r.Header.Set("Accept", x.accept)
		if x.token != "" {
			r.Header.Set("Authorization", "Bearer "+x.token)
		}
		w := httptest.NewRecorder()
		if s.gated.ServeHTTP(w, r); w.Code != x.status || !strings.Contains(w.Body.String(), x.answer) {
			t.Errorf("%s with %q for %s: %d %s", x.path, x.token, x.accept, w.Code, w.Body)
		}
	}
}

// TestAFormSignsIn: without scripts, a browser signs in and out by forms, and goes on to a page of this server only.
func TestAFormSignsIn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tokens := access.NewTokens()
	tokens.Set(access.File, []access.Token{{Name: "ci", Hash: access.HashOf("secret"), Rights: rights(t, "read")}})
	tokens.Sessions().SetKey(access.Key{1})
	j := &journal{}
	s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000, Tokens: tokens})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeTCP(l, nil)
	}()
	defer func() {
		_ = s.Close(t.Context())
		<-done
	}()
	send := func(path, body string, headers ...string) *http.Response {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		head := append([]string{"POST " + path + " HTTP/1.1", "Host: localhost", "Content-Type: application/x-www-form-urlencoded", fmt.Sprint("Content-Length: ", len(body))}, headers...)
		_, _ = io.WriteString(c, strings.Join(head, "\r\n")+"\r\n\r\n"+body)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		if strings.Contains(string(text), "secret") || strings.Contains(fmt.Sprint(res.Header), "secret") {
			t.Errorf("%s: the answer has the token: %s %s", body, res.Header, text)
		}
		return res
	}
	for _, x := range []struct {
		body, headers, next string
		status              int
		cookie              bool
	}{
		{"token=secret&next=%2Fruns%3Fstate%3Ddead", "", "/runs?state=dead", 303, true},
		{"token=+secret%0A&next=", "", "/", 303, true},
		{"token=secret&next=https%3A%2F%2Fevil.example", "", "/", 303, true},
		{"token=secret&next=%2F%2Fevil.example", "", "/", 303, true},
		{"token=wrong&next=%2Fruns", "", "/sign-in?failed=401&next=%2Fruns", 303, false},
		{"", "", "/sign-in?failed=401&next=%2F", 303, false},
		{"token=secret", "Origin: https://evil.example", "", 403, false},
		{"token=secret", "Sec-Fetch-Site: cross-site", "", 403, false},
		{"token=secret", "Host: evil.example", "", 400, false}, // two
		{"token=" + strings.Repeat("x", 20_000), "", "", 400, false},
	} {
		var headers []string
		if x.headers != "" {
			headers = append(headers, x.headers)
		}
		res := send("/sign-in", x.body, headers...)
		if res.StatusCode != x.status || res.Header.Get("Location") != x.next || (len(res.Cookies()) > 0) != x.cookie {
			t.Errorf("%.80s %s: %d %s", x.body, x.headers, res.StatusCode, res.Header)
		}
	}
	res := send("/sign-out", "")
	if cookies := res.Cookies(); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/sign-in" || len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("%d %s", res.StatusCode, res.Header)
	}
	if res := send("/sign-in", "token=secret", "Content-Length: 3"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("two lengths: %d", res.StatusCode)
	}
}

// TestAnotherHostCantSignIn: a web page whose name leads to this machine can't try tokens here.
func TestAnotherHostCantSignIn(t *testing.T) {
	send := gated(t, access.Token{Name: "ci", Hash: access.HashOf("secret"), Rights: rights(t, "read")})
	for _, path := range []string{"/sign-in", "/sign-out"} {
		got := send("POST " + path + " HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n" + `{"token":"secret"}`)
		if len(got) == 0 || got[0] != http.StatusMisdirectedRequest {
			t.Errorf("%s: %v", path, got)
		}
	}
}
