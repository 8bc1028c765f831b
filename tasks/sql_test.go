package tasks_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
)

// sqlHandler makes a handler of the kind sql, on user.registered.
func sqlHandler(t testing.TB, with map[string]any) *tasks.Handler {
	t.Helper()
	action, faults := handlers.Build("sql", with, handlers.Deps{BaseDir: t.TempDir(), ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement})
	for _, f := range faults {
		t.Fatal(f)
	}
	return &tasks.Handler{Name: "sign-up", On: on("user.registered"), Kind: "sql", Action: action}
}

// reader opens the database at path beside the daemon.
func reader(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// BenchmarkBulkSQL is BenchmarkBulk with the kind sql: a table like that of the users, with its unique index.
func BenchmarkBulkSQL(b *testing.B) {
	const table = "CREATE TABLE sign_ups (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL COLLATE NOCASE UNIQUE, event_id TEXT NOT NULL) STRICT"
	const insert = "INSERT INTO sign_ups (name, email, event_id) VALUES (:name, :email, :event) "
	for name, statement := range map[string]string{
		"insert": insert,
		"upsert": insert + "ON CONFLICT (email) DO UPDATE SET name = excluded.name",
		"return": insert + "RETURNING id",
	} {
		b.Run(name, func(b *testing.B) {
			at := path(b)
			d := start(b, at, sqlHandler(b, map[string]any{"statement": statement, "migrate": table,
				"params": map[string]any{"name": "${ data.name }", "email": "${ data.email }", "event": "${ event.id }"}}))
			db := reader(b, at)
			bulk(b, d, func(n int) {
				for last := 0; last < n; wait(time.Millisecond) {
					if err := db.QueryRow("SELECT ifnull(max(id), 0) FROM sign_ups").Scan(&last); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// rowsOf reads the first column of a query.
func rowsOf(t testing.TB, db *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// A success stores the row, the run and the emitted event together. A failure, in the statement or afterwards, stores only the run.
func TestSQLEffectRunAndEventAreOne(t *testing.T) {
	at := path(t)
	h := sqlHandler(t, map[string]any{
		"statement": "INSERT INTO sign_ups (event, n) VALUES (:event, 10 / :n) RETURNING id, n",
		"params":    map[string]any{"event": "${ event.id }", "n": "${ data.n }"},
		"migrate":   []any{"CREATE TABLE sign_ups (id INTEGER PRIMARY KEY, event TEXT NOT NULL, n INTEGER NOT NULL)"},
	})
	h.Retry = tasks.Retry{Attempts: 1}
	emit, err := expression.CompileTemplate("signed.up.${ result.row.n > 4 ? 'big' : 'two words' }", expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	h.Emit = []emission.Entry{{Type: emit}}
	d := start(t, at, h)
	commits := d.commits.Subscribe(1000).C()
	for id, n := range map[string]string{"good": "2", "null": "0", "bad-event": "5"} {
		e := &events.Event{Type: "user.registered", ID: id, Source: "/test", Data: []byte(`{"n":` + n + `}`)}
		if _, err := d.emitter.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	db := reader(t, at)
	settled := 0
	for settled < 3 {
		c := <-commits
		for _, r := range c.Runs {
			settled++
			emitted, stored := 0, len(rowsOf(t, db, "SELECT id FROM sign_ups WHERE event = '"+r.EventID+"'"))
			for _, e := range c.Events {
				if e.CausationID == r.EventID && e.Type == "signed.up.big" {
					emitted++
				}
			}
			want, state := 0, store.Dead
			if r.EventID == "good" {
				want, state = 1, store.Succeeded
			}
			if emitted != want || stored != want || r.State != state {
				t.Errorf("%s: %v with %d rows and %d events; %s", r.EventID, r.State, stored, emitted, r.Error)
			}
		}
	}
}

// A statement that takes too long is tried once more alone, and then its run is dead. Others are not affected.
func TestAnEndlessStatementHarmsNobodyElse(t *testing.T) {
	at := path(t)
	h := sqlHandler(t, map[string]any{
		"statement": "INSERT INTO seen SELECT :id WHERE :id <> 'slow' OR (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c)",
		"params":    map[string]any{"id": "${ event.id }"}, "migrate": "CREATE TABLE seen (id TEXT PRIMARY KEY)",
	})
	h.Retry = tasks.Retry{Attempts: 2, Backoff: time.Millisecond, Max: time.Millisecond}
	d := startWith(t, at, sqlite.Options{Options: store.Options{StatementTimeout: 30 * time.Millisecond}}, h, &tasks.Handler{Name: "save", On: on("user.registered"), Action: saveUser})
	var evs []*events.Event
	for i := range 50 {
		id := fmt.Sprint(i)
		if i == 25 {
			id = "slow"
		}
		evs = append(evs, &events.Event{Type: "user.registered", ID: id, Source: "/test"})
	}
	commits := d.commits.Subscribe(1000).C()
	if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
		t.Fatal(err)
	}
	for over := 0; over < 2*len(evs); {
		for _, r := range (<-commits).Runs {
			if !r.State.Ended() {
				continue
			}
			over++
			if (r.State == store.Dead) != (r.EventID == "slow" && r.Handler == "sign-up") {
				t.Errorf("%s on %s: %v, %s", r.Handler, r.EventID, r.State, r.Error)
			}
			if r.State == store.Dead && (r.Attempt != 1 || !strings.Contains(r.Error, "too long: more than") || !strings.Contains(r.Error, "hold: ")) {
				t.Errorf("attempt %d: %s", r.Attempt, r.Error)
			}
		}
	}
	if got := rowsOf(t, reader(t, at), "SELECT id FROM seen"); len(got) != len(evs)-1 {
		t.Errorf("%d rows", len(got))
	}
	if n, err := d.store.CountUsers(t.Context()); err != nil || int(n) != len(evs) {
		t.Errorf("%d users, %v", n, err)
	}
}

// Any payload arrives as data, never as SQL.
func TestPayloadsAreDataToSQL(t *testing.T) {
	at := path(t)
	d := start(t, at, sqlHandler(t, map[string]any{
		"statement": "INSERT INTO notes (event, text) VALUES (:event, :text)",
		"params":    map[string]any{"event": "${ event.id }", "text": "${ data.text }"},
		"migrate":   "CREATE TABLE notes (event PRIMARY KEY, text)",
	}))
	hostile := []string{
		"'; DROP TABLE notes; --", "x'); DELETE FROM events; --", `" OR ""="`, "Robert'); DROP TABLE users;--", "1; ATTACH DATABASE 'x' AS y", "a\x00'; DROP TABLE notes",
		"/* */ UNION SELECT * FROM meta", "--", ";", ":event", "?1", "${ event.id }", "$${ x }", `\'`, "\u2019; DROP TABLE notes", "\ufeff'", "%s%n", "{{.}}",
		`{"$ref":"#"}`, "\r\n'", strings.Repeat("'", 300_000),
	}
	for i, text := range hostile {
		data, err := json.Marshal(map[string]any{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		e := &events.Event{Type: "user.registered", ID: fmt.Sprint(i), Source: "/test", Data: data}
		if _, err := d.emitter.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		d.settled(len(hostile[:i+1]))
	}
	db := reader(t, at)
	for i, text := range hostile {
		if got := rowsOf(t, db, fmt.Sprintf("SELECT text FROM notes WHERE event = '%d'", i)); len(got) != 1 || got[0] != text {
			t.Errorf("%.60q came as %.60q", text, got)
		}
	}
	if runs, err := d.store.Runs(t.Context(), store.RunQuery{State: store.Succeeded}); err != nil || len(runs) != len(hostile) {
		t.Errorf("%d runs succeeded, %v", len(runs), err)
	}
}

// If a migration fails, the runner doesn't start, and the error names the handler.
func TestAMigrationThatFailsStopsTheStart(t *testing.T) {
	s, err := sqlite.Open(path(t), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	bus := events.NewBus()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		bus.Close()
		s.Close()
	}()
	h := sqlHandler(t, map[string]any{"statement": "SELECT 1", "migrate": []any{"CREATE TABLE t (x)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM runs; END"}})
	err = tasks.NewRunner(tasks.Options{Store: s, Bus: bus, Emitter: emitter.New(s, 0), Handlers: []*tasks.Handler{h}, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
	want := `handler sign-up: migrate: the statement failed: "runs" is evrun's own: it can be read, not written, in the trigger or view "tr"`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// With a dsn, the statement runs on that file, and again with each attempt.
func TestSQLOnAnotherFile(t *testing.T) {
	at := filepath.Join(t.TempDir(), "other.db")
	d := start(t, path(t), sqlHandler(t, map[string]any{
		"statement": "INSERT INTO seen VALUES (:id) ON CONFLICT DO NOTHING", "params": map[string]any{"id": "${ event.id }"},
		"migrate": "CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)", "dsn": at,
	}))
	for i := range 20 {
		d.emit("user.registered", fmt.Sprint(i))
	}
	d.settled(20)
	d.stop()
	if got := rowsOf(t, reader(t, at), "SELECT id FROM seen"); len(got) != 20 {
		t.Errorf("%d rows", len(got))
	}
}

// A handler that only reads does so beside the writer. Its run and its emitted events are settled exactly once.
func TestAReadIsSettledOnce(t *testing.T) {
	at := path(t)
	h := sqlHandler(t, map[string]any{"statement": "SELECT count(*) > 0 AS known FROM events WHERE id = :id", "params": map[string]any{"id": "${ event.id }"}})
	emit, err := expression.CompileTemplate("looked.up.${ result.row.known }", expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	h.Emit = []emission.Entry{{Type: emit}}
	d := start(t, at, h)
	for i := range 20 {
		d.emit("user.registered", fmt.Sprint(i))
	}
	d.settled(20)
	db := reader(t, at)
	if got := rowsOf(t, db, "SELECT count(*) FROM events WHERE type = 'looked.up.1'"); got[0] != "20" {
		t.Errorf("%s events", got[0])
	}
	if got := rowsOf(t, db, "SELECT DISTINCT state || ' ' || attempt FROM runs"); len(got) != 1 || got[0] != "3 1" {
		t.Errorf("runs: %v", got)
	}
}

// A stop does not wait for a long batch of statements beyond the grace period. The rest of the batch is done after the next start.
func TestAStopLeavesTheRestOfABatch(t *testing.T) {
	at := path(t)
	handler := func(n string) *tasks.Handler {
		h := sqlHandler(t, map[string]any{
			"statement": "INSERT INTO seen SELECT :id, (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < " + n + ") SELECT count(*) FROM c)",
			"params":    map[string]any{"id": "${ event.id }"}, "migrate": "CREATE TABLE seen (id TEXT, n)",
		})
		h.FromStart = true
		return h
	}
	d := start(t, at, handler("20000"))
	const n = 400
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = &events.Event{Type: "user.registered", ID: fmt.Sprint(i), Source: "/test"}
	}
	if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
		t.Fatal(err)
	}
	d.stop()
	first := rowsOf(t, reader(t, at), "SELECT count(*) FROM seen")[0]
	if first == fmt.Sprint(n) {
		t.Logf("all of them were done before the stop")
	}
	d = start(t, at, handler("1"))
	d.settled(n)
	if got := rowsOf(t, reader(t, at), "SELECT count(*) || ' ' || count(DISTINCT id) FROM seen"); got[0] != fmt.Sprintf("%d %d", n, n) {
		t.Errorf("%s, and %s before the stop", got[0], first)
	}
}
