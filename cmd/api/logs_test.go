package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// printer is an action that writes what the test sends it, until the test ends an attempt with an error or nil.
type printer struct {
	text chan string
	end  chan error
}

func newPrinter() *printer { return &printer{text: make(chan string), end: make(chan error)} }

func (*printer) Prints() string { return "what a test prints" }

func (p *printer) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	out := d.Capture(nil).Stream("stdout")
	for {
		select {
		case text := <-p.text:
			_, _ = io.WriteString(out, text)
		case err := <-p.end:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *printer) handler() *tasks.Handler {
	return &tasks.Handler{Name: "p", On: []events.Pattern{events.MustPattern("a.b")}, Kind: "test", Action: p,
		Retry: tasks.Retry{Attempts: 2, Backoff: time.Millisecond, Max: time.Millisecond}}
}

// followed is the log of run 1-p as it comes, a line each.
func (d *daemon) followed(run string) <-chan string {
	lines := make(chan string, 10_000)
	go func() {
		defer close(lines)
		err := d.Logs(context.Background(), run, client.LogQuery{Follow: true}, func(l api.LogLine) error {
			switch {
			case l.Attempt != nil:
				lines <- fmt.Sprint("attempt ", l.Attempt.Attempt, " ", l.Attempt.State, " ", l.Attempt.Error)
			case l.Output != nil:
				lines <- fmt.Sprint(l.Output.Attempt, " ", l.Output.Stream, " ", l.Output.Omitted, " ", l.Output.Text)
			default:
				lines <- "run " + l.Run.State
			}
			return nil
		})
		if err != nil {
			lines <- err.Error()
		}
	}()
	return lines
}

func TestALogIsFollowedThroughAllAttempts(t *testing.T) {
	p := newPrinter()
	d := serve(t, p.handler())
	d.emit("a.b", 1)
	p.text <- "one\ntw"
	lines := d.followed(store.RunID(1, "p", d.store.ID()))
	want := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if got := <-lines; got != text {
				t.Fatalf("got %q, want %q", got, text)
			}
		}
	}
	want("attempt 1 running ", "1 stdout 0 one\n")
	p.text <- "o\nthree\n"
	want("1 stdout 0 two\nthree\n")
	p.text <- "no end"
	p.end <- errors.New("failed")
	want("1 stdout 0 no end", "attempt 1 failed failed", "attempt 2 running ")
	p.text <- "again\n"
	want("2 stdout 0 again\n")
	p.end <- nil
	want("attempt 2 succeeded ", "run succeeded")
	if more, ok := <-lines; ok {
		t.Errorf("and %q", more)
	}
}

func TestASlowReaderOfALogLosesAPartAndHoldsNobodyUp(t *testing.T) {
	p := newPrinter()
	d := serve(t, p.handler())
	d.emit("a.b", 1)
	p.text <- "first\n"
	run := store.RunID(1, "p", d.store.ID())
	reading := make(chan struct{})
	var got, lost int
	ended := make(chan error)
	begun := make(chan struct{})
	go func() {
		ended <- d.Logs(t.Context(), run, client.LogQuery{Follow: true}, func(l api.LogLine) error {
			if l.Output != nil {
				if got == 0 {
					close(begun)
					<-reading
				}
				got, lost = got+len(l.Output.Text), lost+int(l.Output.Omitted)
			}
			return nil
		})
	}()
	<-begun
	line := strings.Repeat("x", 999) + "\n"
	for range 10_000 {
		p.text <- line // while nobody reads
	}
	p.end <- nil
	d.settledRun(run)
	close(reading)
	if err := <-ended; err != nil || lost == 0 || got+lost != len("first\n")+10_000*len(line) {
		t.Errorf("%v: %d bytes came, %d were lost", err, got, lost)
	}
}

// settledRun waits until a run has ended.
func (d *daemon) settledRun(id string) {
	d.t.Helper()
	for {
		run, err := d.store.FindRun(d.t.Context(), id)
		if err == nil && run.State.Ended() {
			return
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			d.t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
}

func TestFollowedLogsAreLimitedAndEndWithTheServer(t *testing.T) {
	p := newPrinter()
	d := serveWith(t, func(o *api.Options) { o.MaxStreams = 1 }, p.handler())
	d.emit("a.b", 1)
	p.text <- "first\n"
	run := store.RunID(1, "p", d.store.ID())
	lines := d.followed(run)
	if got := <-lines; got != "attempt 1 running " {
		t.Fatal(got)
	}
	if res, text := d.call(http.MethodGet, "/v1/runs/"+run+"/logs?follow=1", "", ""); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a second one: %d %s", res.StatusCode, text)
	}
	if res, text := d.call(http.MethodGet, "/v1/runs/"+run+"/logs", "", ""); res.StatusCode != http.StatusOK || !strings.Contains(text, `"text":"first\n"`) || !strings.Contains(text, `{"run":`) {
		t.Errorf("not followed: %d %s", res.StatusCode, text)
	}
	for _, c := range []struct {
		query  string
		status int
	}{{"attempt=x", 400}, {"attempt=0", 404}, {"attempt=2", 404}, {"attempt=1&follow=1", 400}, {"attempt=-1", 400}} {
		if res, text := d.call(http.MethodGet, "/v1/runs/"+run+"/logs?"+c.query, "", ""); res.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.query, res.StatusCode, text)
		}
	}
	d.close()
	last := ""
	for line := range lines {
		last = line
	}
	if last != client.ErrBroke.Error() {
		t.Errorf("the last line: %s", last)
	}
	p.end <- nil
}
