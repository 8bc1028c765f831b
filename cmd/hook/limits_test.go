package hook_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/cmd/daemon"
	"evrun/cmd/daemon/daemontest"
	"evrun/cmd/hook"
	"evrun/store"
)

// An accepted request is one transaction. A refused one, an ignored one and a challenge write nothing.
func TestAnAcceptedRequestIsOneCommit(t *testing.T) {
	t.Parallel()
	var commits atomic.Int64
	s := senderOf(t, daemontest.Start(t, `
events:
  a.typed: {schema: {type: object, required: [n]}}
hooks:
  - {name: open, verify: none, type: a.b, id: '${ header("X-Id") }', when: query("ping") == nil, max_body: 1KiB, rate: 3/h}
  - {name: shut, verify: {scheme: token, header: X-Token, secret: 0123456789abcdef}, type: a.b, allow: [127.0.0.1]}
  - {name: signed, verify: {scheme: token, header: X-Token, secret: 0123456789abcdef}, type: a.b}
  - {name: typed, verify: none, type: a.typed}
  - {name: asked, verify: none, type: a.b, challenge: [slack, dropbox]}
`, func(o *daemon.Options) {
		o.Tune = func(so *daemon.StoreOptions) {
			wrote := so.Wrote
			so.Wrote = func(w store.Written) {
				if w.Events+w.Known+w.Runs > 0 || w.Err != nil {
					commits.Add(1)
				}
				wrote(w)
			}
		}
	}))
	before := commits.Load()
	for _, x := range []struct {
		path, body string
		headers    []string
		status     int
		commits    int64
	}{
		{"open", "{}", []string{"X-Id", "1"}, 202, 1},
		{"open", "{}", []string{"X-Id", "2"}, 202, 1},
		{"open?ping=1", "{}", nil, 204, 0},
		{"open", "{}", []string{"X-Id", "4"}, 429, 0},
		{"open", strings.Repeat("x", 1025), nil, 413, 0},
		{"open?a=%zz", "{}", nil, 400, 0},
		{"shut", "{}", nil, 403, 0},
		{"signed", "{}", nil, 401, 0},
		{"signed", "{}", []string{"X-Token", "wrong"}, 401, 0},
		{"signed", "{}", []string{"X-Token", "0123456789abcdef"}, 202, 1},
		{"typed", "{}", []string{"Content-Type", "application/json"}, 422, 0},
		{"asked", `{"type":"url_verification","challenge":"x"}`, []string{"Content-Type", "application/json"}, 200, 0},
		{"none", "{}", nil, 404, 0},
	} {
		if s.post(t, "/hooks/"+x.path, x.body, x.headers...).want(t, x.status, ""); commits.Load() != before+x.commits {
			t.Errorf("%s, answered with %d, took %d commits, not %d", x.path, x.status, commits.Load()-before, x.commits)
		}
		before = commits.Load()
	}
	if s.send(t, http.MethodGet, "/hooks/asked?challenge=x", nil).want(t, 200, "x"); commits.Load() != before {
		t.Error("a challenge took a commit")
	}
}

// A request with too many headers is refused, or its connection is closed, and the daemon goes on.
func TestAFloodOfHeadersEndsAlone(t *testing.T) {
	t.Parallel()
	s := start(t, "hooks: [{name: a, type: a.b, verify: none}]\n")
	long := strings.Repeat("x", 100)
	for _, flood := range []func(w io.Writer, i int) error{
		func(w io.Writer, i int) error { _, err := fmt.Fprintf(w, "X-%d: %s\r\n", i, long); return err },
		func(w io.Writer, _ int) error { _, err := io.WriteString(w, long); return err }, // one line without an end
	} {
		c, err := net.Dial("unix", filepath.Join(s.Dir, "evrun.sock"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(c, "POST /hooks/a HTTP/1.1\r\nHost: evrun\r\nContent-Length: 2\r\n")
		sent := 0
		for ; err == nil && sent < 10_000; sent++ {
			err = flood(c, sent)
		}
		if err == nil {
			t.Error("a megabyte of headers was read")
		}
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil { // else it was reset
			if resp.Body.Close(); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("it was answered with %s", resp.Status)
			}
		}
		_ = c.Close()
		s.post(t, "/hooks/a", "{}").want(t, 202, "")
	}
}

// After a reload the file's hooks count: their secrets, names and number. A hook of an included file is one as any other.
func TestReloadedHooks(t *testing.T) {
	t.Parallel()
	s := start(t, "hooks: [{name: a, type: a.b, verify: {scheme: token, header: X-Token, secret: the-first-secret}}, {name: b, type: a.b, verify: none}]\n")
	reload := func(wiring string) {
		t.Helper()
		s.Write(t, wiring)
		if _, err := s.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	with := func(secret string) []string { return []string{"X-Token", secret} }
	s.post(t, "/hooks/a", "{}", with("the-first-secret")...).want(t, 202, "")
	s.post(t, "/hooks/a", "{}", with("the-second-secret")...).want(t, 401, "")
	s.post(t, "/hooks/b", "{}").want(t, 202, "")

	reload("hooks: [{name: a, type: a.b, verify: {scheme: token, header: X-Token, secret: the-second-secret}}, {name: c, type: a.b, verify: none}]\n")
	s.post(t, "/hooks/a", "{}", with("the-first-secret")...).want(t, 401, "")
	s.post(t, "/hooks/a", "{}", with("the-second-secret")...).want(t, 202, "")
	s.post(t, "/hooks/b", "{}").want(t, 404, "no such path: /hooks/b")
	s.post(t, "/hooks/c", "{}").want(t, 202, "")
	if st := s.status(t, "a"); st.Accepted != 2 || st.Reasons[hook.Signature] != 2 {
		t.Errorf("what was counted did not stay: %+v", st)
	}

	s.Write(t, "hooks: [{name: a, type: a.b}]\n")
	if _, err := s.Reload(t.Context()); err == nil {
		t.Error("a hook without verify was taken")
	}
	s.post(t, "/hooks/c", "{}").want(t, 202, "") // the wiring from before goes on

	if err := os.WriteFile(filepath.Join(s.Dir, "more.yaml"), []byte("hooks: [{name: d, type: a.d, verify: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reload("include: [more.yaml]\nhandlers: [{name: note, on: a.>, do: log x}]\n")
	s.post(t, "/hooks/d", "{}").want(t, 202, "")
	s.post(t, "/hooks/a", "{}").want(t, 404, "")
	if e := s.last(t); e["type"] != "a.d" || e["source"] != "/hooks/d" {
		t.Errorf("%v", e)
	}
}
