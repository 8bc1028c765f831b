package metrics_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/metrics"
	"evrun/events"
)

// promtool runs Prometheus' own checker in a directory. Without it, the test is skipped, unless EVRUN_REQUIRE names it.
func promtool(t *testing.T) func(dir string, in []byte, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("EVRUN_REQUIRE"), ","), "promtool") {
			t.Fatalf("promtool is required, but: %v", err)
		}
		t.Skipf("NOT PROVEN HERE, for want of promtool: %v", err)
	}
	return func(dir string, in []byte, args ...string) {
		t.Helper()
		c := exec.Command(path, args...)
		c.Dir, c.Stdin = dir, bytes.NewReader(in)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// promtool finds nothing wrong with the metrics, the alerts, and the expressions of the dashboard.
func TestPromtool(t *testing.T) {
	check := promtool(t)
	text, _ := scraped(t)
	check("", text, "check", "metrics")

	dir := t.TempDir()
	var alerts, rules bytes.Buffer
	if err := metrics.WriteAlerts(&alerts, "evrun", false); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "alerts.yaml"), alerts.String())
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, expr := range metrics.Expressions() {
		fmt.Fprintf(&rules, "      - {record: \"panel:%d\", expr: '%s'}\n", i, expr)
	}
	write(t, filepath.Join(dir, "dashboard.yaml"), rules.String())
	check(dir, nil, "check", "rules", "alerts.yaml", "dashboard.yaml")
}

// fires has, for each alert, series with which it fires after an hour (or as long as it takes), and with which it does not. A series is "name{labels} values", an interval of a
// minute apart. The daemons a and b share a store.
var fires = map[string]struct{ bad, good []string }{
	"EvrunDown":               {[]string{`up{job="evrun",instance="a"} 1 0x70`}, []string{`up{job="evrun",instance="a"} 1x70`, `evrun_build_info{job="evrun",instance="a"} 1x70`}},
	"EvrunNotReady":           {[]string{`evrun_ready{job="evrun",instance="a"} 0x70`}, []string{`evrun_ready{job="evrun",instance="a"} 1x70`}},
	"EvrunDeadRuns":           {[]string{`evrun_handler_runs{job="evrun",instance="b",handler="h",state="dead"} 3x70`, `evrun_handler_runs{job="evrun",instance="a",handler="h",state="dead"} 3x70`}, []string{`evrun_handler_runs{job="evrun",instance="a",handler="h",state="dead"} 0x70`, `evrun_handler_runs{job="evrun",instance="a",handler="h",state="retrying"} 5x70`}},
	"EvrunBacklogOld":         {[]string{`evrun_handler_backlog_oldest_seconds{job="evrun",instance="b",handler="h"} 0+60x70`, `evrun_handler_backlog_oldest_seconds{job="evrun",instance="a",handler="h"} 0+60x70`, `evrun_handler_paused{job="evrun",instance="a",handler="h"} 0x70`}, []string{`evrun_handler_backlog_oldest_seconds{job="evrun",instance="a",handler="h"} 0+60x70`, `evrun_handler_paused{job="evrun",instance="a",handler="h"} 1x70`}},
	"EvrunHandlerPaused":      {[]string{`evrun_handler_backlog_events{job="evrun",instance="b",handler="h"} 2x70`, `evrun_handler_paused{job="evrun",instance="b",handler="h"} 1x70`, `evrun_handler_backlog_events{job="evrun",instance="a",handler="h"} 2x70`, `evrun_handler_paused{job="evrun",instance="a",handler="h"} 1x70`}, []string{`evrun_handler_backlog_events{job="evrun",instance="a",handler="h"} 2x70`, `evrun_handler_paused{job="evrun",instance="a",handler="h"} 0x70`}},
	"EvrunRefusesEvents":      {[]string{`evrun_events_refused_total{job="evrun",instance="a",reason="full"} 0+1x70`}, []string{`evrun_events_refused_total{job="evrun",instance="a",reason="stopping"} 0+1x70`, `evrun_events_refused_total{job="evrun",instance="a",reason="full"} 7x70`}},
	"EvrunScheduleLate":       {[]string{`evrun_schedule_next_slot_timestamp_seconds{job="evrun",instance="b",schedule="s"} 60x70`, `evrun_schedule_next_slot_timestamp_seconds{job="evrun",instance="a",schedule="s"} 60x70`}, []string{`evrun_schedule_next_slot_timestamp_seconds{job="evrun",instance="a",schedule="s"} 30+60x70`}},
	"EvrunDiskFullSoon":       {[]string{`evrun_store_disk_free_bytes{job="evrun",instance="a"} 10000000-100000x70`}, []string{`evrun_store_disk_free_bytes{job="evrun",instance="a"} 10000000-10x70`}},
	"EvrunCertificateExpires": {[]string{`evrun_tls_certificate_expires_timestamp_seconds{job="evrun",instance="a"} 7200x70`}, []string{`evrun_tls_certificate_expires_timestamp_seconds{job="evrun",instance="a"} 10000000x70`}},
	"EvrunConnectionsRefused": {[]string{`evrun_tcp_connections_refused_total{job="evrun",instance="a"} 0+1x70`}, []string{`evrun_tcp_connections_refused_total{job="evrun",instance="a"} 7x70`}},
	"EvrunLogLarge":           {[]string{`evrun_store_wal_bytes{job="evrun",instance="a"} 700x70`, `evrun_store_wal_max_bytes{job="evrun",instance="a"} 1000x70`}, []string{`evrun_store_wal_bytes{job="evrun",instance="a"} 300x70`, `evrun_store_wal_max_bytes{job="evrun",instance="a"} 1000x70`}},
	"EvrunRetentionBehind":    {[]string{`evrun_retention_over_bytes{job="evrun",instance="a"} 5x400`}, []string{`evrun_retention_over_bytes{job="evrun",instance="a"} 0x400`, `evrun_retention_failing{job="evrun",instance="a"} 0x400`}},
	"EvrunReloadFailing":      {[]string{`evrun_config_last_reload_successful{job="evrun",instance="a"} 0x70`}, []string{`evrun_config_last_reload_successful{job="evrun",instance="a"} 1x70`}},
	"EvrunHookRefuses": {
		[]string{`evrun_hook_requests_total{job="evrun",instance="a",hook="h",result="signature"} 0+1x70`, `evrun_hook_requests_total{job="evrun",instance="a",hook="h",result="accepted"} 7x70`},
		[]string{`evrun_hook_requests_total{job="evrun",instance="a",hook="h",result="signature"} 0+1x70`, `evrun_hook_requests_total{job="evrun",instance="a",hook="h",result="accepted"} 0+1x70`, `evrun_hook_requests_total{job="evrun",instance="a",hook="h",result="schema"} 7x70`, `evrun_hook_requests_total{job="evrun",instance="a",hook="h",result="method"} 0+1x70`},
	},
	"EvrunStuck": {
		[]string{`evrun_store_commit_duration_seconds_count{job="evrun",instance="b"} 5x70`, `evrun_handler_backlog_events{job="evrun",instance="b",handler="h"} 2x70`, `evrun_store_commit_duration_seconds_count{job="evrun",instance="a"} 5x70`, `evrun_handler_backlog_events{job="evrun",instance="a",handler="h"} 2x70`, `evrun_handler_runs{job="evrun",instance="a",handler="h",state="running"} 0x70`},
		[]string{`evrun_store_commit_duration_seconds_count{job="evrun",instance="a"} 5x70`, `evrun_handler_backlog_events{job="evrun",instance="a",handler="h"} 2x70`, `evrun_handler_runs{job="evrun",instance="a",handler="h",state="running"} 1x70`},
	},
}

// Each alert fires for what it is meant for, and is silent otherwise.
func TestEachAlertFiresAndIsSilent(t *testing.T) {
	names := metrics.AlertNames()
	if tested := slices.Sorted(maps.Keys(fires)); !slices.Equal(tested, names) {
		t.Fatalf("the alerts are %v, tested are %v", names, tested)
	}
	check := promtool(t)
	dir := t.TempDir()
	var alerts bytes.Buffer
	if err := metrics.WriteAlerts(&alerts, "evrun", false); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "alerts.yaml"), alerts.String())
	type object = map[string]any
	series := func(lines []string) (list []object) {
		for _, line := range append([]string{`evrun_store_info{job="evrun",instance="a",store="s"} 1x400`, `evrun_store_info{job="evrun",instance="b",store="s"} 1x400`}, lines...) {
			i := strings.Index(line, "} ") + 1
			list = append(list, object{"series": line[:i], "values": line[i+1:]})
		}
		return list
	}
	var tests []object
	for _, name := range names {
		at := "65m"
		if name == "EvrunRetentionBehind" {
			at = "365m"
		}
		// A recording rule would hide the alert's own expression, so the count of what fires is asked for.
		firing := func(n int) []object {
			found := []object{}
			if n > 0 {
				found = []object{{"labels": "{}", "value": n}}
			}
			return []object{{"expr": `count(ALERTS{alertname="` + name + `",alertstate="firing"})`, "eval_time": at, "exp_samples": found}}
		}
		tests = append(tests,
			object{"name": name + " fires", "interval": "1m", "input_series": series(fires[name].bad), "promql_expr_test": firing(1)},
			object{"name": name + " is silent", "interval": "1m", "input_series": series(fires[name].good), "promql_expr_test": firing(0)})
	}
	tests = append(tests, object{"name": "a daemon without work is not stuck, while another one of its store works", "interval": "1m", "input_series": series([]string{
		`evrun_store_commit_duration_seconds_count{job="evrun",instance="a"} 5+1x70`, `evrun_handler_backlog_events{job="evrun",instance="a",handler="h"} 2x70`,
		`evrun_store_commit_duration_seconds_count{job="evrun",instance="b"} 5x70`, `evrun_handler_backlog_events{job="evrun",instance="b",handler="h"} 2x70`,
		`evrun_handler_runs{job="evrun",instance="a",handler="h",state="running"} 0x70`, `evrun_handler_runs{job="evrun",instance="b",handler="h",state="running"} 0x70`,
	}), "promql_expr_test": []object{{"expr": `count(ALERTS{alertname="EvrunStuck"})`, "eval_time": "65m", "exp_samples": []object{}}}})
	text, err := events.MarshalJSON(object{"rule_files": []string{"alerts.yaml"}, "evaluation_interval": "1m", "tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tests.yaml"), string(text))
	check(dir, nil, "test", "rules", "tests.yaml")
}
