package metrics_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"evrun/cmd/daemon/daemontest"
	"evrun/cmd/metrics"
	"evrun/events"
)

const wiring = `
server: {listen: "127.0.0.1:0"}
events:
  order.placed: {schema: {type: object, required: [n]}}
hooks:
  - {name: shop, type: order.paid, verify: none}
handlers:
  - {name: note, on: order.*, do: log, with: {message: x}}
  - {name: fail, on: order.placed, do: exec, with: {command: ["false"]}, retry: {attempts: 1}}
schedules:
  - {name: often, every: 100ms, emit: tick}
  - {name: rests, every: 1h, paused: true, emit: tock}
`

// scraped is a daemon's metrics once a run is dead and a slot was published.
func scraped(t *testing.T) (text []byte, d *daemontest.Daemon) {
	t.Helper()
	d = daemontest.Start(t, wiring)
	for _, data := range []string{`{"n":1}`, `{"n":1}`, `{}`} {
		_, err := d.Emit(t.Context(), &events.Event{Type: "order.placed", ID: "once", Source: "/test", Data: json.RawMessage(data)})
		if refused := err != nil; refused != (data == `{}`) {
			t.Fatalf("%s: %v", data, err)
		}
	}
	text = eventually(t, d, `evrun_handler_runs{handler="fail",state="dead"} 1`, "\nevrun_schedule_last_slot_timestamp_seconds")
	return text, d
}

// eventually returns a scrape that has all of these texts.
func eventually(t *testing.T, d *daemontest.Daemon, wants ...string) []byte {
	t.Helper()
	for {
		text, err := d.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(wants, func(want string) bool { return !bytes.Contains(text, []byte(want)) }) {
			return text
		}
	}
}

func families(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A scrape has each metric of the table with its help, and no other of evrun's; it follows the conventions; its numbers are right; and what the dashboard and
// the alerts read is in there.
func TestAScrape(t *testing.T) {
	text, d := scraped(t)
	all := families(t, text)
	names, help := metrics.Table()
	seldom := func(name string) bool {
		return strings.Contains(help[name], "Absent if nothing ever was") || strings.Contains(help[name], "Absent without one (server.tls)") || strings.Contains(help[name], "with a SQLite store")
	}
	for _, name := range names {
		if f := all[name]; f == nil && seldom(name) {
			continue
		} else if f == nil || f.GetHelp() != help[name] {
			t.Errorf("%s: %v", name, f)
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "evrun_") && help[name] == "" {
			t.Errorf("%s is not in the table", name)
		}
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`evrun_ready 1`, `evrun_events_duplicate_total 1`, `evrun_events_refused_total{reason="schema"} 1`,
		`evrun_handler_runs_total{handler="note",state="succeeded"} 1`, `evrun_handler_runs_total{handler="fail",state="dead"} 1`,
		`evrun_handler_attempts_failed_total{handler="fail"} 1`, `evrun_handler_attempt_duration_seconds_count{handler="fail"} 1`,
		`evrun_handler_queue_wait_seconds_count{handler="note"} 1`, `evrun_handler_backlog_events{handler="note"} 0`, `evrun_schedule_paused{schedule="rests"} 1`,
		`evrun_config_last_reload_successful 1`,
	} {
		if !strings.Contains(string(text), "\n"+want+"\n") {
			t.Errorf("it does not have %s", want)
		}
	}
	var alerts, board bytes.Buffer
	if err := metrics.WriteAlerts(&alerts, "evrun", false); err != nil {
		t.Error(err)
	}
	if err := metrics.WriteDashboard(&board); err != nil {
		t.Error(err)
	}
	used := map[string]bool{}
	for _, name := range regexp.MustCompile(`\b(evrun|go|process)_[a-z_]+`).FindAllString(alerts.String()+board.String(), -1) {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if f := all[strings.TrimSuffix(name, suffix)]; f.GetType() == dto.MetricType_HISTOGRAM {
				base = strings.TrimSuffix(name, suffix)
			}
		}
		used[base] = true
		if all[base] == nil && !seldom(base) {
			t.Errorf("%s is used, and is not in a scrape", name)
		}
	}
	for _, name := range names {
		if !used[name] {
			t.Errorf("neither the dashboard nor an alert has %s", name)
		}
	}

	// A handler that has left is in the metrics no more, and a wrong file is.
	d.Write(t, `handlers: [{name: other, on: order.*, do: log, with: {message: x}}]`+"\n")
	if _, err := d.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	text = eventually(t, d, `evrun_handler_paused{handler="other"} 0`)
	if bytes.Contains(text, []byte(`handler="note"`)) || bytes.Contains(text, []byte(`schedule="often"`)) {
		t.Error("what has left is still there")
	}
	d.Write(t, "handlers: [{name: other}]\n")
	if _, err := d.Reload(t.Context()); err == nil {
		t.Fatal("a wrong file was taken")
	}
	eventually(t, d, "\nevrun_config_last_reload_successful 0\n")
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
}

func TestTheDashboardIsComplete(t *testing.T) {
	var b bytes.Buffer
	if err := metrics.WriteDashboard(&b); err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Type    string
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal(b.Bytes(), &board); err != nil {
		t.Fatal(err)
	}
	at := map[[2]int]int{}
	for _, p := range board.Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := at[[2]int{x, y}]; other != 0 || x >= 24 {
					t.Fatalf("the panels %d and %d overlap", other, p.ID)
				}
				at[[2]int{x, y}] = p.ID
			}
		}
	}
	for _, expr := range metrics.Expressions() {
		for _, left := range []string{"{}", "{h", "RATE", "{,", "$"} {
			if strings.Contains(expr, left) {
				t.Errorf("%s has %s", expr, left)
			}
		}
	}
}
