package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/tasks/emitter"
)

// block is one server-sent event.
type block struct{ id, kind, data string }

// reader is an open stream.
type reader struct {
	t   *testing.T
	res *http.Response
	in  *bufio.Reader
}

func (d *daemon) read(query, lastEventID string) *reader {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://evrun/v1/stream"+query, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	r := &reader{t: d.t, res: res, in: bufio.NewReader(res.Body)}
	d.t.Cleanup(func() { cancel(); res.Body.Close() })
	return r
}

// next reads the next block.
func (r *reader) next() block {
	r.t.Helper()
	b, err := r.try()
	if err != nil {
		r.t.Fatalf("the stream ends after %+v: %v", b, err)
	}
	return b
}

func (r *reader) try() (b block, err error) {
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return b, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "":
			return b, nil
		case "id":
			b.id = value
		case "event":
			b.kind = value
		case "data":
			b.data = value
		}
	}
}

// want reads the next block and compares its id and kind.
func (r *reader) want(id, kind string) block {
	r.t.Helper()
	b := r.next()
	if b.id != id || b.kind != kind || b.data == "" {
		r.t.Fatalf("got %+v, want id %s, event %s", b, id, kind)
	}
	return b
}

func TestAStreamBeginsWithItsPlace(t *testing.T) {
	d := serve(t)
	d.emit("x.y", 3)
	for _, runs := range []string{"", "&runs=1"} {
		t.Run("runs"+runs, func(t *testing.T) {
			head, err := d.store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// A reader whose connection breaks before the first event...
			place := d.read("?type=a.*"+runs, "").want(fmt.Sprint(head), "head")
			if place.data != fmt.Sprintf(`{"seq":"%d"}`, head) {
				t.Errorf("its data is %s", place.data)
			}
			if _, err := emitter.New(d.store, 0).Emit(t.Context(), &events.Event{Type: "a.b"}); err != nil {
				t.Fatal(err)
			}
			// ...misses nothing.
			r := d.read("?type=a.*"+runs, place.id)
			r.want(place.id, "head")
			if b := r.want(fmt.Sprint(head+1), "event"); !strings.Contains(b.data, `"type":"a.b"`) {
				t.Errorf("then %+v", b)
			}
		})
	}
	// The head of a stream that begins with old events is before them.
	r := d.read("?type=x.*&last=1&limit=2", "")
	r.want("1", "head")
	r.want("2", "event")
	r.want("3", "event")
	r = d.read("?after=2&type=x.*", "")
	r.want("2", "head")
	r.want("3", "event")
}

func TestAStreamBeyondTheJournalsEndSaysGap(t *testing.T) {
	d := serve(t)
	d.emit("x.y", 3)
	for query, id := range map[string]string{"": "99", "?runs=1": "99", "?after=99": ""} {
		r := d.read(query, id)
		r.want("3", "head")
		b := r.next()
		if b.kind != "gap" || !json.Valid([]byte(b.data)) || !strings.Contains(b.data, "#99") || !strings.Contains(b.data, `"after":"3"`) {
			t.Errorf("%s: %+v", query, b)
		}
	}
	if res, body := d.call("GET", "/v1/stream", "", "", "Last-Event-ID", "-1"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a negative id: %d %s", res.StatusCode, body)
	}
}

func TestRunsComeAfterTheirEvents(t *testing.T) {
	d := serve(t, dying("h"))
	r := d.read("?runs=1&type=a.>", "")
	r.want("0", "head")
	d.emit("a.b", 20)
	seen, dead := map[string]bool{}, 0
	for dead < 20 {
		switch b := r.next(); b.kind {
		case "event":
			seen[b.id] = true
		case "run":
			var run api.Run
			if err := json.Unmarshal([]byte(b.data), &run); err != nil {
				t.Fatal(err)
			}
			if !seen[fmt.Sprint(run.Sequence)] {
				t.Fatalf("the run %s comes before its event", run.ID)
			}
			if run.State == "dead" {
				dead++
			}
		}
	}
}

// eventually waits until something holds.
func (d *daemon) eventually(what string, holds func() bool) {
	d.t.Helper()
	for !holds() {
		select {
		case <-d.t.Context().Done():
			d.t.Fatal("never: " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestStreamsAndConnectionsAreLimited(t *testing.T) {
	d := serveWith(t, func(o *api.Options) { o.MaxStreams, o.MaxConnections = 2, 5 })
	first := d.read("", "")
	first.want("0", "head")
	d.read("", "").want("0", "head")
	for _, x := range []struct{ method, path, contentType, body string }{
		{"GET", "/v1/stream", "", ""},
		{"POST", "/v1/events?wait=30s", "application/cloudevents+json", `{"type":"a.b"}`},
	} {
		res, body := d.call(x.method, x.path, x.contentType, x.body)
		if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "2 streams") {
			t.Errorf("%s %s: %d %v %s", x.method, x.path, res.StatusCode, res.Header, body)
		}
	}
	if head, err := d.store.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("an event was accepted that could not be waited for: %d, %v", head, err)
	}
	d.eventually("those that were refused are closed", func() bool { return d.server.Connections() == 2 })
	var held []net.Conn
	for range 3 {
		c, err := net.Dial("unix", d.socket)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: evrun\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("within the limit: %v, %v", res, err)
		}
	}
	c, err := net.Dial("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: evrun\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !res.Close {
		t.Fatalf("beyond the limit: %+v, %v", res, err)
	}
	for _, c := range held {
		c.Close()
	}
	first.res.Body.Close()
	d.eventually("there is room again", func() bool {
		res, err := d.http.Get("http://evrun/v1/stream")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func TestBodiesOfLinesAreLimited(t *testing.T) {
	d := serveWith(t, func(o *api.Options) { o.MaxStreams = 1 })
	c, err := net.Dial("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const line = "{\"type\":\"a.b\"}\n"
	if _, err := fmt.Fprintf(c, "POST /v1/events HTTP/1.1\r\nHost: evrun\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(line), line); err != nil {
		t.Fatal(err)
	}
	for in := bufio.NewScanner(c); in.Scan() && !strings.Contains(in.Text(), `"duplicate":false`); {
	}
	if res, body := d.call("POST", "/v1/events", "application/x-ndjson", line); res.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "bodies of NDJSON") {
		t.Errorf("a second body: %d %s", res.StatusCode, body)
	}
	var p *api.Problem
	if _, err := d.EmitLines(t.Context(), strings.NewReader(line), client.LinesOptions{MaxData: 1000, Answered: func(client.LineAnswer) error { return nil }}); !errors.As(err, &p) || p.Status != 429 {
		t.Errorf("the client says %v", err)
	}
}
