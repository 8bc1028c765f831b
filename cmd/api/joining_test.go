package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/tasks"
)

// asks is a handler whose attempts publish their secret, and run until the test ends them.
type asks struct {
	token chan string
	end   chan struct{}
}

func (a *asks) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	a.token <- d.Variables()[tasks.VariableRunToken]
	<-a.end
	return nil, nil
}

// TestAnEventJoinsARunUntilTheAttemptEnds publishes with an attempt's secret, in every way. Events after the attempt's end are refused,
// also in the middle of a body of NDJSON.
func TestAnEventJoinsARunUntilTheAttemptEnds(t *testing.T) {
	a := &asks{token: make(chan string), end: make(chan struct{})}
	d := serve(t, &tasks.Handler{Name: "asks", On: []events.Pattern{events.MustPattern("a.b")}, Action: a})
	root, err := d.Emit(t.Context(), &events.Event{Type: "a.b", ID: "root", Source: "/test"})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(d.socket)
	defer c.CloseIdleConnections()
	c.RunToken = <-a.token

	ids := []string{"one", "waited", "batch", "binary", "line 1"}
	if _, err := c.Emit(t.Context(), &events.Event{Type: "x.y", ID: "one", Source: "/test"}); err != nil {
		t.Fatal(err)
	}
	accepted, nothing := func(api.Receipt) error { return nil }, func(string, json.RawMessage) error { return nil }
	if end, err := c.EmitWait(t.Context(), &events.Event{Type: "x.y", ID: "waited", Source: "/test"}, time.Minute, accepted, nothing); err != nil || end.Timeout {
		t.Fatal(end, err) // it does not wait for the run that it is a part of
	}
	d.call("POST", "/v1/events", "application/cloudevents-batch+json", `[{"type":"x.y","id":"batch"}]`, api.RunTokenHeader, c.RunToken)
	d.call("POST", "/v1/events", "", "", api.RunTokenHeader, c.RunToken, "Ce-Type", "x.y", "Ce-Id", "binary", "Ce-Specversion", "1.0")

	in, lines := io.Pipe()
	answered, done := make(chan client.LineAnswer), make(chan error, 1)
	go func() {
		_, err := c.EmitLines(t.Context(), in, client.LinesOptions{MaxData: 1000, Answered: func(a client.LineAnswer) error {
			answered <- client.LineAnswer{Number: a.Number, Problem: a.Problem}
			return nil
		}})
		done <- err
	}()
	fmt.Fprintln(lines, `{"type":"x.y","id":"line 1"}`)
	if a := <-answered; a.Problem != nil {
		t.Fatal(a.Problem)
	}
	for _, id := range ids {
		e, err := d.store.Event(t.Context(), id)
		if err != nil || e.Chain != root.Sequence || e.Cause != root.Sequence || e.Hops != 1 || e.CausationID != "root" || e.CorrelationID != "root" {
			t.Errorf("%s: %+v, %v", id, e, err)
		}
	}

	close(a.end)
	refusedAtLast(t, c)
	for range 2 { // each is refused by itself
		fmt.Fprintln(lines, `{"type":"x.y"}`)
		if a := <-answered; a.Problem == nil || a.Problem.Status != http.StatusForbidden {
			t.Errorf("line %d: %v", a.Number, a.Problem)
		}
	}
	lines.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// refusedAtLast publishes until the client's attempt has ended, and the event is refused.
func refusedAtLast(t *testing.T, c *client.Client) {
	t.Helper()
	for {
		_, err := c.Emit(t.Context(), &events.Event{Type: "x.y", Source: "/test"})
		if err == nil {
			continue // the attempt is just ending
		}
		var p *api.Problem
		if !errors.As(err, &p) || p.Status != http.StatusForbidden {
			t.Fatal(err)
		}
		return
	}
}
