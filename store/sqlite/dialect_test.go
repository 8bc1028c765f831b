package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
)

// dialect runs statements of users in SQLite's dialect, as a handler's effects.
type dialect struct {
	store.Store
	handler store.HandlerID
}

func openDialect(t *testing.T) *dialect {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	registered, err := s.Register(t.Context(), []store.Registration{{Name: "h"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &dialect{s, registered[0].ID}
}

func (d *dialect) exec(t *testing.T, text string, args ...any) (got store.Result, err error) {
	t.Helper()
	st, err := sqlite.ParseStatement(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	head, err := d.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := &events.Event{ID: fmt.Sprint("exec-", head), Source: "/t", Type: "a.b", Time: time.Unix(1, 0)}
	if _, err := d.Append(t.Context(), []*events.Event{e}); err != nil {
		t.Fatal(err)
	}
	_, failed := d.Settle(t.Context(), store.SettleBatch{Settlements: []store.Settlement{{Event: e, Handler: d.handler, Attempt: 1, Started: time.Unix(1, 0), Statement: st,
		Effect: func(tx store.Tx) store.Outcome {
			if got, err = tx.Exec(st, args); err != nil {
				return store.Outcome{State: store.Dead, Error: err.Error()}
			}
			return store.Outcome{State: store.Succeeded}
		}}}})
	if failed != nil {
		t.Fatal(failed)
	}
	return got, err
}

func (d *dialect) migrate(t *testing.T, texts ...string) error {
	t.Helper()
	m := store.Migration{Handler: "h"}
	for _, text := range texts {
		st, err := sqlite.ParseStatement(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		m.Statements = append(m.Statements, st)
	}
	_, err := d.Rewire(t.Context(), store.Wiring{Migrations: []store.Migration{m}})
	return err
}

func TestAColumnWithoutATypeHasAnyValue(t *testing.T) {
	s := openDialect(t)
	if err := s.migrate(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v)`); err != nil {
		t.Fatal(err)
	}
	for i, v := range []any{nil, int64(-1 << 63), 1.5, "", "a\x00b", `'; DROP TABLE t; --`, "\xff"} {
		if _, err := s.exec(t, `INSERT INTO t (id, v) VALUES (:id, :v)`, int64(i), v); err != nil {
			t.Fatal(err)
		}
		if r, err := s.exec(t, `SELECT v FROM t WHERE id = :id`, int64(i)); err != nil || r.Rows[0][0] != v {
			t.Errorf("%q comes back as %v, %v", v, r, err)
		}
	}
	if _, err := s.exec(t, `SELECT zeroblob(:n)`, int64(store.MaxResultBytes+1)); !errors.Is(err, store.ErrStatement) {
		t.Errorf("too many bytes: %v", err)
	}
}

func TestATextThatIsATimeComesAsOne(t *testing.T) {
	s := openDialect(t)
	if err := s.migrate(t, `CREATE TABLE t (d DATE, at DATETIME)`); err != nil {
		t.Fatal(err)
	}
	r, err := s.exec(t, `INSERT INTO t VALUES ('2026-01-02', '2026-01-02 03:04:05'), ('soon', NULL) RETURNING d, at`)
	if err != nil || fmt.Sprint(r.Rows) != "[[2026-01-02 2026-01-02T03:04:05Z] [soon <nil>]]" {
		t.Errorf("%v, %v", r, err)
	}
}

// Forbidden changes of the store's own tables, in ways that only SQLite has.
func TestAStatementCantWriteTheStoresOwnTablesInSQLitesWays(t *testing.T) {
	s := openDialect(t)
	if err := s.migrate(t, `CREATE TABLE t (x UNIQUE)`, `CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT)`, `CREATE VIRTUAL TABLE words USING fts5(word)`,
		`CREATE VIEW v AS SELECT name FROM users`, `CREATE TRIGGER fine AFTER INSERT ON t BEGIN INSERT INTO words VALUES (new.x); END`); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"events", "runs", "users", "meta", "user_migrations", "USERS", `"users"`, "main.users", "[events]", "`events`"} {
		for _, text := range []string{`DELETE FROM ` + table, `REPLACE INTO ` + table + ` DEFAULT VALUES`, `INSERT OR REPLACE INTO ` + table + ` SELECT * FROM ` + table} {
			if _, err := s.exec(t, text); !errors.Is(err, store.ErrStatement) {
				t.Errorf("%s: %v", text, err)
			}
		}
		name := strings.TrimPrefix(table, "main.")
		for _, text := range []string{
			`DROP TABLE ` + table, `ALTER TABLE ` + table + ` ADD COLUMN x`, `ALTER TABLE t RENAME TO ` + name, `CREATE TABLE ` + table + ` (x)`,
			`CREATE TRIGGER bad AFTER INSERT ON ` + name + ` BEGIN SELECT 1; END`, `CREATE TRIGGER bad AFTER INSERT ON t BEGIN DELETE FROM ` + name + `; END`,
			`CREATE TRIGGER bad BEFORE UPDATE OF x ON t BEGIN DELETE FROM ` + name + `; END`,
			`CREATE TRIGGER bad AFTER DELETE ON t WHEN old.x = 1 BEGIN DELETE FROM ` + name + `; END`,
			`CREATE TRIGGER bad INSTEAD OF INSERT ON v BEGIN DELETE FROM ` + name + `; END`,
			`CREATE TABLE child (x REFERENCES ` + name + `)`, `ALTER TABLE t ADD COLUMN y REFERENCES ` + name,
		} {
			if err := s.migrate(t, text); !errors.Is(err, store.ErrStatement) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for _, text := range []string{
		`UPDATE OR REPLACE runs SET state = 3`, `INSERT INTO users (name) VALUES ('x') ON CONFLICT DO UPDATE SET name = 'y'`,
		`INSERT INTO sqlite_sequence VALUES ('t', 1)`, `DELETE FROM sqlite_master`, `UPDATE sqlite_schema SET sql = ''`, `UPDATE sqlite_dbpage SET data = x'00'`,
		`SELECT load_extension('x')`, `SELECT writefile('x', 'y')`, `SELECT readfile('/etc/passwd')`, `SELECT * FROM pragma_journal_mode('off')`,
		`SELECT FROM`, `INSERT INTO t VALUES (abs(-9223372036854775807 - 1))`,
	} {
		if _, err := s.exec(t, text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`CREATE TABLE evrun_x (x)`, `DELETE FROM sqlite_sequence`} {
		if err := s.migrate(t, text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := s.exec(t, `INSERT INTO t VALUES ('hello')`); err != nil {
		t.Error(err)
	}
	if r, err := s.exec(t, `SELECT word FROM words WHERE words MATCH 'hello'`); err != nil || len(r.Rows) != 1 {
		t.Errorf("full-text search: %v, %v", r, err)
	}
	if r, err := s.exec(t, `SELECT group_concat(name) FROM sqlite_schema WHERE name IN ('bad', 'child', 'y', 'evrun_x')`); err != nil || r.Rows[0][0] != nil {
		t.Errorf("left over: %v, %v", r, err)
	}
}

func TestATriggerOfAMigrationFires(t *testing.T) {
	s := openDialect(t)
	if err := s.migrate(t, `CREATE TABLE t (x, y)`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.exec(t, `INSERT INTO t (x) VALUES (9)`); err != nil {
		t.Fatal(err)
	}
	if err := s.migrate(t, `CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET y = 8 WHERE x = new.x; END`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.exec(t, `INSERT INTO t (x) VALUES (9)`); err != nil {
		t.Fatal(err)
	}
	if r, err := s.exec(t, `SELECT group_concat(y) FROM t WHERE x = 9`); err != nil || r.Rows[0][0] != "8,8" {
		t.Errorf("rows: %v, %v", r.Rows, err)
	}
}
