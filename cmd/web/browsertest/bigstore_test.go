package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// The big store is what the pages are measured on: 5 million events of the last 60 days, about as many runs, 100,000 of them dead, and a million users.
// To make it, which takes minutes and 5 GB, and to serve it:
//
//	EVRUN_BIG_STORE=DIR go test -timeout 30m -run TestMakeTheBigStore -v ./cmd/web/browsertest
//	evrun serve -c DIR/evrun.yaml
//
// EVRUN_BIG_EVENTS changes the number of events; that of dead runs and users follows.
func TestMakeTheBigStore(t *testing.T) {
	dir := os.Getenv("EVRUN_BIG_STORE")
	if dir == "" {
		t.Skip("makes a store of gigabytes, where EVRUN_BIG_STORE says")
	}
	n := 5_000_000
	if text := os.Getenv("EVRUN_BIG_EVENTS"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "evrun.db")
	if _, err := os.Stat(path); err == nil {
		t.Skipf("%s exists", path)
	}
	makeBigStore(t, path, n, time.Now())
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte(bigWiring()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// bigHandlers are the handlers of the big store, by id.
var bigHandlers = []struct{ name, on string }{
	{"charge", "order.placed"}, {"ship", "order.paid"}, {"save-user", "user.registered"}, {"count-view", "page.viewed"}, {"report", "schedule.>"},
	{"collect", "sensor.>"}, {"import-row", "row.found"},
}

const bigSchedules = 20

// bigWiring is the wiring file of the big store. Nothing reaches another machine: a run that is retried is logged.
func bigWiring() string {
	var b strings.Builder
	b.WriteString("store: evrun.db\nserver: {socket: evrun.sock, listen: \"127.0.0.1:0\"}\nretention: {events: off}\nevents:\n")
	b.WriteString("  order.placed:\n    description: Somebody ordered something.\n    schema: {type: object, required: [order, total], properties: {order: {type: integer}, total: {type: number}, city: {type: string, enum: [Paris, Lyon]}}}\n")
	b.WriteString("  page.viewed: {description: Somebody looked at a page.}\nhandlers:\n")
	for _, h := range bigHandlers {
		when := ""
		if h.name == "ship" {
			when = "    when: data.total > 0 and data.city != \"Nowhere\"\n"
		}
		fmt.Fprintf(&b, "  - name: %s\n    on: %s\n%s    do: log\n    with: {message: \"${ event.type } ${ event.id }\"}\n", h.name, h.on, when)
	}
	b.WriteString("schedules:\n")
	for i := range bigSchedules {
		fmt.Fprintf(&b, "  - {name: report-%d, cron: \"%d %d * * *\", emit: schedule.report-%d}\n", i, i*3%60, i, i)
	}
	return b.String()
}

// makeBigStore makes the store in SQL, without the engine. Its last event is of now.
func makeBigStore(t *testing.T, path string, n int, now time.Time) {
	t.Helper()
	c, err := conn.Open(conn.Writer(path, "OFF"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := schema.Migrate(c); err != nil {
		t.Fatal(err)
	}
	pairs, err := c.Pairs(`SELECT key, value FROM meta WHERE key = 'id'`)
	if err != nil || len(pairs) != 1 {
		t.Fatal(pairs, err)
	}
	id := pairs[0][1]
	step := (60 * 24 * time.Hour).Microseconds() / int64(n)
	began := now.Add(-60 * 24 * time.Hour).UnixMicro()
	at := fmt.Sprintf("%d + i * %d", began, step)
	numbers := fmt.Sprintf("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)", n)
	run := func(what, script string) {
		t.Helper()
		from := time.Now()
		if err := c.Exec(script); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %v", what, time.Since(from).Round(time.Millisecond))
	}
	run("cache", `PRAGMA cache_size = -400000`)
	for i, h := range bigHandlers {
		run("handler "+h.name, fmt.Sprintf(`INSERT INTO handlers (id, name, low_water, active, patterns) VALUES (%d, '%s', %d, 1, '["%s"]')`, i+1, h.name, n, h.on))
	}
	// i % 8: 0, 4 order.placed, and 1, 5 the order.paid that its run published; 2, 3, 7 page.viewed; 6 user.registered. In between: sensors, and a chain of
	// 500 rows.
	first := (n-n/10)/360*360 + 8
	run("events", numbers+fmt.Sprintf(` INSERT INTO events (sequence, id, source, type, time, accepted_at, data, chain, cause, hops, causationid)
		SELECT i,
			CASE kind WHEN 'order.paid' THEN printf('%%d-charge-%[1]s.1', i - 1) WHEN 'row.found' THEN printf('%%d-import-%[1]s.%%d', %[2]d, i - %[2]d)
				ELSE printf('019b7a00-0000-7000-8000-%%012x', i) END,
			CASE kind WHEN 'order.paid' THEN '/evrun/%[1]s/handlers/charge' WHEN 'row.found' THEN '/evrun/%[1]s/handlers/import' ELSE '/shop/web-' || (i %% 3) END,
			CASE kind WHEN 'sensor' THEN 'sensor.s' || (i / 184 %% 40) || '.read' ELSE kind END,
			at, at,
			CASE kind WHEN 'order.placed' THEN printf('{"order":%%d,"total":%%d.5,"city":"%%s","customer":"visitor-%%d@example.com"}', i / 4, i %% 977, CASE WHEN i %% 3 = 0 THEN 'Paris' ELSE 'Lyon' END, i %% 90001)
				WHEN 'order.paid' THEN printf('{"order":%%d,"total":%%d.5,"city":"%%s"}', i / 4, (i - 1) %% 977, CASE WHEN i %% 3 = 0 THEN 'Paris' ELSE 'Lyon' END)
				WHEN 'page.viewed' THEN printf('{"path":"/articles/%%d","ms":%%d}', i %% 1009, i %% 311)
				WHEN 'user.registered' THEN printf('{"name":"Visitor %%d","email":"visitor-%%d@example.com","plan":"%%s"}', i, i, CASE WHEN i %% 5000 = 6 THEN 'gold' ELSE 'free' END)
				WHEN 'row.found' THEN printf('{"row":%%d}', i - %[2]d) WHEN 'sensor' THEN printf('{"celsius":%%d.%%d}', i %% 30, i %% 10) ELSE NULL END,
			CASE kind WHEN 'order.paid' THEN i - 1 WHEN 'row.found' THEN %[2]d END,
			CASE kind WHEN 'order.paid' THEN i - 1 WHEN 'row.found' THEN %[2]d END,
			CASE WHEN kind IN ('order.paid', 'row.found') THEN 1 ELSE 0 END,
			CASE WHEN kind = 'order.paid' THEN printf('019b7a00-0000-7000-8000-%%012x', i - 1) WHEN kind = 'row.found' THEN printf('019b7a00-0000-7000-8000-%%012x', %[2]d) END
		FROM (SELECT i, %[3]s AS at, CASE WHEN i > %[2]d AND i <= %[2]d + 500 THEN 'row.found' WHEN i %% 184 = 7 THEN 'sensor'
			WHEN i %% 4 = 0 THEN 'order.placed' WHEN i %% 4 = 1 AND i > 1 THEN 'order.paid' WHEN i %% 8 = 6 THEN 'user.registered' ELSE 'page.viewed' END AS kind FROM c)`,
		id, first, at))
	// The events of the slots take the places of others. Now and then a slot was missed.
	for i := range bigSchedules {
		for day := range 60 {
			slot := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -day).Add(time.Duration(i)*time.Hour + time.Duration(i*3%60)*time.Minute)
			place := (slot.UnixMicro() - began + step - 1) / step
			if (i+day)%19 == 7 || place < 1 || place > int64(n) {
				continue
			}
			if err := c.Exec(fmt.Sprintf(`UPDATE events SET id = '%s', source = '/evrun/%s/schedules/report-%[3]d', type = 'schedule.report-%[3]d', data = NULL,
				chain = NULL, cause = NULL, hops = 0, causationid = NULL WHERE sequence = %[4]d`, slot.Format(time.RFC3339), id, i, place)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Each matching handler has a run. Every 45th is dead, with one of a dozen errors that differ in numbers and names.
	run("runs", fmt.Sprintf(`INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at, error)
		SELECT sequence, handler, state, CASE state WHEN 5 THEN 3 ELSE 1 END, accepted_at + 900, accepted_at + 900 + (sequence %% 211) * 700,
			CASE WHEN state <> 5 THEN NULL
				WHEN sequence / 45 %% 20 = 0 THEN printf('card declined by bank %%d: insufficient funds', sequence %% 1000)
				WHEN sequence / 45 %% 20 < 9 THEN printf('Post "https://api.example.com/v2/orders/%%d": dial tcp 192.0.2.%%d:443: connect: connection refused', sequence, sequence %% 250)
				WHEN sequence / 45 %% 20 < 13 THEN 'no answer within 30s' WHEN sequence / 45 %% 20 < 16 THEN printf('status 503 Service Unavailable (request %%016x)', sequence * 7919)
				WHEN sequence / 45 %% 20 < 18 THEN printf('exit status 2: open "/var/spool/orders/%%d.json": no such file or directory', sequence)
				ELSE printf('UNIQUE constraint failed: users.email ("visitor-%%d@example.com")', sequence) END
		FROM (SELECT sequence, accepted_at, CASE WHEN sequence %% 45 = 0 AND handler <> 7 THEN 5 WHEN handler = 2 AND sequence %% 977 = 1 THEN 4 ELSE 3 END AS state, handler
			FROM (SELECT sequence, accepted_at, CASE type WHEN 'order.placed' THEN 1 WHEN 'order.paid' THEN 2 WHEN 'user.registered' THEN 3 WHEN 'page.viewed' THEN 4
				WHEN 'row.found' THEN 7 ELSE iif(type GLOB 'sensor.*', 6, 5) END AS handler FROM events))`))
	run("attempts", `INSERT INTO attempts (sequence, handler, attempt, started_at, finished_at, error)
		SELECT sequence, handler, a.n, started_at + (a.n - 3) * 2000000, finished_at + (a.n - 3) * 2000000, error FROM runs, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) a WHERE state = 5`)
	run("users", fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO users (name, email, attributes, created_at, event_id)
		SELECT 'Visitor ' || i, 'visitor-' || i || '@example.com', '{"plan":"free"}', %d + i * %d, printf('019b7a00-0000-7000-8000-%%012x', i * 5) FROM c`, n/5, began, step*5))
	run("schedules", fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
		INSERT INTO schedules (name, since, slot) SELECT 'report-' || i, %d, %d FROM c`, bigSchedules-1, began, now.UnixMicro()))
	run("blocks", blocksMigration(t))
	run("statistics", `PRAGMA optimize`)
}

// blocksMigration are the statements of the migration that fills the table blocks from the events and runs.
func blocksMigration(t *testing.T) string {
	t.Helper()
	migration, err := schema.Migrations.ReadFile("migrations/016_blocks.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, fill, _ := strings.Cut(string(migration), "\n\n")
	fill, _, ok := strings.Cut(fill, "\n\n--")
	if !ok || !strings.HasPrefix(fill, "WITH") {
		t.Fatalf("the migration has no such part: %s", migration)
	}
	return fill
}
