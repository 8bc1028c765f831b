package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/store"
)

// parse parses a valid statement.
func (d Driver) parse(t *testing.T, text string) *store.Statement {
	t.Helper()
	return must(d.Parse(text))(t)
}

// migrate creates the user's tables.
func (d Driver) migrate(t *testing.T, s store.Store, statements ...string) error {
	t.Helper()
	_, err := s.Rewire(ctx, store.Wiring{Migrations: []store.Migration{d.tables(t, "h", statements...)}})
	return err
}

// executing returns a settlement whose effect runs a statement; got receives the result.
func (d Driver) executing(t *testing.T, s store.Store, h store.HandlerID, id string, got *store.Result, err *error, text string, args ...any) store.Settlement {
	t.Helper()
	return d.running(t, s, h, id, got, err, d.parse(t, text), args...)
}

// running is executing for a statement that was parsed before.
func (d Driver) running(t *testing.T, s store.Store, h store.HandlerID, id string, got *store.Result, err *error, st *store.Statement, args ...any) store.Settlement {
	t.Helper()
	e := event("a.b", id)
	appendAll(t, s, e)
	return store.Settlement{Event: e, Handler: h, Attempt: 1, Started: at, Statement: st, Effect: func(tx store.Tx) store.Outcome {
		if *got, *err = tx.Exec(st, args); *err != nil {
			return store.Outcome{State: store.Dead, Error: (*err).Error()}
		}
		return store.Outcome{State: store.Succeeded}
	}}
}

// exec runs a statement as a handler's effect.
func (d Driver) exec(t *testing.T, s store.Store, h store.HandlerID, text string, args ...any) (got store.Result, err error) {
	t.Helper()
	n := must(s.Head(ctx))(t)
	out := settle(t, s, d.executing(t, s, h, fmt.Sprint("exec-", n), &got, &err, text, args...))
	equal(t, "succeeded", out[0].State == store.Succeeded, err == nil)
	return got, err
}

func statementValues(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	if err := d.migrate(t, s, `CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT, r DOUBLE PRECISION, s TEXT, b `+d.Bytes+`)`); err != nil {
		t.Fatal(err)
	}
	hostile := []any{
		nil, int64(9007199254740993), int64(-1 << 63), 1.5, "", "ü", `'; DROP TABLE t; --`, `"`, `'`, `\`, "a;b", "/*", ":v", "?1", "$1", "$$", "${ x }", "\n",
		`{"a":"'"}`, "1; ATTACH 'x' AS y", strings.Repeat("x'", 200_000), []byte{0, 255}, []byte{},
	}
	for i, v := range hostile {
		column := map[string]string{"int64": "n", "float64": "r", "[]uint8": "b"}[fmt.Sprintf("%T", v)]
		if column == "" {
			column = "s"
		}
		r, err := d.exec(t, s, h, `INSERT INTO t (id, `+column+`) VALUES (:id, :v)`, int64(i), v)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "changes", r.Changes, 1)
		r, err = d.exec(t, s, h, `SELECT `+column+` FROM t WHERE id = :id`, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := v.([]byte); ok && len(b) == 0 {
			v = []byte(nil)
		}
		if want := (store.Result{Columns: []string{column}, Rows: [][]any{{v}}}); !reflect.DeepEqual(r, want) {
			t.Errorf("%.40q comes back as %.60v", fmt.Sprint(v), r)
		}
	}
	r, err := d.exec(t, s, h, `SELECT count(*) AS n FROM t`)
	if err != nil || r.Rows[0][0] != int64(len(hostile)) {
		t.Errorf("%v, %v", r, err)
	}
}

func statementRows(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	if err := d.migrate(t, s, `CREATE TABLE t (n INTEGER PRIMARY KEY, d DATE, at TIMESTAMP)`); err != nil {
		t.Fatal(err)
	}
	r, err := d.exec(t, s, h, `INSERT INTO t VALUES (3, '2026-01-02', '2026-01-02 03:04:05'), (1, NULL, NULL), (2, NULL, NULL) RETURNING n, d, at`)
	want := store.Result{Columns: []string{"n", "d", "at"}, Changes: 3,
		Rows: [][]any{{int64(3), "2026-01-02", "2026-01-02T03:04:05Z"}, {int64(1), nil, nil}, {int64(2), nil, nil}}}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("%v, %v", r, err)
	}
	for _, c := range []struct{ text, want string }{
		{`SELECT n FROM t ORDER BY n DESC -- all`, "[[3] [2] [1]]"},
		{`VALUES (3), (1), (2)`, "[[3] [1] [2]]"},
		{`SELECT n FROM t UNION ALL SELECT 0 ORDER BY 1`, "[[0] [1] [2] [3]]"},
		{`SELECT n, row_number() OVER (ORDER BY n) AS r FROM t ORDER BY n DESC`, "[[3 3] [2 2] [1 1]]"},
		{`WITH q AS (SELECT n FROM t WHERE n > 1) SELECT n FROM q ORDER BY n DESC;`, "[[3] [2]]"},
		{`WITH replace(n) AS (SELECT n FROM t), "q" AS NOT MATERIALIZED (SELECT n FROM replace) SELECT n FROM q ORDER BY -n /* last */`, "[[3] [2] [1]]"},
		{`SELECT a.n, b.n AS m FROM t a JOIN t b ON b.n = a.n + 1 ORDER BY a.n DESC`, "[[2 3] [1 2]]"},
		{`SELECT count(*), max(n) FROM t GROUP BY n > 1 ORDER BY 2 DESC`, "[[2 3] [1 1]]"},
		{`SELECT n FROM t ORDER BY n LIMIT 1 OFFSET 1`, "[[2]]"},
		{`SELECT n FROM t WHERE n > 3`, "[]"},
		{`UPDATE t SET d = NULL WHERE n < 3`, "[]"},
		{`WITH q AS (SELECT 3 AS n) UPDATE t SET d = NULL FROM q WHERE q.n = t.n RETURNING t.n`, "[[3]]"},
		{`DELETE FROM t WHERE n = 100 RETURNING n`, "[]"},
	} {
		if r, err := d.exec(t, s, h, c.text); err != nil || fmt.Sprint(r.Rows) != c.want {
			t.Errorf("%s: %v, %v", c.text, r, err)
		}
	}
	count := `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < :n) `
	if r, err := d.exec(t, s, h, count+`SELECT x FROM c`, int64(store.MaxRows)); err != nil || len(r.Rows) != store.MaxRows {
		t.Errorf("%d rows, %v", len(r.Rows), err)
	}
	for _, text := range []string{count + `SELECT x FROM c`, `INSERT INTO t (n) ` + count + `SELECT 1000 + x FROM c RETURNING n`} {
		if _, err := d.exec(t, s, h, text, int64(store.MaxRows+1)); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := d.exec(t, s, h, `SELECT CAST(:s AS TEXT)`, strings.Repeat("x", store.MaxResultBytes+1)); !errors.Is(err, store.ErrStatement) {
		t.Errorf("too many bytes: %v", err)
	}
	if r, _ := d.exec(t, s, h, `SELECT count(*) FROM t`); r.Rows[0][0] != int64(3) {
		t.Errorf("a statement that returned too much left %v rows", r.Rows[0][0])
	}
}

// statementWithItsRun settles three events in one batch: the writes of the first two are stored with their runs; those of the third, before it
// failed, are not.
func statementWithItsRun(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	if err := d.migrate(t, s, `CREATE TABLE t (id TEXT PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	var got store.Result
	var errs [3]error
	insert := `INSERT INTO t VALUES (:id)`
	first := d.executing(t, s, h, "1", &got, &errs[0], insert, "1")
	second := d.executing(t, s, h, "2", &got, &errs[1], insert, "2")
	effect := second.Effect
	second.Effect = func(tx store.Tx) store.Outcome {
		out := effect(tx)
		out.Emit = append(out.Emit, event("a.done", "2-done"))
		return out
	}
	third := d.executing(t, s, h, "3", &got, &errs[2], insert, "3")
	wrote := third.Effect
	third.Effect = func(tx store.Tx) store.Outcome {
		equal(t, "third's first part", wrote(tx).State, store.Succeeded)
		return wrote(tx) // the same key again
	}
	out := settle(t, s, first, second, third)
	equal(t, "first", out[0].State, store.Succeeded)
	equal(t, "second", out[1].State, store.Succeeded)
	equal(t, "third", out[2].State, store.Dead)
	equal(t, "third: conflict", errors.Is(errs[2], store.ErrConflict), true)
	equal(t, "emitted", must(s.Event(ctx, "2-done"))(t).Type, "a.done")
	if r, _ := d.exec(t, s, h, `SELECT string_agg(id, ',' ORDER BY id) FROM t`); r.Rows[0][0] != "1,2" {
		t.Errorf("stored: %v", r.Rows)
	}
}

const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x = 1 OR x < 0`

// statementStopped settles endless statements and others in one batch, beside another caller's write.
func statementStopped(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{StatementTimeout: 30 * time.Millisecond})
	h := register(t, s, "h")[0].ID
	if err := d.migrate(t, s, `CREATE TABLE t (x INTEGER)`); err != nil {
		t.Fatal(err)
	}
	texts := []string{`INSERT INTO t VALUES (0)`, `INSERT INTO t ` + endless, `INSERT INTO t VALUES (2)`, endless, `INSERT INTO t ` + endless,
		`DELETE FROM t WHERE x IN (` + endless + `)`, `INSERT INTO t VALUES (6)`, `INSERT INTO t ` + endless + ` RETURNING x`}
	var batch []store.Settlement
	var got store.Result
	errs := make([]error, len(texts))
	for i, text := range texts {
		batch = append(batch, d.executing(t, s, h, fmt.Sprint(i), &got, &errs[i], text))
	}
	written := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), nil)
		written <- err
	}()
	out := settle(t, s, batch...)
	if err := <-written; err != nil {
		t.Errorf("another's write: %v", err)
	}
	for i, text := range texts {
		if slow := strings.Contains(text, endless); errors.Is(errs[i], store.ErrTimeout) != slow || (out[i].State == store.Dead) != slow {
			t.Errorf("%s: %v, %v", text, out[i].State, errs[i])
		}
	}
	if r, err := d.exec(t, s, h, `SELECT string_agg(CAST(x AS TEXT), ',' ORDER BY x) FROM t`); err != nil || r.Rows[0][0] != "0,2,6" {
		t.Errorf("stored: %v, %v", r.Rows, err)
	}
}

// statementRefused tries forbidden changes of the store's own tables. What only one dialect can try is in the driver's own tests.
func statementRefused(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	if _, err := insertUser(t, s, h, "u", store.User{Name: "Ada", Email: "ada@example.com"}, store.Fail); err != nil {
		t.Fatal(err)
	}
	if err := d.migrate(t, s, `CREATE TABLE t (x TEXT UNIQUE)`, `CREATE INDEX t_x ON t (x)`, `CREATE VIEW v AS SELECT name FROM users`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"events", "runs", "users", "handlers", "meta", "schedules", "attempts", "user_migrations", "USERS", `"users"`} {
		for _, text := range []string{
			`DELETE FROM ` + table, `INSERT INTO ` + table + ` DEFAULT VALUES`, `WITH q AS (SELECT 1 AS n) DELETE FROM ` + table + ` WHERE 1 IN (SELECT n FROM q)`,
			`INSERT INTO ` + table + ` SELECT * FROM ` + table, `DELETE FROM ` + table + ` RETURNING *`,
		} {
			if _, err := d.exec(t, s, h, text); !errors.Is(err, store.ErrStatement) {
				t.Errorf("%s: %v", text, err)
			}
		}
		for _, text := range []string{
			`DROP TABLE ` + table, `ALTER TABLE ` + table + ` ADD COLUMN x INTEGER`, `ALTER TABLE ` + table + ` RENAME TO y`, `DELETE FROM ` + table,
			`CREATE TABLE ` + table + ` (x INTEGER)`, `CREATE TABLE IF NOT EXISTS ` + table + ` (x INTEGER)`, `ALTER TABLE t RENAME TO ` + table,
			`CREATE TABLE child (x INTEGER REFERENCES ` + table + `)`, `ALTER TABLE t ADD COLUMN y INTEGER REFERENCES ` + table,
		} {
			if err := d.migrate(t, s, text); !errors.Is(err, store.ErrStatement) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for _, text := range []string{
		`UPDATE users SET name = 'x' FROM t`, `INSERT INTO users (name) VALUES ('x') ON CONFLICT DO NOTHING`, `SELECT * FROM nothing`, `SELECT 1 +`,
	} {
		if _, err := d.exec(t, s, h, text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`CREATE UNIQUE INDEX i ON users (name)`, `DROP INDEX events_id_source`, `CREATE TABLE copy AS SELECT * FROM nothing`} {
		if err := d.migrate(t, s, text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// None of them has had an effect, and allowed statements still work.
	equal(t, "users", must(s.CountUsers(ctx))(t), 1)
	for _, text := range []string{`INSERT INTO t VALUES ('hello')`, `SELECT name FROM v`, `SELECT e.id, r.state FROM events e JOIN runs r USING (sequence)`, `UPDATE t SET x = (SELECT name FROM users)`} {
		if _, err := d.exec(t, s, h, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, table := range []string{"child", "y", "copy"} {
		if _, err := d.exec(t, s, h, `SELECT * FROM `+table); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s is left over: %v", table, err)
		}
	}
}

func migrations(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	create := "CREATE TABLE t (x INTEGER)"
	for _, list := range [][]string{{create, "INSERT INTO t VALUES (1)"}, {"CREATE  TABLE t -- again\n(x INTEGER) ;"}, {create, "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"}} {
		if err := d.migrate(t, s, list...); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.migrate(t, s, "INSERT INTO t VALUES (3)", "CREATE TABLE u (x INTEGER)", "CREATE TABLE t (y INTEGER)"); !errors.Is(err, store.ErrStatement) {
		t.Errorf("a table that already exists: %v", err)
	}
	if r, err := d.exec(t, s, h, `SELECT string_agg(CAST(x AS TEXT), ',' ORDER BY x) FROM t`); err != nil || r.Rows[0][0] != "1,2" {
		t.Errorf("rows: %v, %v", r.Rows, err)
	}
	if _, err := d.exec(t, s, h, `SELECT * FROM u`); !errors.Is(err, store.ErrStatement) {
		t.Errorf("a failed migration left its table: %v", err)
	}
	// When a table changes, its prepared statements are compiled again.
	list := d.parse(t, `SELECT * FROM t ORDER BY x`)
	for _, columns := range []string{"[x]", "[x y]"} {
		var got store.Result
		var err error
		settle(t, s, d.running(t, s, h, columns, &got, &err, list))
		if err != nil || fmt.Sprint(got.Columns) != columns {
			t.Errorf("%v, %v", got, err)
		}
		if err := d.migrate(t, s, "ALTER TABLE t ADD COLUMN y INTEGER DEFAULT 7"); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := d.exec(t, s, h, `SELECT y FROM t WHERE x = 1`); err != nil || r.Rows[0][0] != int64(7) {
		t.Errorf("rows: %v, %v", r.Rows, err)
	}
}
