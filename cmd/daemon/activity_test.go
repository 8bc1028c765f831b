package daemon_test

import (
	"testing"
	"time"

	"evrun/cmd/activity"
	"evrun/cmd/api"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
)

// What happened a second ago is in the activity, of all and of the handler that did it.
func TestActivity(t *testing.T) {
	d := daemontest.Start(t, `
defaults: {retry: {attempts: 1}}
handlers:
  - {name: note, on: a.b, do: log, with: {message: x}}
  - {name: fail, on: a.b, do: exec, with: {command: ["false"]}}
`)
	for range 3 {
		if _, err := d.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test"}); err != nil {
			t.Fatal(err)
		}
	}
	total := func(list []int64) (n int64) {
		for _, x := range list {
			n += x
		}
		return n
	}
	var a api.Activity
	for until := time.Now().Add(20 * time.Second); ; <-time.After(100 * time.Millisecond) {
		var err error
		if a, err = d.Activity(t.Context(), activity.Query{}); err != nil {
			t.Fatal(err)
		}
		if total(a.Dead) == 3 && total(a.Ended) >= 6 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("after 20 s: %+v", a)
		}
	}
	if n := total(a.Accepted); n < 6 || total(a.Failed) != 3 { // with a notice of each dead run
		t.Errorf("%d events were accepted, %v attempts failed", n, a.Failed)
	}
	took := false
	for _, ms := range a.Attempts.P50 {
		took = took || ms != nil && *ms > 0
	}
	if !took {
		t.Errorf("attempts took %+v", a.Attempts)
	}
	one, err := d.Activity(t.Context(), activity.Query{Handler: "fail", Step: 5 * time.Second})
	if err != nil || one.Handler != "fail" || one.Accepted != nil {
		t.Errorf("of fail: %+v, %v", one, err)
	}
	for _, q := range []activity.Query{{Handler: "fial"}, {Handlers: true, Step: time.Second}} {
		if _, err := d.Activity(t.Context(), q); err == nil {
			t.Errorf("%+v is answered", q)
		} else {
			t.Log(err)
		}
	}
}
