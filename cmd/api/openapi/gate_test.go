package openapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/daemon/daemontest"
)

// rights are what each route of the document asks for by TCP. A new route needs a line here; it is written by hand, so that a wrong declaration of a
// route shows.
var rights = map[string]string{
	"POST /v1/events": "emit", "POST /v1/events/{type}": "emit",
	"GET /v1/events": "read", "GET /v1/events/{id}": "read", "GET /v1/events/{id}/explain": "read", "GET /v1/events/{id}/chain": "read",
	"GET /v1/types": "read", "GET /v1/types/{type}": "read",
	"GET /v1/stream": "read", "POST /v1/explain": "read", "POST /v1/replay": "operate",
	"GET /v1/runs": "read", "GET /v1/runs/summary": "read", "GET /v1/runs/{id}": "read", "GET /v1/runs/{id}/logs": "read",
	"POST /v1/runs/{id}/retry": "operate", "POST /v1/runs/{id}/cancel": "operate", "POST /v1/runs/{id}/drop": "operate", "POST /v1/runs/{id}/edit": "operate",
	"POST /v1/batches": "operate", "GET /v1/batches": "read", "GET /v1/batches/{id}": "read", "POST /v1/batches/{id}/stop": "operate",
	"GET /v1/schedules": "read", "GET /v1/schedules/{name}": "read", "POST /v1/schedules/{name}/fire": "operate", "POST /v1/schedules/{name}/backfill": "operate",
	"GET /v1/slots": "read", "GET /v1/slots/days": "read",
	"POST /v1/schedules/{name}/pause": "operate", "POST /v1/schedules/{name}/resume": "operate",
	"GET /v1/handlers": "read", "GET /v1/handlers/{name}": "read", "POST /v1/handlers/{name}/pause": "operate", "POST /v1/handlers/{name}/resume": "operate",
	"POST /v1/handlers/{name}/forget": "operate",
	"GET /v1/users":                   "read", "POST /v1/users": "operate", "GET /v1/users/{key}": "read", "GET /v1/users/export": "read",
	"GET /v1/tokens": "admin", "POST /v1/tokens": "admin", "POST /v1/tokens/{name}/revoke": "admin", "GET /v1/session": "any", "POST /v1/links": "admin",
	"POST /sign-in": "browser", "POST /sign-out": "browser",
	"GET /v1/wiring": "read", "GET /v1/wiring/files": "admin", "POST /v1/wiring/what-if": "admin",
	"GET /v1/status": "read", "GET /v1/doctor": "operate", "GET /v1/activity": "read", "POST /v1/reload": "operate", "POST /v1/prune": "admin", "POST /v1/backup": "local",
	"GET /v1/openapi.json": "read", "GET /metrics": "read", "GET /healthz": "open", "GET /readyz": "open",
	"GET /hooks/{name}": "open", "POST /hooks/{name}": "open", "OPTIONS /hooks/{name}": "open", "GET /v1/hooks": "read", "GET /v1/hooks/{name}": "read",
}

// strangers sends requests by TCP, as anybody could write them.
type strangers struct {
	*testing.T
	at    string // address and port
	sent  int
	conn  net.Conn // kept from one request to the next, as far as the daemon does; nil: none
	in    *bufio.Reader
	token map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	detail string
}

// send sends a request with the given lines of headers. Each comes from another address, as far as the daemon knows, so that wrong tokens are not limited.
func (s *strangers) send(method, target, host, body string, headers ...string) answer {
	s.Helper()
	if s.conn == nil {
		c, err := net.Dial("tcp", s.at)
		if err != nil {
			s.Fatal(err)
		}
		s.conn, s.in = c, bufio.NewReader(c)
	}
	_ = s.conn.SetDeadline(time.Now().Add(time.Minute))
	s.sent++
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + host, fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d", s.sent>>16, s.sent>>8&255, s.sent&255),
		fmt.Sprintf("Content-Length: %d", len(body))}, headers...)
	if _, err := io.WriteString(s.conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		s.Fatal(err)
	}
	res, err := http.ReadResponse(s.in, &http.Request{Method: method})
	if err != nil {
		s.Fatalf("%s %s %q: %v", method, target, headers, err)
	}
	defer res.Body.Close()
	detail := ""
	if res.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(res.Body)
		if strings.Contains(res.Header.Get("Content-Type"), "problem") {
			detail = string(text)
		}
	}
	if res.Close || res.Header.Get("Content-Type") == "text/event-stream" {
		s.conn.Close()
		s.conn = nil
	}
	return answer{res.StatusCode, res.Header, detail}
}

func (s *strangers) bearer(name string) string { return "Authorization: Bearer " + s.token[name] }

// passes reports whether an answer is the route's, and not the gate's.
func (a answer) passes() bool {
	switch a.status {
	case http.StatusUnauthorized, http.StatusMisdirectedRequest:
		return false
	case http.StatusForbidden:
		return !strings.Contains(a.detail, "right") && !strings.Contains(a.detail, "socket only") && !strings.Contains(a.detail, "origin")
	case http.StatusUnsupportedMediaType:
		return !strings.Contains(a.detail, "a form can't be sent here")
	case http.StatusBadRequest:
		return !strings.Contains(a.detail, "a token in the URL")
	}
	return true
}

const jsonType = "Content-Type: application/json"

func TestEveryRouteIsBehindTheGate(t *testing.T) {
	t.Parallel()
	s := &strangers{T: t, token: map[string]string{"expired": access.NewSecret(), "revoked": ""}}
	wiring := "server:\n  listen: 127.0.0.1:0\n  watch: false\n  trusted_proxies: [127.0.0.1]\n  tokens:\n"
	for name, rights := range map[string]string{"read": "read", "operate": "operate", "admin": "admin", "emit": "emit", "other": `"emit other.>"`} {
		s.token[name] = access.NewSecret()
		wiring += fmt.Sprintf("    - {name: %s, hash: %q, rights: [%s]}\n", name, access.HashOf(s.token[name]), rights)
	}
	wiring += fmt.Sprintf("    - {name: expired, hash: %q, rights: [admin], expires: 2020-01-01T00:00:00Z}\nhandlers: []\n", access.HashOf(s.token["expired"]))
	d := daemontest.Start(t, wiring)
	status, err := d.Status(t.Context())
	if err != nil || status.TCP == nil {
		t.Fatalf("%+v, %v", status.TCP, err)
	}
	s.at = strings.TrimPrefix(status.TCP.URL, "http://")
	made, err := d.CreateToken(t.Context(), api.TokenRequest{Name: "revoked", Rights: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	s.token["revoked"] = made.Secret
	if _, err := d.RevokeToken(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}

	known := map[string]bool{}
	for path, methods := range document(t)["paths"].(object) {
		for method := range methods.(object) {
			route := strings.ToUpper(method) + " " + path
			right, ok := rights[route]
			if known[route] = true; !ok {
				t.Errorf("%s: the table of this test does not say what right it needs", route)
				continue
			}
			if right == "browser" { // see browser_test.go
				continue
			}
			s.route(strings.ToUpper(method), path, right)
		}
	}
	for route := range rights {
		if !known[route] {
			t.Errorf("%s is not in the document", route)
		}
	}
	if len(known) < 40 || s.sent < 1000 {
		t.Errorf("%d routes, %d requests", len(known), s.sent)
	}
}

// allowed are the tokens that a right lets in.
var allowed = map[string][]string{
	"any":  {"read", "operate", "admin", "emit", "other"},
	"open": {"read", "operate", "admin", "emit", "other"}, "read": {"read", "operate", "admin"}, "operate": {"operate", "admin"}, "admin": {"admin"}, "emit": {"emit", "admin"}, "local": nil,
}

func (s *strangers) route(method, path, right string) {
	target := strings.NewReplacer("{id}", "1", "{type}", "a.b", "{name}", "x", "{key}", "x").Replace(path)
	body, open := "", right == "open"
	if method == http.MethodPost {
		body = "{}"
		if path == "/v1/events" {
			body = `{"type":"a.b"}`
		}
	}
	content := jsonType
	if path == "/v1/events" || path == "/v1/explain" {
		content = "Content-Type: application/cloudevents+json"
	}
	route := method + " " + path
	refused := func(what string, want int, a answer) {
		s.Helper()
		if open && want != http.StatusForbidden {
			if !a.passes() {
				s.Errorf("%s, %s: %d %s, and it is open to all", route, what, a.status, a.detail)
			}
			return
		}
		if a.status != want || a.passes() {
			s.Errorf("%s, %s: %d %s, want %d", route, what, a.status, a.detail, want)
		}
		if want == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			s.Errorf("%s, %s: it does not say how to sign in", route, what)
		}
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Cache-Control"} {
			if a.header.Get(name) == "" {
				s.Errorf("%s, %s: without %s", route, what, name)
			}
		}
	}
	refused("no token", 401, s.send(method, target, s.at, body, content))
	for what, headers := range map[string][]string{
		"an unknown token": {"Authorization: Bearer " + access.NewSecret()}, "an expired token": {s.bearer("expired")}, "a revoked token": {s.bearer("revoked")},
		"another scheme": {"Authorization: Basic " + s.token["admin"]}, "no scheme": {"Authorization: " + s.token["admin"]}, "an empty token": {"Authorization: Bearer "},
		"two headers": {s.bearer("admin"), s.bearer("admin")}, "a valid one second": {"Authorization: Bearer x", s.bearer("admin")},
		"a list": {s.bearer("admin") + ", " + s.token["admin"]}, "a cookie": {"Cookie: token=" + s.token["admin"]}, "another header": {"X-Api-Key: " + s.token["admin"], "X-Forwarded-User: root"},
		"the run's header": {"Evrun-Run-Token: " + s.token["admin"]}, "a longer token": {s.bearer("admin") + "A"}, "a shorter token": {s.bearer("admin")[:len(s.bearer("admin"))-1]},
	} {
		refused(what, 401, s.send(method, target, s.at, body, append(headers, content)...))
	}
	refused("a token in the URL", 400, s.send(method, target+"?access_token="+s.token["admin"], s.at, body, content))

	for _, name := range []string{"read", "operate", "admin", "emit", "other"} {
		a := s.send(method, target, s.at, body, s.bearer(name), content)
		switch {
		case slices.Contains(allowed[right], name):
			if !a.passes() {
				s.Errorf("%s with %s: %d %s", route, name, a.status, a.detail)
			}
		case right == "emit" && name == "other": // the route refuses the event's type
			if a.status/100 == 2 || a.status != http.StatusForbidden && path != "/v1/events" {
				s.Errorf("%s with a right for other types: %d %s", route, a.status, a.detail)
			}
		default:
			refused("with "+name, 403, a)
		}
	}

	for _, host := range []string{"evil.example.com", "localhost.evil.example.com", "", "127.0.0.1.nip.io:80", "[::2]"} {
		refused("Host "+host, 421, s.send(method, target, host, body, s.bearer("admin"), content))
	}
	for _, host := range []string{"localhost", "LOCALHOST.:1", "127.0.0.1", "[::1]:7770"} {
		if a := s.send(method, target, host, body, s.bearer("admin"), content); !a.passes() && right != "local" {
			s.Errorf("%s, Host %s: %d %s", route, host, a.status, a.detail)
		}
	}
	if method == http.MethodPost {
		refused("a foreign origin", 403, s.send(method, target, s.at, body, s.bearer("admin"), content, "Origin: https://evil.example.com"))
		refused("no origin", 403, s.send(method, target, s.at, body, s.bearer("admin"), content, "Origin: null"))
		refused("from another site", 403, s.send(method, target, s.at, body, s.bearer("admin"), content, "Sec-Fetch-Site: cross-site"))
		if right != "local" {
			for _, form := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "TEXT/Plain;charset=utf-8"} {
				refused(form, 415, s.send(method, target, s.at, body, s.bearer("admin"), "Content-Type: "+form))
			}
		}
	}
	if !open {
		s.mangled(method, target, body, content, right)
	}
}

// mangled sends a path as it is not meant to be written: it leads nowhere without a token, and nowhere else with one.
func (s *strangers) mangled(method, target, body, content, right string) {
	for _, path := range []string{
		"/" + target, "/x/.." + target, "/./" + target[1:], "/%2e" + target, "/x/%2e%2e" + target, strings.Replace(target, "/v1/", "/v1//", 1), strings.Replace(target, "/v1/", "/v1%2f", 1),
		strings.Replace(target, "/v1/", "/v1/./", 1), strings.Replace(target, "/v1/", "/v1/healthz/../", 1), strings.Replace(target, "/v1/", "/v1/%2e%2e/v1/", 1), strings.ToUpper(target), target + "/", target + "%00", target + ";a=b", target + "/../../healthz",
		"http://" + s.at + target, "/healthz/.." + target, "/healthz%2f.." + target, "/healthz" + target, `\healthz` + target,
	} {
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "http") {
			path = "/" + path
		}
		if a := s.send(method, path, s.at, body, content); a.status/100 == 2 || a.passes() && a.status != http.StatusBadRequest && !strings.HasSuffix(path, "/healthz") {
			s.Errorf("%s %s without a token: %d %s", method, path, a.status, a.detail)
		}
		weak := "other"
		if right == "emit" {
			weak = "read"
		}
		if a := s.send(method, path, s.at, body, content, s.bearer(weak)); a.status/100 == 2 && right != "any" && (right != "emit" || method != http.MethodGet) {
			s.Errorf("%s %s with a token of %s: %d", method, path, weak, a.status)
		}
	}
	for _, override := range []string{"X-HTTP-Method-Override: " + method, "X-HTTP-Method: " + method, "X-Method-Override: " + method} {
		if method == http.MethodPost {
			if a := s.send(http.MethodGet, target+"?_method=POST", s.at, body, content, s.bearer("read"), override); a.status/100 == 2 && right != "emit" && !strings.Contains("/v1/users /v1/batches", target) {
				s.Errorf("GET %s with %s: %d", target, override, a.status)
			}
		}
	}
}
