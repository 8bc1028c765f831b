package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/tasks/control"
)

// A status has what is wrong, the worst first, and nothing about what is well.
func TestTroubles(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Unix(1_700_000_000, 0).Add(-d) }
	waiting := int64(3)
	failed := func(state string) control.Recent {
		return control.Recent{Last: &control.Result{State: state, At: ago(time.Minute)}, LastError: &control.Failure{Error: "exit code 3", At: ago(time.Hour)}}
	}
	s := api.Status{
		WAL:    api.WAL{Full: true},
		Reload: &api.Reloaded{Error: "evrun.yaml:3: unknown key\nmore"},
		Handlers: []control.HandlerStatus{
			{Name: "well", State: control.StateActive, Recent: failed("succeeded")},
			{Name: "was-dead", State: control.StateActive, Dead: 1, Recent: failed("succeeded")},
			{Name: "dead", State: control.StateActive, Dead: 2, Recent: failed("dead")},
			{Name: "retries", State: control.StateActive, Retrying: 1, Recent: failed("dead")},
			{Name: "stuck", State: control.StateActive, Silent: true},
			{Name: "paused", State: control.StatePaused, Waiting: &waiting, Pause: &control.Pause{By: "ada (uid 1000)", Why: "too loud"}},
			{Name: "off", State: control.StateDisabled, Pause: &control.Pause{By: "the wiring file"}},
			{Name: "gone", State: control.StateLeft, LeftWith: 2},
			{Name: "new", State: control.StateNew},
		},
		Schedules: []api.Schedule{{Name: "well"}, {Name: "failed", LastRuns: &api.SlotRuns{Sequence: 7, States: map[string]int{"dead": 1, "succeeded": 1}}}, {Name: "held", Paused: "hand"}},
	}
	troubles(&s, delays{
		missed: map[string]int{"late": 2},
		late:   map[string]time.Duration{"later": 90 * time.Second, "soon": 20 * time.Second},
		behind: map[string]time.Duration{"slow": 20 * time.Minute, "busy": time.Minute},
	})
	var got []string
	for _, p := range s.Problems {
		got = append(got, strings.TrimSuffix(fmt.Sprintf("%s %s: %s | %s", p.What, p.Name, p.Text, p.Do), " | "))
	}
	want := []string{
		"store : nothing more is accepted: the write-ahead log is full",
		"reload : the wiring file was refused: evrun.yaml:3: unknown key | evrun validate",
		"dead dead: 2 runs are dead: exit code 3 | evrun runs list --state dead --handler dead",
		"dead was-dead: 1 run is dead | evrun runs list --state dead --handler was-dead",
		"failing retries: 1 run is retrying: exit code 3 | evrun runs list --state retrying --handler retries",
		"silent stuck: its worker does not answer; its numbers are from before",
		"late later: its slot is due since 1m30s, and was not published | evrun schedules show later",
		"behind slow: it is 20m0s behind: its attempts are slow or fail, or more comes than it can do | evrun handlers show slow",
		"paused held: the schedule is paused | evrun schedules resume held",
		"paused off: the handler is disabled by the wiring file: nothing waits",
		"paused paused: the handler is paused by ada (uid 1000) (too loud): 3 events wait | evrun handlers resume paused",
		"left gone: it left the file: 2 events wait | evrun handlers show gone",
		"missed late: 2 slots were left out within a day | evrun events list evrun.schedule.missed",
		"schedule failed: of its last slot, 1 run is dead | evrun explain --event 7",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s = (api.Status{}); s.Problems != nil {
		t.Error(s.Problems)
	}
	if troubles(&s, delays{}); len(s.Problems) != 0 || s.Problems == nil {
		t.Errorf("%+v", s.Problems)
	}
}
