package cmd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/tasks/search"
)

// pruned prunes until no event of a type is left.
func (l *ledger) pruned(t *testing.T, typ string) {
	t.Helper()
	eventuallyTrue(t, "no "+typ+" is left", func() (bool, string) {
		out, code := run(t, l.effectsDir, "prune")
		return code == 0 && l.number(t, `SELECT count(*) FROM events WHERE type = ?`, typ) == 0, out
	})
}

const retentionWiring = `
log: {level: info}
retention: {events: %s, dedupe: 30d}
handlers:
  - {name: save, on: [a.b, a.c], do: user.insert, with: {name: x, email: "${ event.id }@example.com"}, emit: a.saved}
  - {name: say, on: a.saved, do: log, with: {message: saved}}
  - {name: fail, on: a.fail, do: exec, with: {shell: "test -e mended"}, retry: {attempts: 1}}
  - {name: slow, on: a.slow, do: exec, with: {shell: "until test -e released; do sleep 0.02; done"}, timeout: 5m}
`

// forgetful starts the daemon of a proof, whose events are old after a second.
func forgetful(t *testing.T) (dir string, d *daemon, l *ledger) {
	t.Helper()
	proof(t)
	t.Parallel()
	dir = wired(t, fmt.Sprintf(retentionWiring, "1s"))
	d = serve(t, dir, nil)
	d.ready(t)
	return dir, d, openLedger(t, dir)
}

// TestPrunedEventsAreStillKnown sends events again that were pruned: single ones, many at once among new ones, after a restart, and without a daemon. Nothing runs
// again, and each has the sequence that it had.
func TestPrunedEventsAreStillKnown(t *testing.T) {
	dir, d, l := forgetful(t)
	const n = 300
	seq := map[string]int64{}
	for i := range n {
		id := fmt.Sprintf("%d", i*7919%n) // not in the order of their ids
		seq[id] = publish(t, d, "a.b", id, "{}").Sequence
	}
	l.eventually(t, n, `SELECT count(*) FROM users`)
	l.pruned(t, "a.b")
	again := func(d *daemon) {
		t.Helper()
		for i := 0; i < n; i += 17 {
			if rc := publish(t, d, "a.b", fmt.Sprint(i), "{}"); !rc.Duplicate || rc.Sequence != seq[fmt.Sprint(i)] {
				t.Errorf("event %d, again: %+v, want #%d", i, rc, seq[fmt.Sprint(i)])
			}
		}
		var lines strings.Builder
		for i := range n {
			fmt.Fprintf(&lines, `{"specversion":"1.0","id":"%d","source":"/proof","type":"a.b"}`+"\n", i)
			if i%5 == 0 { // among events that are new at the first time
				fmt.Fprintf(&lines, `{"specversion":"1.0","id":"new-%d","source":"/proof","type":"a.c"}`+"\n", i)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "lines"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := run(t, dir, "emit", "--ndjson", "lines"); code != 0 {
			t.Errorf("emit --ndjson: exit %d, %s", code, out)
		}
		l.eventually(t, n+n/5, `SELECT count(*) FROM users`)
		l.pruned(t, "a.c")
		if left := l.number(t, `SELECT count(*) FROM events WHERE type = 'a.b'`); left != 0 {
			t.Errorf("%d events were accepted again", left)
		}
	}
	again(d)
	d.kill(t)
	out, code := run(t, dir, "emit", "a.b", "--id", "5", "--source", "/proof")
	if want := fmt.Sprintf("was accepted before, as #%d", seq["5"]); code != 0 || !strings.Contains(out, want) {
		t.Errorf("emit without a daemon: exit %d, %s, want %q", code, out, want)
	}
	d = serve(t, dir, nil)
	d.ready(t)
	again(d)
	if rc, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: "5", Source: "/another"}); err != nil || rc.Duplicate {
		t.Errorf("the same id of another source: %+v, %v", rc, err)
	}
	d.stop(t)
	l.orphans(t)
	l.whole(t)
}

// TestWhatIsNotOverIsNotPruned: an attempt that takes longer than retention, and a dead run, keep their chains, over a kill, too; once they are over, all goes.
func TestWhatIsNotOverIsNotPruned(t *testing.T) {
	dir, d, l := forgetful(t)
	publish(t, d, "a.slow", "slow", "{}")
	publish(t, d, "a.fail", "dead", "{}")
	l.eventually(t, 1, `SELECT count(*) FROM runs WHERE state = 5`)
	passes := func(id string) {
		t.Helper()
		publish(t, d, "a.b", id, "{}")
		l.pruned(t, "a.b")
		for _, kept := range []string{"slow", "dead"} {
			if n := l.number(t, `SELECT count(*) FROM events e JOIN runs r ON r.sequence = e.sequence WHERE e.id = ?`, kept); n != 1 {
				t.Errorf("of %s, %d are left", kept, n)
			}
		}
	}
	passes("1")
	d.kill(t)
	d = serve(t, dir, nil)
	d.ready(t)
	passes("2")
	for _, name := range []string{"released", "mended"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.eventually(t, 1, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = 'slow' AND r.state = 3`)
	if out, code := run(t, dir, "runs", "retry", "--handler", "fail", "--yes"); code != 0 {
		t.Errorf("runs retry: exit %d, %s", code, out)
	}
	l.pruned(t, "a.fail")
	l.pruned(t, "a.slow")
	d.stop(t)
	l.orphans(t)
	l.whole(t)
}

// TestAClockThatStepsPrunesNothingEarly sets the clock back by a year, and then ahead of where it was: what was accepted meanwhile is kept as long as what was
// accepted before it, and pruning goes on.
func TestAClockThatStepsPrunesNothingEarly(t *testing.T) {
	proof(t)
	t.Parallel()
	dir := wired(t, fmt.Sprintf(retentionWiring, "1h"))
	now := time.Now()
	c := newClock(t, now)
	var d *daemon
	// at starts the daemon at a time. It has pruned when at returns.
	at := func(by time.Duration) {
		t.Helper()
		if d != nil {
			d.stop(t)
		}
		c.set(t, now.Add(by))
		d = serve(t, dir, []string{c.env()})
		d.ready(t)
		eventuallyTrue(t, "a round is over", func() (bool, string) {
			var status struct {
				Retention struct {
					NextAt *time.Time `json:"next_at"`
					Error  string
				}
			}
			d.get(t, "/v1/status", &status)
			return status.Retention.NextAt != nil && status.Retention.Error == "", status.Retention.Error
		})
	}
	at(0)
	l := openLedger(t, dir)
	handled := func(n int64) {
		t.Helper()
		l.eventually(t, n, `SELECT count(*) FROM users`)
		l.eventually(t, 0, `SELECT count(*) FROM handlers h JOIN events e ON e.sequence > h.low_water WHERE e.type = 'a.saved' AND h.name = 'say'`)
	}
	left := func(ids ...string) {
		t.Helper()
		if got := l.keeps(t, `id`, `events WHERE type = 'a.b'`); fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Errorf("left are %v, want %v", got, ids)
		}
	}
	publish(t, d, "a.b", "now", "{}")
	handled(1)
	const year = 365 * 24 * time.Hour
	at(-year)
	publish(t, d, "a.b", "back", "{}")
	handled(2)
	for _, by := range []time.Duration{time.Minute, -year, 50 * time.Minute} {
		at(by)
		left(`["back"]`, `["now"]`)
	}
	publish(t, d, "a.b", "later", "{}")
	handled(3)
	at(90 * time.Minute)
	left(`["later"]`)
	at(2 * time.Hour)
	left()
	d.stop(t)
	l.orphans(t)
}

// TestAStreamFromBeforeWhatWasPrunedSaysSo: a reader that resumes before pruned events gets a gap, and the events that are left; one that resumes behind
// them gets no gap.
func TestAStreamFromBeforeWhatWasPrunedSaysSo(t *testing.T) {
	_, d, l := forgetful(t)
	publish(t, d, "a.fail", "dead", "{}") // 1
	for i := range 5 {
		publish(t, d, "a.b", fmt.Sprint(i), "{}")
	}
	l.eventually(t, 5, `SELECT count(*) FROM users`)
	l.pruned(t, "a.saved")
	l.pruned(t, "a.b")
	last := publish(t, d, "a.slow", "last", "{}").Sequence
	for after, want := range map[int64]string{0: "gap event event", 1: "gap event", last - 1: "event"} {
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		err := d.client.Stream(ctx, client.StreamQuery{Selection: search.Selection{Types: []string{"a.fail", "a.slow"}}, Resume: true, After: after}, func() error { return nil }, func(kind string, body []byte) error {
			if kind == "gap" || kind == "event" {
				got = append(got, kind)
			}
			if strings.Contains(string(body), `"last"`) {
				cancel()
			}
			return nil
		})
		cancel()
		if text := strings.Join(got, " "); text != want {
			t.Errorf("after #%d: %s (%v), want %s", after, text, err, want)
		}
	}
	d.kill(t)
}
