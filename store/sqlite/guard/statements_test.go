package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// openUser returns a guarded connection to a new database with the store's tables.
func openUser(t *testing.T) *Statements {
	t.Helper()
	c, err := conn.Open(conn.Writer(filepath.Join(t.TempDir(), "evrun.db"), "FULL"))
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	scripts, err := filepath.Glob("../schema/migrations/*.sql")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	for _, name := range scripts {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(string(script)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := c.Exec(`INSERT INTO meta VALUES ('id', 'aaaaaaaa')`); err != nil {
		t.Fatal(err)
	}
	tables, err := c.Pairs(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		own[table[0]] = true
	}
	u, err := New(c, own, MaxValue(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(u.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	})
	return u
}

func understood(t *testing.T, text string) *store.Statement {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func (u *Statements) must(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := u.Exec(context.Background(), Limit{}, understood(t, text), nil); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func TestARefusedStatementSaysWhy(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL UNIQUE, c CHECK (c > 0))`, `INSERT INTO t VALUES (1, 'x', 1)`,
		`CREATE TABLE u (x)`, `CREATE TRIGGER tr AFTER INSERT ON u BEGIN DELETE FROM events; END`)
	for text, want := range map[string]string{
		`DELETE FROM Events`:                              `"events" is evrun's own: it can be read, not written`,
		`INSERT INTO u VALUES (1)`:                        `"events" is evrun's own: it can be read, not written, in the trigger or view "tr"`,
		`DROP TABLE runs`:                                 `"runs" is evrun's own: nothing can be changed about it`,
		`CREATE TABLE users (x)`:                          `"users" is a name of evrun's own; choose another name`,
		`CREATE TABLE Evrun_x (x)`:                        `"Evrun_x" begins with evrun_, which is reserved for evrun; choose another name`,
		`CREATE INDEX i ON users (name)`:                  `"users" is evrun's own: nothing can be changed about it`,
		`SELECT * FROM pragma_table_info('t')`:            `PRAGMA table_info is not allowed`,
		`SELECT load_extension('x')`:                      `the function load_extension is not allowed`,
		`SELECT * FROM nowhere`:                           `no such table: nowhere (migrate makes tables at start)`,
		`SELECT missing FROM t`:                           `no such column: missing (migrate makes tables at start)`,
		`SELECT 1 +`:                                      `incomplete input`,
		`INSERT INTO t (a, b) VALUES (2, NULL)`:           `NOT NULL constraint failed: t.b`,
		`INSERT INTO t VALUES (2, 'y', 0)`:                `CHECK constraint failed: c > 0`,
		`INSERT INTO t VALUES (2, 'x', 1)`:                `UNIQUE constraint failed: t.b`,
		`INSERT INTO t VALUES ('no number', 'y', 1)`:      `datatype mismatch`,
		`UPDATE sqlite_sequence SET seq = 1`:              `no such table: sqlite_sequence (migrate makes tables at start)`,
		`INSERT INTO sqlite_schema VALUES (1, 2, 3, 4)`:   `"sqlite_master" is SQLite's own table: it can be read, not written`,
		`SELECT zeroblob(2000000) FROM t`:                 `it returns more than 1048576 bytes; select fewer columns or rows`,
		`SELECT a.b FROM t a, t b, t c, t d, nowhere.t e`: `no such table: nowhere.t (migrate makes tables at start)`,
	} {
		_, err := u.Exec(context.Background(), Limit{}, understood(t, text), nil)
		kind := store.ErrStatement
		if strings.HasPrefix(want, "UNIQUE") {
			kind = store.ErrConflict
		}
		if !errors.Is(err, kind) || err.Error() != kind.Error()+": "+want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
	// The parser refuses all of these; without it, the guard refuses them, too.
	for _, text := range []string{`PRAGMA journal_mode = off`, `ATTACH 'x' AS y`, `DETACH main`, `BEGIN`, `COMMIT`, `SAVEPOINT x`, `RELEASE x`, `ANALYZE`,
		`REINDEX`, `CREATE TEMP TABLE events (x)`, `VACUUM INTO 'x'`, `CREATE TABLE x (x)`, `DROP TABLE t`, `ALTER TABLE t ADD COLUMN z`} {
		if err := u.compiles(text); !errors.Is(err, store.ErrStatement) && !strings.HasPrefix(text, "VACUUM") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// evrun's own statements are prepared again after the schema has changed, with the guard off.
func TestTheGuardLeavesEvrunsOwnStatementsAlone(t *testing.T) {
	u := openUser(t)
	insert, err := u.conn.Prepare(`INSERT INTO meta VALUES (?, 'x')`)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{`CREATE TABLE t (x)`, `INSERT INTO t VALUES (1)`, `DROP TABLE t`} {
		u.must(t, text)
		if _, err := insert.Exec(fmt.Sprint(i)); err != nil {
			t.Errorf("after %s: %v", text, err)
		}
	}
	_, _ = u.Exec(context.Background(), Limit{}, understood(t, `DELETE FROM meta`), nil)
	if _, err := insert.Exec("refused"); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// A kept statement is checked again when the schema has changed.
func TestAKeptStatementIsJudgedAgain(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (x)`)
	insert := understood(t, `INSERT INTO t VALUES (1)`)
	if _, err := u.Exec(context.Background(), Limit{}, insert, nil); err != nil {
		t.Fatal(err)
	}
	if err := u.conn.Exec(`CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM meta; END`); err != nil { // as another program may
		t.Fatal(err)
	}
	if _, err := u.Exec(context.Background(), Limit{}, insert, nil); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), `trigger or view "tr"`) {
		t.Errorf("got %v", err)
	}
	if ids, err := u.conn.Pairs(`SELECT key FROM meta`); err != nil || len(ids) == 0 {
		t.Errorf("meta: %v, %v", ids, err)
	}
}

func TestWhatCantTakeLongHasNoClock(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE)`, `CREATE TABLE triggered (x)`, `CREATE TABLE parent (id INTEGER PRIMARY KEY, v UNIQUE)`,
		`CREATE TABLE child (v REFERENCES parent (v) ON UPDATE CASCADE)`,
		`CREATE TRIGGER tr AFTER INSERT ON triggered BEGIN INSERT INTO t (b) SELECT x FROM triggered; END`)
	for text, loops := range map[string]bool{
		`INSERT INTO t (b) VALUES (1)`: false,
		`INSERT INTO t (b) VALUES (abs(3)) ON CONFLICT (b) DO UPDATE SET a = excluded.a RETURNING a`: false,
		`REPLACE INTO t (b) VALUES (4)`: false,
		`INSERT INTO parent VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET v = excluded.v`: true, // it cascades
		`INSERT INTO t (b) SELECT 5`:                             true,
		`INSERT INTO t (b) VALUES ((SELECT 6))`:                  true,
		`INSERT INTO triggered VALUES (7)`:                       true,
		`UPDATE t SET b = 8 WHERE a = 1`:                         true,
		`DELETE FROM t`:                                          true,
		`SELECT 1`:                                               true,
		`WITH q AS (SELECT 1) INSERT INTO t (b) SELECT * FROM q`: true,
	} {
		s := understood(t, text)
		for range 2 {
			if _, err := u.Exec(context.Background(), Limit{Wall: time.Minute}, s, nil); err != nil && !errors.Is(err, store.ErrConflict) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if got := u.kept[s].loops; got != loops {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestKeptStatementsAreBounded(t *testing.T) {
	u := openUser(t)
	first, second := understood(t, `SELECT 1`), understood(t, `SELECT 2`)
	for i := range 2 * maxKept {
		for _, s := range []*store.Statement{first, understood(t, fmt.Sprintf(`SELECT %d`, i))} {
			if _, err := u.Exec(context.Background(), Limit{}, s, nil); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			if _, err := u.Exec(context.Background(), Limit{}, second, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(u.kept) != maxKept || u.kept[first] == nil || u.kept[second] != nil {
		t.Errorf("%d are kept; the one in use: %v; the unused one: %v", len(u.kept), u.kept[first] != nil, u.kept[second] != nil)
	}
}

// A schema made by another program may have texts that evrun refuses to parse. The functions in them still count.
func TestAForeignSchemasFunctionsCount(t *testing.T) {
	u := openUser(t)
	if err := u.conn.Exec(`CREATE TABLE parent (x PRIMARY KEY);
		CREATE TABLE foreigner (x TEXT CHECK (instr(x, x || 'y') = 0), y REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
		CREATE TABLE harmless (x TEXT, y REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`); err != nil {
		t.Fatal(err)
	}
	if err := u.SchemaChanged(); err != nil {
		t.Fatal(err)
	}
	large := []any{strings.Repeat("a", 100_000)}
	if _, err := u.Exec(t.Context(), Limit{}, understood(t, `INSERT INTO foreigner (x) VALUES (:x)`), large); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%v", err)
	}
	if _, err := u.Exec(t.Context(), Limit{}, understood(t, `INSERT INTO harmless (x) VALUES (:x)`), large); err != nil {
		t.Error(err)
	}
}

// Whether a statement may run depends on its text, not on the other fields of a Statement.
func TestAStatementIsNotTrusted(t *testing.T) {
	u := openUser(t)
	for _, s := range []*store.Statement{{Text: `SELECT 1; DELETE FROM events`, Reads: true}, {Text: `BEGIN`}, {Text: `PRAGMA user_version = 1`, Reads: true}} {
		if _, err := u.Exec(t.Context(), Limit{}, s, nil); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", s.Text, err)
		}
	}
	if _, err := u.Exec(t.Context(), Limit{}, &store.Statement{Text: `CREATE TABLE t (x)`, Reads: true}, nil); err != nil {
		t.Error(err)
	}
	if _, err := u.Exec(t.Context(), Limit{}, understood(t, `SELECT :a`), nil); !errors.Is(err, store.ErrStatement) || !strings.HasSuffix(err.Error(), "it has 1 parameters, not 0") {
		t.Errorf("a missing value: %v", err)
	}
}

// The duration of a statement is remembered, and decays slowly.
func TestTheTimeOfAStatementIsRemembered(t *testing.T) {
	u := openUser(t)
	s := understood(t, `SELECT 1`)
	if u.Took(s, time.Second); u.Takes(s) != 0 {
		t.Error("it was not run yet")
	}
	if _, err := u.Exec(t.Context(), Limit{}, s, nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ took, takes time.Duration }{{800, 800}, {0, 700}, {1600, 1600}, {1500, 1500}, {0, 1313}} {
		if u.Took(s, step.took); u.Takes(s) != step.takes {
			t.Errorf("after %d: %d, want %d", step.took, u.Takes(s), step.takes)
		}
	}
}

// The error for a value that is too large names the function that sets the limit.
func TestTheLimitOfAValueIsExplained(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE VIRTUAL TABLE words USING fts5(word)`, `CREATE VIRTUAL TABLE thirds USING fts5(word, tokenize='trigram')`)
	if err := u.SchemaChanged(); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("a", 1_000_000)
	for text, want := range map[string]string{
		`INSERT INTO words VALUES (:x)`:       "a value is larger than 64 KiB, the limit for a statement that writes this fts5 table",
		`INSERT INTO thirds VALUES (:x)`:      "a value is larger than 16 KiB, the limit for a statement that writes this fts5 table",
		`SELECT :x LIKE 'a'`:                  "a value is larger than 64 KiB, the limit for a statement that calls like like this",
		`SELECT length(:x || :x || :x || :x)`: "a value is larger than 3 MiB, the limit for all statements: twice server.max_event and 1 MiB",
		`SELECT 'a' LIKE substr(:x, 1, 65)`:   "the pattern of a LIKE or GLOB is longer than 64 bytes, its limit; instr() finds a longer text",
	} {
		arg := large
		if strings.Contains(text, "substr") {
			arg = large[:100]
		}
		if _, err := u.Exec(t.Context(), Limit{}, understood(t, text), []any{arg}); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Numbers count towards the bytes that a statement may return, too.
func TestNumbersHaveASize(t *testing.T) {
	u := openUser(t)
	rows := `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000) SELECT x` + strings.Repeat(", 1", 130) + ` FROM c`
	if r, err := u.Exec(t.Context(), Limit{}, understood(t, rows), nil); err != nil || len(r.Rows) != 1000 {
		t.Errorf("131 columns: %d rows, %v", len(r.Rows), err)
	}
	if _, err := u.Exec(t.Context(), Limit{}, understood(t, strings.Replace(rows, ", 1", ", 1, 2", 1)), nil); !errors.Is(err, store.ErrStatement) {
		t.Errorf("132 columns: %v", err)
	}
}
