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
	e := event("a.b", id)
	appendAll(t, s, e)
	st := d.parse(t, text)
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
	if err := d.migrate(t, s, `CREATE TABLE t (id INTEGER PRIMARY KEY, v)`); err != nil {
		t.Fatal(err)
	}
	hostile := []any{
		nil, int64(9007199254740993), int64(-1 << 63), 1.5, "", "ü", "a\x00b", `'; DROP TABLE t; --`, `"`, `'`, `\`, "a;b", "/*", ":v", "?1", "${ x }",
		`{"a":"'"}`, "1; ATTACH 'x' AS y", strings.Repeat("x'", 200_000), []byte{0, 255}, []byte{},
	}
	for i, v := range hostile {
		r, err := d.exec(t, s, h, `INSERT INTO t (id, v) VALUES (:id, :v)`, int64(i), v)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "changes", r.Changes, 1)
		r, err = d.exec(t, s, h, `SELECT v FROM t WHERE id = :id`, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := v.([]byte); ok && len(b) == 0 {
			v = []byte(nil)
		}
		if want := (store.Result{Columns: []string{"v"}, Rows: [][]any{{v}}}); !reflect.DeepEqual(r, want) {
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
	if err := d.migrate(t, s, `CREATE TABLE t (n INTEGER PRIMARY KEY, d DATE, at DATETIME)`); err != nil {
		t.Fatal(err)
	}
	r, err := d.exec(t, s, h, `INSERT INTO t VALUES (3, '2026-01-02', '2026-01-02 03:04:05'), (1, 'soon', NULL), (2, NULL, NULL) RETURNING n, d, at`)
	want := store.Result{Columns: []string{"n", "d", "at"}, Changes: 3,
		Rows: [][]any{{int64(3), "2026-01-02", "2026-01-02T03:04:05Z"}, {int64(1), "soon", nil}, {int64(2), nil, nil}}}
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
	if _, err := d.exec(t, s, h, `SELECT zeroblob(:n)`, int64(store.MaxResultBytes+1)); !errors.Is(err, store.ErrStatement) {
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
	if r, _ := d.exec(t, s, h, `SELECT group_concat(id) FROM (SELECT id FROM t ORDER BY id)`); r.Rows[0][0] != "1,2" {
		t.Errorf("stored: %v", r.Rows)
	}
}

const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x = 1 OR x < 0`

// statementStopped settles endless statements and others in one batch, beside another caller's write.
func statementStopped(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{StatementTimeout: 30 * time.Millisecond})
	h := register(t, s, "h")[0].ID
	if err := d.migrate(t, s, `CREATE TABLE t (x)`); err != nil {
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
	if r, err := d.exec(t, s, h, `SELECT group_concat(x) FROM t`); err != nil || r.Rows[0][0] != "0,2,6" {
		t.Errorf("stored: %v, %v", r.Rows, err)
	}
}

// statementRefused tries forbidden changes of the store's own tables in ways that only the database can detect.
func statementRefused(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	if _, err := insertUser(t, s, h, "u", store.User{Name: "Ada", Email: "ada@example.com"}, store.Fail); err != nil {
		t.Fatal(err)
	}
	if err := d.migrate(t, s, `CREATE TABLE t (x UNIQUE)`, `CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT)`, `CREATE INDEX t_x ON t (x)`,
		`CREATE VIRTUAL TABLE words USING fts5(word)`, `CREATE VIEW v AS SELECT name FROM users`, `CREATE TRIGGER fine AFTER INSERT ON t BEGIN INSERT INTO words VALUES (new.x); END`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"events", "runs", "users", "handlers", "meta", "schedules", "attempts", "user_migrations", "USERS", `"users"`, "main.users", "[events]", "`events`"} {
		for _, text := range []string{
			`DELETE FROM ` + table, `INSERT INTO ` + table + ` DEFAULT VALUES`, `WITH q AS (SELECT 1) DELETE FROM ` + table + ` WHERE 1 IN q`,
			`REPLACE INTO ` + table + ` DEFAULT VALUES`, `INSERT OR REPLACE INTO ` + table + ` SELECT * FROM ` + table, `DELETE FROM ` + table + ` RETURNING *`,
		} {
			if _, err := d.exec(t, s, h, text); !errors.Is(err, store.ErrStatement) {
				t.Errorf("%s: %v", text, err)
			}
		}
		for _, text := range []string{
			`DROP TABLE ` + table, `ALTER TABLE ` + table + ` ADD COLUMN x`, `ALTER TABLE ` + table + ` RENAME TO y`, `DELETE FROM ` + table,
			`CREATE TABLE ` + table + ` (x)`, `CREATE TABLE IF NOT EXISTS ` + table + ` (x)`, `ALTER TABLE t RENAME TO ` + strings.TrimPrefix(table, "main."),
			`CREATE TRIGGER bad AFTER INSERT ON ` + strings.TrimPrefix(table, "main.") + ` BEGIN SELECT 1; END`,
			`CREATE TRIGGER bad AFTER INSERT ON t BEGIN DELETE FROM ` + strings.TrimPrefix(table, "main.") + `; END`,
			`CREATE TRIGGER bad BEFORE UPDATE OF x ON t BEGIN DELETE FROM ` + strings.TrimPrefix(table, "main.") + `; END`,
			`CREATE TRIGGER bad AFTER DELETE ON t WHEN old.x = 1 BEGIN DELETE FROM ` + strings.TrimPrefix(table, "main.") + `; END`,
			`CREATE TRIGGER bad INSTEAD OF INSERT ON v BEGIN DELETE FROM ` + strings.TrimPrefix(table, "main.") + `; END`,
			`CREATE TABLE child (x REFERENCES ` + strings.TrimPrefix(table, "main.") + `)`, `ALTER TABLE t ADD COLUMN y REFERENCES ` + strings.TrimPrefix(table, "main."),
		} {
			if err := d.migrate(t, s, text); !errors.Is(err, store.ErrStatement) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for _, text := range []string{
		`UPDATE users SET name = 'x' FROM t`, `UPDATE OR REPLACE runs SET state = 3`, `INSERT INTO users (name) VALUES ('x') ON CONFLICT DO UPDATE SET name = 'y'`,
		`INSERT INTO sqlite_sequence VALUES ('t', 1)`, `DELETE FROM sqlite_master`, `UPDATE sqlite_schema SET sql = ''`, `UPDATE sqlite_dbpage SET data = x'00'`,
		`SELECT load_extension('x')`, `SELECT writefile('x', 'y')`, `SELECT readfile('/etc/passwd')`, `SELECT * FROM pragma_journal_mode('off')`,
		`SELECT * FROM nothing`, `SELECT FROM`, `INSERT INTO t VALUES (abs(-9223372036854775807 - 1))`,
	} {
		if _, err := d.exec(t, s, h, text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`CREATE UNIQUE INDEX i ON users (name)`, `DROP INDEX events_id_source`, `CREATE TABLE evrun_x (x)`, `DELETE FROM sqlite_sequence`,
		`CREATE TABLE copy AS SELECT * FROM nothing`} {
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
	if r, err := d.exec(t, s, h, `SELECT word FROM words WHERE words MATCH 'hello'`); err != nil || len(r.Rows) != 1 {
		t.Errorf("full-text search: %v, %v", r, err)
	}
	if r, err := d.exec(t, s, h, `SELECT group_concat(name) FROM sqlite_schema WHERE name IN ('bad', 'child', 'y', 'evrun_x', 'copy', 'i')`); err != nil || r.Rows[0][0] != nil {
		t.Errorf("left over: %v, %v", r, err)
	}
}

func migrations(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	create := "CREATE TABLE t (x)"
	for _, list := range [][]string{{create, "INSERT INTO t VALUES (1)"}, {"CREATE  TABLE t -- again\n(x) ;"}, {create, "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"}} {
		if err := d.migrate(t, s, list...); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.migrate(t, s, "INSERT INTO t VALUES (3)", "CREATE TABLE u (x)", "CREATE TABLE t (y)"); !errors.Is(err, store.ErrStatement) {
		t.Errorf("a table that already exists: %v", err)
	}
	if r, err := d.exec(t, s, h, `SELECT group_concat(x) FROM t`); err != nil || r.Rows[0][0] != "1,2" {
		t.Errorf("rows: %v, %v", r.Rows, err)
	}
	if _, err := d.exec(t, s, h, `SELECT * FROM u`); !errors.Is(err, store.ErrStatement) {
		t.Errorf("a failed migration left its table: %v", err)
	}
	// When a table changes, its prepared statements are compiled again.
	for _, text := range []string{"ALTER TABLE t ADD COLUMN y DEFAULT 7", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET y = 8 WHERE x = new.x; END"} {
		if err := d.migrate(t, s, text); err != nil {
			t.Fatal(err)
		}
		if _, err := d.exec(t, s, h, `INSERT INTO t (x) VALUES (9)`); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := d.exec(t, s, h, `SELECT group_concat(y) FROM t WHERE x = 9`); err != nil || r.Rows[0][0] != "8,8" {
		t.Errorf("rows: %v, %v", r.Rows, err)
	}
}
