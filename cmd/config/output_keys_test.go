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
