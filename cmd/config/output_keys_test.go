package config

import (
	"testing"
	"time"

	"evrun/tasks"
	"evrun/tasks/capture"
)

func TestDefaultsAreWhatAHandlerDoesNotSay(t *testing.T) {
	const handlers = `handlers:
- {name: a, on: b, do: exec, with: {command: [x]}}
- {name: b, on: b, do: exec, with: {command: [x]}, output: {keep: 1MiB}, retry: {attempts: 2}}
- {name: c, on: b, do: http, with: {url: "https://example.com"}, output: none, retry: {max: 20s}}
- {name: d, on: b, do: log, with: {message: x}}
`
	without := load(t, handlers).Wiring.Handlers
	with := load(t, "defaults: {output: {keep: 16KiB}, retry: {attempts: 7, backoff: 10s}}\n"+handlers).Wiring.Handlers
	other := load(t, "defaults: {output: {keep: 32KiB}, retry: {attempts: 7, backoff: 10s}}\n"+handlers).Wiring.Handlers
	for i, want := range []struct {
		keep, keepWith   int
		retry, retryWith tasks.Retry
	}{
		{0, 16 << 10, tasks.Retry{}, tasks.Retry{Attempts: 7, Backoff: 10 * time.Second}},
		{1 << 20, 1 << 20, tasks.Retry{Attempts: 2}, tasks.Retry{Attempts: 2, Backoff: 10 * time.Second}},
		{capture.None, capture.None, tasks.Retry{Max: 20 * time.Second}, tasks.Retry{Attempts: 7, Backoff: 10 * time.Second, Max: 20 * time.Second}},
		{0, 16 << 10, tasks.Retry{}, tasks.Retry{Attempts: 7, Backoff: 10 * time.Second}},
	} {
		if h := without[i]; h.KeepOutput != want.keep || h.Retry != want.retry {
			t.Errorf("%s without defaults: %d, %+v", h.Name, h.KeepOutput, h.Retry)
		}
		if h := with[i]; h.KeepOutput != want.keepWith || h.Retry != want.retryWith {
			t.Errorf("%s with defaults: %d, %+v", h.Name, h.KeepOutput, h.Retry)
		}
		if with[i].Version == other[i].Version || with[i].Version == without[i].Version {
			t.Errorf("%s is the same with other defaults", with[i].Name)
		}
	}
}

// The file's timeout is that of handlers that act on the outside and have none of their own. With it, nobody warns of a command without one.
func TestTheDefaultOfTimeout(t *testing.T) {
	c := load(t, `defaults: {timeout: 15m}
handlers:
  - {name: command, on: a.b, do: exec, with: {command: ["true"]}}
  - {name: own, on: a.b, do: exec, with: {command: ["true"]}, timeout: 1m}
  - {name: request, on: a.b, do: http, with: {url: "http://127.0.0.1"}}
  - {name: tell, on: a.b, do: notify, with: {message: x, url: "generic+http://127.0.0.1"}}
  - {name: inside, on: a.b, do: user.insert, with: {name: x, email: y}}
  - {name: read, on: a.b, do: sql, with: {statement: SELECT 1}}
  - {name: note, on: a.b, do: log, with: {message: x}}
schedules:
  - {name: job, every: 1h, do: exec, with: {command: ["true"]}}
`)
	want := map[string]time.Duration{"command": 15 * time.Minute, "own": time.Minute, "request": 15 * time.Minute, "tell": 15 * time.Minute, "job": 15 * time.Minute}
	for _, h := range c.Wiring.Handlers {
		if h.Timeout != want[h.Name] {
			t.Errorf("%s: %v", h.Name, h.Timeout)
		}
		delete(want, h.Name)
	}
	if len(want) > 0 || len(c.Warnings) > 0 {
		t.Errorf("%v, %+v", want, c.Warnings)
	}
}
