package cmd_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
)

// A failed alert is reported to its fallback; a failed fallback is counted.
func failedAlertReachesItsFallback(t *testing.T) {
	t.Parallel()
	dir := wired(t, `handlers:
  - {name: work, on: job, do: exec, with: {command: ["false"]}, retry: {attempts: 1}, timeout: 1m}
  - {name: alert, on: evrun.run.dead, do: exec, with: {command: ["false"]}, retry: {attempts: 1}, timeout: 1m}
  - {name: fallback, on: evrun.run.dead, when: data.handler == "alert", do: log, with: {message: "level ${ data.level }: ${ data.handler } failed"}}
`)
	d := serve(t, dir, nil)
	d.ready(t)
	c := client.New(dir + "/evrun.sock")
	defer c.CloseIdleConnections()
	states := map[string][]string{}
	end, err := c.EmitWait(t.Context(), &events.Event{Type: "job", Source: "/test"}, time.Minute, func(api.Receipt) error { return nil }, func(kind string, body json.RawMessage) error {
		if kind == "run" {
			var r api.Run
			if err := json.Unmarshal(body, &r); err != nil {
				return err
			}
			states[r.Handler] = append(states[r.Handler], r.State)
		}
		return nil
	})
	if err != nil || !end.Dead || end.Timeout {
		t.Fatalf("%+v, %v", end, err)
	}
	if got := strings.Join(states["fallback"], " "); len(states["alert"]) != 2 || got != "skipped succeeded" {
		t.Errorf("runs %v", states)
	}
	eventuallyTrue(t, "the run that is not announced is counted", func() (bool, string) {
		got := metricsOf(t, dir)
		return strings.Contains(got, "\nevrun_dead_runs_unannounced_total 1\n"), got
	})
	d.stop(t)
}
