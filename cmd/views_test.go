package cmd_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// events_view and runs_view have, of a store with runs in all states, what the commands print as JSON. Times are cut to milliseconds.
func TestTheViewsHaveWhatTheCommandsPrint(t *testing.T) {
	t.Parallel()
	dir := oldStore(t)
	d := serve(t, dir, nil) // it brings the store up to date
	d.ready(t)
	d.stop(t)
	printed := func(args ...string) (rows []map[string]any) {
		out, code := run(t, dir, args...)
		if code != 0 {
			t.Fatalf("%v: exit %d, %s", args, code, out)
		}
		d := json.NewDecoder(strings.NewReader(out))
		for d.More() {
			var row map[string]any
			if err := d.Decode(&row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		return rows
	}
	events := printed("events", "list", "-o", "json", "-n", "100000")
	runs := printed("runs", "list", "-o", "json", "-n", "100000")
	l := openLedger(t, dir)
	compareView(t, l, "events_view", events, []string{"id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data",
		"chain", "hops", "target", "replayof", "correlationid", "causationid"})
	compareView(t, l, "runs_view", runs, []string{"id", "handler", "event_id", "type", "state", "attempt", "failed_attempts", "error", "started_at",
		"finished_at", "took_ms", "next_attempt_at", "joined"})
	states := map[any]bool{}
	for _, r := range runs {
		states[r["state"]] = true
	}
	if len(states) < 5 || len(events) < 10 {
		t.Errorf("the store has %d events, and runs in the states %v alone", len(events), slices.Collect(maps.Keys(states)))
	}
	// A backup has them, too.
	other := t.TempDir()
	if out, code := run(t, dir, "backup", filepath.Join(other, "evrun.db")); code != 0 {
		t.Fatalf("backup: exit %d, %s", code, out)
	}
	compareView(t, openLedger(t, other), "runs_view", runs, []string{"id", "state", "finished_at"})
}

func compareView(t *testing.T, l *ledger, view string, printed []map[string]any, columns []string) {
	t.Helper()
	pairs := make([]string, len(columns))
	for i, c := range columns {
		value := c
		if c == "data" {
			value = "CASE typeof(data) WHEN 'text' THEN json(data) ELSE CAST(data AS TEXT) END"
		}
		pairs[i] = "'" + c + "', " + value
	}
	stored := l.keeps(t, "seq, json_object("+strings.Join(pairs, ", ")+")", view)
	if len(stored) != len(printed) {
		t.Errorf("%s has %d rows; %d are listed", view, len(stored), len(printed))
	}
	rows := map[string]map[string]any{}
	for _, text := range stored {
		var row []any
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		of := row[1].(map[string]any)
		rows[textOf(of["id"])+textOf(of["source"])] = of
	}
	for _, p := range printed {
		row := rows[textOf(p["id"])+textOf(p["source"])]
		for _, c := range columns {
			got, want := row[c], p[c]
			if at, err := time.Parse(time.RFC3339Nano, textOf(want)); err == nil && (c == "time" || strings.HasSuffix(c, "_at")) {
				want = at.Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
			}
			if n, err := json.Number(textOf(want)).Int64(); err == nil && (c == "chain" || c == "replayof") {
				want = float64(n)
			}
			if want == nil && (got == 0.0 || got == 0) {
				continue // it is left out of the JSON
			}
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(want)
			if string(g) != string(w) {
				t.Errorf("%s of %v: %s is %s; printed: %s", view, p["id"], c, g, w)
			}
		}
	}
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}
