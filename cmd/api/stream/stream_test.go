package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"evrun/cmd/api/apitest"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/taskstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served are streams of a real store, served over a unix socket: GET /?after=SEQ.
type served struct {
	t       *testing.T
	streams *Streams
	socket  string
}

// serve begins with n events of about 100 KiB.
func serve(t *testing.T, n int) *served {
	t.Helper()
	parts := taskstest.Start(t, taskstest.Options{})
	data := json.RawMessage(`"` + strings.Repeat("x", 100<<10) + `"`)
	for range n {
		if _, err := parts.Emitter.Emit(t.Context(), &events.Event{Type: "x.y", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	s := &served{t: t, streams: New(Options{Journal: parts.Store, Bus: parts.Bus, Commits: parts.Commits,
		Runs: func(context.Context, []store.Run) []any { return nil }, WriteTimeout: time.Minute})}
	closing, end := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		if err != nil {
			t.Error(err)
		}
		head, err := parts.Store.Head(t.Context())
		if err != nil {
			t.Error(err)
		}
		_ = s.streams.Serve(closing, w, Query{Filter: Filter{Events: true}, After: after, Head: head}) // most of their readers never read
	}))
	l, socket := apitest.Listen(t)
	s.socket = socket
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(func() {
		end()
		server.CloseClientConnections()
		server.Close()
		s.streams.Wait()
	})
	return s
}

// open opens a stream, and reads nothing.
func (s *served) open(after int) net.Conn {
	s.t.Helper()
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "GET /?after=%d HTTP/1.1\r\nHost: evrun\r\n\r\n", after); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// read reads a stream after an event up to the last event, and returns where it ended.
func (s *served) read(after, last int) int {
	s.t.Helper()
	c := s.open(after)
	defer c.Close()
	in := bufio.NewScanner(c)
	in.Buffer(nil, 1<<20)
	for id := ""; after < last && in.Scan(); {
		if x, ok := strings.CutPrefix(in.Text(), "id: "); ok {
			id = x
		}
		if in.Text() == "event: event" {
			if after++; id != fmt.Sprint(after) {
				s.t.Fatalf("%s after %d", id, after-1)
			}
		}
	}
	return after
}

// eventually waits until something holds.
func (s *served) eventually(what string, holds func() bool) {
	s.t.Helper()
	for !holds() {
		select {
		case <-s.t.Context().Done():
			s.t.Fatal("never: " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

// writing is how many streams are in the middle of a write.
func (s *served) writing() int {
	s.streams.writes.mu.Lock()
	defer s.streams.writes.mu.Unlock()
	return len(s.streams.writes.begun)
}

// buffered is how many bytes are held for streams, at most: a chunk that is written and kept counts twice.
func (s *served) buffered() int {
	s.streams.writes.mu.Lock()
	n := s.streams.writes.bytes
	s.streams.writes.mu.Unlock()
	s.streams.pages.mu.Lock()
	n += s.streams.pages.kept
	s.streams.pages.mu.Unlock()
	s.streams.live.mu.Lock()
	defer s.streams.live.mu.Unlock()
	return n + s.streams.live.kept + s.streams.live.queued
}

func TestStreamsThatNeverReadShareTheirMemory(t *testing.T) {
	s := serve(t, 20)
	const n = 150
	for range n {
		s.open(0)
	}
	s.eventually("all are stuck", func() bool { return s.writing() == n })
	if got := s.buffered(); got > 4<<20 {
		t.Errorf("%d streams hold %d bytes", n, got)
	}
	if last := s.read(0, 20); last != 20 { // somebody who reads is not held up
		t.Errorf("the stream ends after %d", last)
	}
}

func TestTheSlowestStreamsEndWhenMemoryIsShort(t *testing.T) {
	s := serve(t, 60)
	const limit = 1 << 20
	s.streams.writes.limit, s.streams.writes.slow = limit, 20*time.Millisecond
	var first net.Conn
	for i := range 15 {
		c := s.open(4 * i) // each is elsewhere
		if i == 0 {
			first = c
			s.eventually("the first is stuck", func() bool { return s.writing() == 1 })
		}
	}
	// A reader gets everything, even if it must resume.
	for last := 0; last < 60; {
		last = s.read(last, 60)
	}
	if got := s.buffered(); got > limit+recentBytes+1<<20 {
		t.Errorf("%d bytes are held", got)
	}
	if _, err := io.Copy(io.Discard, first); err != nil { // it has ended
		t.Error(err)
	}
}
