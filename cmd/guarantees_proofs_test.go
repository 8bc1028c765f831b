package cmd_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
)

// publish emits an event that must be accepted.
func publish(t *testing.T, d *daemon, typ, id, data string) api.Receipt {
	t.Helper()
	rc, err := d.client.Emit(t.Context(), &events.Event{Type: typ, ID: id, Source: "/proof", Data: []byte(data)})
	if err != nil {
		t.Fatalf("emit %s: %v", id, err)
	}
	return rc
}

// eventually waits until a query returns the number.
func (l *ledger) eventually(t *testing.T, want int64, query string, args ...any) {
	t.Helper()
	eventuallyTrue(t, query, func() (bool, string) {
		n := l.number(t, query, args...)
		return n == want, fmt.Sprintf("%d, want %d", n, want)
	})
}

// eventSentAgain sends an event again to the same daemon, to the next one, and without one.
func eventSentAgain(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
handlers: [{name: save, on: a.b, do: user.insert, with: {name: x, email: "${ data.mail }"}}]
`)
	d := serve(t, dir, nil)
	d.ready(t)
	publish(t, d, "a.b", "before", `{"mail":"before@example.com"}`)
	first := publish(t, d, "a.b", "same", `{"mail":"first@example.com"}`)
	again := publish(t, d, "a.b", "same", `{"mail":"second@example.com"}`)
	d.kill(t)
	if out, code := run(t, dir, "emit", "a.b", "--id", "same", "--source", "/proof", "-F", "mail:=\"third@example.com\""); code != 0 || !strings.Contains(out, "was accepted before, as #2") {
		t.Errorf("emit without a daemon: exit %d, %s", code, out)
	}
	d = serve(t, dir, nil)
	d.ready(t)
	later := publish(t, d, "a.b", "same", `{"mail":"fourth@example.com"}`)
	if first.Duplicate || first.Sequence != 2 || !again.Duplicate || again.Sequence != 2 || !later.Duplicate || later.Sequence != 2 {
		t.Errorf("%+v, again %+v, after a restart %+v", first, again, later)
	}
	publish(t, d, "a.b", "after", `{"mail":"after@example.com"}`)
	l := openLedger(t, dir)
	l.eventually(t, 3, `SELECT count(*) FROM runs WHERE state = 3`)
	l.none(t, "effects of an event that was sent again", `SELECT email FROM users WHERE email NOT IN ('before@example.com', 'first@example.com', 'after@example.com')`)
	d.stop(t)
}

// inOrderOverKills kills a daemon while it works off 600 events. A user's id shows when its effect was written: those of one key, and
// those of a handler with concurrency 1, follow the journal.
func inOrderOverKills(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
log: {level: error}
handlers:
  - {name: keyed, on: a.b, order_by: data.key, concurrency: 8, do: user.insert, with: {name: "keyed-${ data.key }", email: "k${ event.id }@example.com"}}
  - {name: single, on: a.b, concurrency: 1, do: user.insert, with: {name: single, email: "s${ event.id }@example.com"}}
`)
	const n = 600
	l := (*ledger)(nil)
	for i := range 4 {
		d := serve(t, dir, nil)
		d.ready(t)
		for j := range n / 4 {
			publish(t, d, "a.b", fmt.Sprintf("%d-%d", i, j), fmt.Sprintf(`{"key":"%d"}`, j%7))
		}
		if l == nil {
			l = openLedger(t, dir)
		}
		d.kill(t)
	}
	d := serve(t, dir, nil)
	d.ready(t)
	l.eventually(t, 2*n, `SELECT count(*) FROM runs WHERE state = 3`)
	l.none(t, "effects out of order", `SELECT * FROM (SELECT u.name, e.sequence, lag(e.sequence) OVER (PARTITION BY u.name ORDER BY u.id) AS before
		FROM users u JOIN events e ON e.id = u.event_id) WHERE before >= sequence`)
	if users := l.number(t, `SELECT count(*) FROM users`); users != 2*n {
		t.Errorf("%d effects, want %d", users, 2*n)
	}
	d.stop(t)
}

// failingEventHoldsUpNobody: an event fails in a handler with concurrency 1, and its next attempt is hours away.
func failingEventHoldsUpNobody(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
handlers:
  - name: work
    on: a.b
    do: exec
    with: {shell: "test \"$ID\" != bad", env: {ID: "${ event.id }"}}
    concurrency: 1
    timeout: 1m
    retry: {attempts: 3, backoff: 2h, max: 2h}
`)
	d := serve(t, dir, nil)
	d.ready(t)
	publish(t, d, "a.b", "bad", "{}")
	for i := range 5 {
		publish(t, d, "a.b", fmt.Sprint("good", i), "{}")
	}
	l := openLedger(t, dir)
	l.eventually(t, 5, `SELECT count(*) FROM runs WHERE state = 3`)
	if retrying := l.number(t, `SELECT count(*) FROM runs WHERE state = 2`); retrying != 1 {
		t.Errorf("%d runs are retrying, want that of the bad event", retrying)
	}
	d.stop(t)
}

// editedHandlerSkipsNothing renames a handler with events pending, removes it, and puts it back.
func editedHandlerSkipsNothing(t *testing.T) {
	t.Parallel()
	const handler = `{name: %s, on: a.b, do: user.insert, with: {name: x, email: "${ event.id }@example.com"}}`
	dir := wired(t, "handlers: ["+fmt.Sprintf(handler, "save")+"]\n")
	l := (*ledger)(nil)
	start := func(wiring string) *daemon {
		wireAt(t, dir, wiring)
		d := serve(t, dir, nil)
		d.ready(t)
		return d
	}
	pending := func(ids ...string) {
		for _, id := range ids {
			if out, code := run(t, dir, "emit", "a.b", "--id", id); code != 0 {
				t.Fatalf("emit: exit %d, %s", code, out)
			}
		}
	}
	start("handlers: [" + fmt.Sprintf(handler, "save") + "]\n").stop(t)
	l = openLedger(t, dir)
	pending("1", "2")

	d := start("handlers: [" + fmt.Sprintf(handler, "keep, was: save") + "]\n")
	l.eventually(t, 2, `SELECT count(*) FROM users`)
	d.stop(t)
	pending("3")

	d = start("handlers: []\n")
	publish(t, d, "a.b", "4", "{}")
	if out, code := run(t, dir, "handlers", "list"); code != 0 || !strings.Contains(out, "keep") || !strings.Contains(out, "left") {
		t.Errorf("handlers list: exit %d, %s", code, out)
	}
	if n := l.number(t, `SELECT count(*) FROM events WHERE type = 'evrun.handler.left'`); n != 1 {
		t.Errorf("the handler that left with events pending was announced %d times", n)
	}
	wireAt(t, dir, "handlers: ["+fmt.Sprintf(handler, "keep")+"]\n")
	if out, code := run(t, dir, "reload"); code != 0 {
		t.Errorf("reload: exit %d, %s", code, out)
	}
	publish(t, d, "a.b", "5", "{}")
	l.eventually(t, 5, `SELECT count(*) FROM users`)
	l.none(t, "events whose effect is not there exactly once", `SELECT e.id FROM events e WHERE e.type = 'a.b' AND (SELECT count(*) FROM users u WHERE u.event_id = e.id) <> 1`)
	d.stop(t)
}

// requestKeepsItsKey has a service fail twice.
func requestKeepsItsKey(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var keys []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer service.Close()
	dir := wired(t, `
handlers:
  - {name: call, on: a.b, do: http, with: {url: "`+service.URL+`"}, retry: {attempts: 5, backoff: 10ms, max: 10ms}, timeout: 1m}
`)
	d := serve(t, dir, nil)
	d.ready(t)
	publish(t, d, "a.b", "1", "{}")
	l := openLedger(t, dir)
	l.eventually(t, 1, `SELECT count(*) FROM runs WHERE state = 3 AND attempt = 3`)
	d.stop(t)
	mu.Lock()
	defer mu.Unlock()
	if slices.Sort(keys); len(keys) != 3 || keys[0] != keys[2] || !strings.HasPrefix(keys[0], "1-call-") {
		t.Errorf("the keys of three attempts: %q", keys)
	}
}

// deadRunIsKept has a command fail until a file exists.
func deadRunIsKept(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
handlers:
  - {name: work, on: a.b, do: exec, with: {shell: "test -e mended || { echo no such file: mended >&2; exit 3; }"}, retry: {attempts: 2, backoff: 10ms, max: 10ms}, timeout: 1m}
  - {name: alert, on: evrun.run.dead, do: user.insert, with: {name: "${ data.handler }", email: "${ data.run }@example.com"}}
`)
	d := serve(t, dir, nil)
	d.ready(t)
	publish(t, d, "a.b", "1", "{}")
	l := openLedger(t, dir)
	l.eventually(t, 1, `SELECT count(*) FROM users WHERE name = 'work'`)
	d.kill(t)
	d = serve(t, dir, nil)
	d.ready(t)
	out, code := run(t, dir, "runs", "list", "--state", "dead")
	id, _, _ := strings.Cut(out[strings.LastIndex(out, "1-work-"):], " ")
	if code != 0 || id == "" {
		t.Fatalf("runs list: exit %d, %s", code, out)
	}
	if out, code := run(t, dir, "runs", "show", id); code != 0 || strings.Count(out, "no such file: mended") < 2 {
		t.Errorf("runs show: exit %d, want both attempts: %s", code, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, dir, "runs", "retry", id); code != 0 {
		t.Errorf("runs retry: exit %d, %s", code, out)
	}
	l.eventually(t, 1, `SELECT count(*) FROM runs WHERE state = 3 AND attempt = 3`)
	d.stop(t)
}

// refusedEvents says why, and keeps nothing.
func refusedEvents(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
events:
  user.registered: {schema: {type: object, required: [email]}}
handlers: [{name: note, on: ">", do: log, with: {message: x}}]
`)
	d := serve(t, dir, nil)
	d.ready(t)
	for _, refused := range []struct {
		args []string
		why  string
	}{
		{[]string{"emit", "user.registered", "-f", "name=x"}, "email"},
		{[]string{"emit", "evrun.run.dead"}, "evrun."},
		{[]string{"emit", "a..b"}, "a..b"},
		{[]string{"emit", "a.b", "-d", "{"}, "JSON"},
	} {
		if out, code := run(t, dir, refused.args...); code == 0 || !strings.Contains(out, refused.why) {
			t.Errorf("%v: exit %d, %s", refused.args, code, out)
		}
	}
	if n := len(journal(t, dir)); n != 0 {
		t.Errorf("the journal has %d events", n)
	}
	d.stop(t)
}

// clockSetBack starts a daemon on a store whose last slots are in the future, as they are after a clock was set back: the slots in
// between are not published again, and the ones after them are.
func clockSetBack(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
log: {level: error}
schedules: [{name: tick, every: 100ms, missed: all, emit: tick}]
handlers: [{name: note, on: tick, do: log, with: {message: x}}]
`)
	d := serve(t, dir, nil)
	d.ready(t)
	l := openLedger(t, dir)
	eventuallyTrue(t, "slots are published", func() (bool, string) {
		n := l.number(t, `SELECT count(*) FROM events WHERE type = 'tick'`)
		return n > 3, fmt.Sprint(n)
	})
	d.stop(t)
	const ahead = 1500 * time.Millisecond
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	var mark int64 // the last slot before the clock was set back
	if err := db.QueryRow(`UPDATE schedules SET slot = (? / 100000 + 1) * 100000 RETURNING slot`, time.Now().Add(ahead).UnixMicro()).Scan(&mark); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(journal(t, dir))
	d = serve(t, dir, nil)
	d.ready(t)
	eventuallyTrue(t, "slots go on", func() (bool, string) {
		n := l.number(t, `SELECT count(*) FROM events WHERE type = 'tick'`)
		return n > int64(before)+3, fmt.Sprint(n)
	})
	d.stop(t)
	next := time.UnixMicro(mark).UTC()
	for _, e := range journal(t, dir)[before:] {
		if next = next.Add(100 * time.Millisecond); !e.Time.Equal(next) {
			t.Fatalf("slot %v, want %v, the next one after the mark", e.Time, next)
		}
	}
}

// endlessStatement has a handler whose statement does not end. Others are not blocked, and its run is dead with an error that says what to do.
func endlessStatement(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
handlers:
  - name: endless
    on: a.b
    do: sql
    with:
      migrate: [CREATE TABLE hits (n)]
      statement: INSERT INTO hits WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c
    retry: {attempts: 1}
  - {name: save, on: c.d, do: user.insert, with: {name: x, email: "${ event.id }@example.com"}}
`)
	d := serve(t, dir, nil)
	d.ready(t)
	publish(t, d, "a.b", "endless", "{}")
	for i := range 20 {
		publish(t, d, "c.d", fmt.Sprint(i), "{}")
	}
	l := openLedger(t, dir)
	l.eventually(t, 20, `SELECT count(*) FROM users`)
	l.eventually(t, 1, `SELECT count(*) FROM runs WHERE state = 5 AND error LIKE '%hold:%'`)
	l.none(t, "what an endless statement wrote", `SELECT * FROM hits`)
	d.stop(t)
}
