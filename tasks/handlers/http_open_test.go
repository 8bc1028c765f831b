package handlers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"evrun/tasks"
)

func TestEachConcurrentAttemptKeepsItsConnection(t *testing.T) {
	const n = 20
	var opened atomic.Int32
	arrived, together := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-together
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	h := request(t, map[string]any{"url": server.URL}, Deps{})
	h.Open(tasks.Surroundings{Concurrency: n})
	for range 3 {
		var attempts sync.WaitGroup
		for range n {
			attempts.Go(func() {
				if _, err := h.Do(context.Background(), delivery(`{}`)); err != nil {
					t.Error(err)
				}
			})
		}
		for range n {
			<-arrived
		}
		for range n {
			together <- struct{}{}
		}
		attempts.Wait()
	}
	if opened.Load() != n {
		t.Errorf("%d connections for 3 rounds of %d attempts", opened.Load(), n)
	}
}

func TestAResultThatNobodyReadsIsNotMade(t *testing.T) {
	server, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			w.Header().Set("Content-Length", "100")
		case "/refused":
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		fmt.Fprint(w, "no such field")
	})
	for path, want := range map[string]string{
		"/":        "",
		"/short":   "200 OK, but its body broke off after 13 bytes",
		"/refused": `422 Unprocessable Entity: "no such field"`,
	} {
		h := request(t, map[string]any{"url": server.URL + path}, Deps{})
		h.Open(tasks.Surroundings{ResultUnused: true})
		result, err := h.Do(context.Background(), delivery(`{}`))
		if result != nil || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", path, result, err)
		}
	}
}

func TestAttributesAreHeadersOfCloudEvents(t *testing.T) {
	server, got := recorder(t, nil)
	h := request(t, map[string]any{"url": server.URL}, Deps{})
	d := delivery(`{}`)
	d.Event.Subject, d.Event.Extensions = `50 % "é"`, map[string]any{"traceparent": "a b", "n": int32(7)}
	for range 2 { // the second request has nothing of the first
		if _, err := h.Do(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		d.RunID = "8-h-abcdefgh"
	}
	for i, r := range got() {
		for name, want := range map[string]string{
			"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/test", "ce-type": "user.registered", "ce-seq": "7",
			"ce-subject": "50%20%25%20%22%C3%A9%22", "ce-traceparent": "a%20b", "ce-n": "7",
			"Idempotency-Key": fmt.Sprintf("%d-h-abcdefgh", 7+i), "Content-Type": "application/json", "User-Agent": "evrun",
		} {
			if v := r.header.Values(name); len(v) != 1 || v[0] != want {
				t.Errorf("request %d: %s is %q, want %q", i, name, v, want)
			}
		}
	}
}
