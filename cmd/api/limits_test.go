package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/limits"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

// piped is a listener for net.Pipe, whose deadlines follow the clock of a synctest bubble.
type piped struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *piped) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *piped) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *piped) Addr() net.Addr { return &net.UnixAddr{} }

func (l *piped) dial() net.Conn {
	here, there := net.Pipe()
	l.conns <- there
	return here
}

// journal is a store with a few events.
type journal struct {
	store.Store
	evs []*events.Event
}

func (*journal) ID() string                            { return "aaaaaaaa" }
func (j *journal) Head(context.Context) (int64, error) { return int64(len(j.evs)), nil }
func (j *journal) Events(_ context.Context, q store.EventQuery) ([]*events.Event, error) {
	return j.evs[min(int(q.After), len(j.evs)):], nil
}
func (j *journal) Append(_ context.Context, evs []*events.Event) ([]store.Receipt, error) {
	receipts := make([]store.Receipt, len(evs))
	for i, e := range evs {
		j.evs = append(j.evs, e)
		receipts[i].Sequence = int64(len(j.evs))
	}
	return receipts, nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// bubble runs a server in a synctest bubble.
func bubble(t *testing.T, test func(*testing.T, *journal, *piped)) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000, Hooks: []*hook.Hook{OpenHook(t, "shop", "a.b")},
			Daemon: &Daemon{Bus: events.NewBus(), Commits: events.NewFeed[store.Commit]()}})
		l := &piped{conns: make(chan net.Conn), closed: make(chan struct{})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = s.Serve(l) })
		test(t, j, l)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
}

func TestABodyThatStaysHalfSentEnds(t *testing.T) {
	for contentType, x := range map[string]struct {
		path   string
		body   string
		answer string
	}{
		"application/cloudevents+json":       {"/v1/events", `{"type":"a.b"`, `"status":408`},
		"application/cloudevents-batch+json": {"/v1/events", `[{"type":"a.b"},`, `"status":408`},
		"application/json":                   {"/hooks/shop", `{"a":1`, `"status":408`},
		"application/x-ndjson":               {"/v1/events", "{\"type\":\"a.b\"}\n{\"type\"", `"status":408,"title":"Request Timeout","detail":"a line was not complete within 1m0s"`},
	} {
		t.Run(contentType, func(t *testing.T) {
			bubble(t, func(t *testing.T, _ *journal, l *piped) {
				c := l.dial()
				defer c.Close()
				began := time.Now()
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: evrun\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n%s", x.path, contentType, x.body)
				answer, _ := io.ReadAll(c)
				if took := time.Since(began); took < limits.BodyTimeout || took > 2*limits.BodyTimeout {
					t.Errorf("it took %v", took)
				}
				if !strings.Contains(string(answer), x.answer) {
					t.Errorf("the answer is %q", answer)
				}
			})
		})
	}
}

// TestARefusalDoesNotWaitForTheBody: a refused request is answered soon, and its connection closed, although its body is half sent.
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	const lines = "POST /v1/events HTTP/1.1\r\nHost: evrun\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{\"type\""
	for name, x := range map[string]struct {
		before  int    // connections
		each    string // of them sends this
		request string
		status  string
	}{
		"a body of lines too many": {mostLines, lines, lines, "429"},
		"a connection too many":    {defaultConnections, "", lines, "503"},
		"a route that is none":     {0, "", strings.Replace(lines, "/v1/events", "/v1/nothing", 1), "404"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, _ *journal, l *piped) {
				for range x.before {
					c := l.dial()
					defer c.Close()
					io.WriteString(c, x.each)
				}
				synctest.Wait()
				c := l.dial()
				defer c.Close()
				io.WriteString(c, x.request)
				began := time.Now()
				answer, err := io.ReadAll(c)
				// Newer versions of net/http linger for half a second more, so that the answer is not cut off.
				if took := time.Since(began); took > 2*limits.RestTimeout || err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+x.status+" ") {
					t.Errorf("after %v: %q, %v", took, answer, err)
				}
			})
		})
	}
}

func TestLinesMayComeAtTheirLeisure(t *testing.T) {
	bubble(t, func(t *testing.T, j *journal, l *piped) {
		c := l.dial()
		defer c.Close()
		const line = "{\"type\":\"a.b\"}\n"
		answered := make(chan int)
		go func() {
			in, n := bufio.NewScanner(c), 0
			for in.Scan() {
				if strings.Contains(in.Text(), `"duplicate":false`) {
					n++
				}
			}
			answered <- n
		}()
		fmt.Fprintf(c, "POST /v1/events HTTP/1.1\r\nHost: evrun\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", 3*len(line))
		for range 3 {
			time.Sleep(24 * time.Hour)
			io.WriteString(c, line[:5])
			time.Sleep(limits.BodyTimeout / 2)
			io.WriteString(c, line[5:])
		}
		if n := <-answered; n != 3 {
			t.Errorf("%d lines are accepted", n)
		}
	})
}

func TestAnIdleStreamSaysWhereItIs(t *testing.T) {
	bubble(t, func(t *testing.T, j *journal, l *piped) {
		c := l.dial()
		defer c.Close()
		io.WriteString(c, "GET /v1/stream?type=none HTTP/1.1\r\nHost: evrun\r\n\r\n")
		in := bufio.NewReader(c)
		began := time.Now()
		for n := 0; n < 3; {
			text, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if text == "id: 0\n" {
				n++
			}
		}
		if took := time.Since(began); took != 2*15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAReaderThatDoesNotReadIsLetGo(t *testing.T) {
	bubble(t, func(t *testing.T, j *journal, l *piped) {
		j.evs = []*events.Event{{Sequence: 1, Type: "a.b", Data: json.RawMessage(`"` + strings.Repeat("x", 100000) + `"`)}}
		for _, request := range []string{"GET /v1/stream?after=0 HTTP/1.1", "GET /v1/events HTTP/1.1"} {
			c := l.dial()
			fmt.Fprintf(c, "%s\r\nHost: evrun\r\n\r\n", request)
			c.Read(make([]byte, 1)) // the answer has begun
			time.Sleep(limits.WriteTimeout + time.Second)
			synctest.Wait()
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("%s: %v", request, err)
			}
			c.Close()
		}
	})
}

// However few places there are, requests by TCP don't get all of several.
func TestAPlaceIsKeptForTheSocket(t *testing.T) {
	stranger := httptest.NewRequest(http.MethodGet, "/", nil)
	access.New(access.Options{Tokens: access.NewTokens()}).Handler(http.NewServeMux(), map[string]access.Rule{"": {Right: access.Open, Page: true}},
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stranger = r })).ServeHTTP(httptest.NewRecorder(), stranger)
	for limit, byTCP := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 20: 18} {
		p := places{what: "summaries", limit: limit}
		got := 0
		for ; got <= limit; got++ {
			if _, err := p.take(stranger); err != nil {
				break
			}
		}
		_, err := p.take(httptest.NewRequest(http.MethodGet, "/", nil))
		if got != byTCP || limit > 1 && err != nil {
			t.Errorf("of %d places, %d are for TCP, and for the socket: %v", limit, got, err)
		}
	}
}
