package hook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/cmd/daemon/daemontest"
	"evrun/cmd/hook"
	"evrun/tasks/search"
)

// sender sends requests to a daemon's hooks, over its socket.
type sender struct {
	*daemontest.Daemon
	http *http.Client
}

func start(t *testing.T, wiring string) *sender {
	t.Helper()
	return senderOf(t, daemontest.Start(t, wiring))
}

func senderOf(t *testing.T, d *daemontest.Daemon) *sender {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(d.Dir, "evrun.sock"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &sender{d, &http.Client{Transport: transport}}
}

type answer struct {
	status int
	header http.Header
	text   string
}

// post sends a request: its headers are pairs.
func (s *sender) post(t *testing.T, path, body string, headers ...string) answer {
	t.Helper()
	return s.send(t, http.MethodPost, path, strings.NewReader(body), headers...)
}

func (s *sender) send(t *testing.T, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://evrun"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (a answer) want(t *testing.T, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.text, text) {
		t.Errorf("%d %s; want %d with %q", a.status, a.text, status, text)
	}
}

// last returns the newest event, as JSON.
func (s *sender) last(t *testing.T) map[string]any {
	t.Helper()
	page, _, err := s.Events(t.Context(), search.Selection{}, api.Paging{Limit: 1})
	if err != nil || len(page) == 0 {
		t.Fatal(page, err)
	}
	text, err := json.Marshal(page[0])
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (s *sender) status(t *testing.T, name string) hook.Traffic {
	t.Helper()
	st, err := s.Hook(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func signed(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

const github = `
hooks:
  - name: github
    verify: {scheme: hmac-sha256, header: X-Hub-Signature-256, prefix: "sha256=", secret: s3cret-of-github}
    type: github.${ header("X-GitHub-Event") }
    id: ${ header("X-GitHub-Delivery") }
    subject: ${ body.repository.full_name }
    when: header("X-GitHub-Event") != "ping"
`

func TestASignedRequestBecomesAnEvent(t *testing.T) {
	t.Parallel()
	s := start(t, github)
	body := `{"ref":"refs/heads/main","repository":{"full_name":"ada/shop"},"n":9007199254740993}`
	headers := []string{"Content-Type", "application/json", "X-GitHub-Event", "push", "X-GitHub-Delivery", "72d3162e", "X-Hub-Signature-256", signed("s3cret-of-github", body)}
	s.post(t, "/hooks/github", body, headers...).want(t, http.StatusAccepted, `"id":"72d3162e"`)
	e := s.last(t)
	if e["type"] != "github.push" || e["source"] != "/hooks/github" || e["id"] != "72d3162e" || e["subject"] != "ada/shop" {
		t.Errorf("%v", e)
	}
	s.post(t, "/hooks/github", body, headers...).want(t, http.StatusOK, `"duplicate":true`)
	headers[3] = "ping"
	s.post(t, "/hooks/github", body, headers...).want(t, http.StatusNoContent, "")
	if st := s.status(t, "github"); st.Accepted != 1 || st.Duplicates != 1 || st.Ignored != 1 || st.Rejected != 0 || st.AcceptedAt == nil {
		t.Errorf("%+v", st)
	}
	if got := s.last(t); got["seq"] != e["seq"] {
		t.Errorf("an ignored request made an event: %v", got)
	}
}

func TestAWrongSignatureIsListedAndCostsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, github)
	a := s.post(t, "/hooks/github", `{"a":1}`, "X-GitHub-Event", "push", "X-GitHub-Delivery", "1", "X-Hub-Signature-256", signed("wrong", `{"a":1}`), "Authorization", "Bearer abc", "User-Agent", "tester")
	a.want(t, http.StatusUnauthorized, "the request is not signed as it must be")
	s.post(t, "/hooks/github", `{"a":1}`).want(t, http.StatusUnauthorized, "")
	st := s.status(t, "github")
	if st.Rejected != 2 || st.Reasons[hook.Signature] != 2 || len(st.Rejections) != 2 {
		t.Fatalf("%+v", st)
	}
	first := st.Rejections[1]
	if first.Status != 401 || !strings.Contains(first.Detail, "does not match") || first.Headers["User-Agent"] != "tester" || first.Headers["X-Github-Event"] != "push" {
		t.Errorf("%+v", first)
	}
	if first.At.Nanosecond()%1000 != 0 || first.At.IsZero() {
		t.Errorf("at %v has more than microseconds, as no other time has", first.At)
	}
	for name := range first.Headers {
		if strings.Contains(name, "Signature") || name == "Authorization" {
			t.Errorf("the header %s is kept", name)
		}
	}
	page, _, err := s.Events(t.Context(), search.Selection{}, api.Paging{Limit: 100})
	for _, e := range page {
		if !strings.HasPrefix(e.Type, "evrun.") {
			t.Errorf("a refused request made an event: %v, %v", e, err)
		}
	}
}

func TestOnlyTheLastHundredRejectionsAreKept(t *testing.T) {
	t.Parallel()
	s := start(t, "hooks: [{name: a, type: a.b, verify: {scheme: token, header: X-Token, secret: 0123456789abcdef}}]\n")
	for i := range 130 {
		s.post(t, "/hooks/a", "{}", "X-Request-Id", fmt.Sprint(i)).want(t, 401, "")
	}
	st := s.status(t, "a")
	if st.Rejected != 130 || len(st.Rejections) != hook.Kept || st.Rejections[0].Headers["X-Request-Id"] != "129" || st.Rejections[99].Headers["X-Request-Id"] != "30" {
		t.Errorf("%d, %d, %v … %v", st.Rejected, len(st.Rejections), st.Rejections[0], st.Rejections[len(st.Rejections)-1])
	}
}

func TestAnUnknownHookAndAWrongMethod(t *testing.T) {
	t.Parallel()
	s := start(t, "hooks: [{name: a, type: a.b, verify: none}]\n")
	s.post(t, "/hooks/b", "{}").want(t, 404, `"no such path: /hooks/b"`)
	s.send(t, "GET", "/hooks/b", nil).want(t, 404, `"no such path: /hooks/b"`)
	a := s.send(t, "GET", "/hooks/a", nil)
	if a.want(t, 405, "a hook takes POST"); a.header.Get("Allow") != "POST" {
		t.Error(a.header)
	}
	s.send(t, "OPTIONS", "/hooks/a", nil).want(t, 405, "")
	s.send(t, "PUT", "/hooks/a", nil).want(t, 405, "")
}
