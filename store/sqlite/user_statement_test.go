package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// openUser gives a guarded connection to a new store.
func openUser(t *testing.T) *userStatements {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.w.user
}

func parse(t *testing.T, text string) *store.Statement {
	t.Helper()
	s, err := store.ParseStatement(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func (u *userStatements) must(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := u.exec(context.Background(), timeLimit{}, parse(t, text), nil); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func TestOwnTablesAreThoseOfTheSchema(t *testing.T) {
	pairs, err := openUser(t).conn.pairs(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range pairs {
		names = append(names, p[0])
	}
	slices.Sort(names)
	if own := slices.Sorted(maps.Keys(ownTables())); !slices.Equal(own, names) {
		t.Errorf("guarded: %v; in the schema: %v", own, names)
	}
}

func TestARefusedStatementSaysWhy(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL UNIQUE, c CHECK (c > 0))`, `INSERT INTO t VALUES (1, 'x', 1)`,
		`CREATE TABLE u (x)`, `CREATE TRIGGER tr AFTER INSERT ON u BEGIN DELETE FROM events; END`)
	for text, want := range map[string]string{
		`DELETE FROM Events`:                              `"events" is evrun's own table: it can be read, not written`,
		`INSERT INTO u VALUES (1)`:                        `"events" is evrun's own table: it can be read, not written, in the trigger or view "tr"`,
		`DROP TABLE runs`:                                 `"runs" is evrun's own table: nothing can be changed about it`,
		`CREATE TABLE users (x)`:                          `"users" is the name of a table of evrun's own; choose another name`,
		`CREATE TABLE Evrun_x (x)`:                        `"Evrun_x" begins with evrun_, which is kept for evrun; choose another name`,
		`CREATE INDEX i ON users (name)`:                  `"users" is evrun's own table: nothing can be changed about it`,
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
		_, err := u.exec(context.Background(), timeLimit{}, parse(t, text), nil)
		kind := store.ErrStatement
		if strings.HasPrefix(want, "UNIQUE") {
			kind = store.ErrConflict
		}
		if !errors.Is(err, kind) || err.Error() != kind.Error()+": "+want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
	// Past the parser, which has no way to let them through, the guard still holds.
	for _, text := range []string{`PRAGMA journal_mode = off`, `ATTACH 'x' AS y`, `DETACH main`, `BEGIN`, `COMMIT`, `SAVEPOINT x`, `RELEASE x`, `ANALYZE`,
		`REINDEX`, `CREATE TEMP TABLE events (x)`, `VACUUM INTO 'x'`, `CREATE TABLE x (x)`, `DROP TABLE t`, `ALTER TABLE t ADD COLUMN z`} {
		if err := u.compiles(text); !errors.Is(err, store.ErrStatement) && !strings.HasPrefix(text, "VACUUM") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// evrun's own statements are prepared anew after the schema has changed, and meet no guard then.
func TestTheGuardLeavesEvrunsOwnStatementsAlone(t *testing.T) {
	u := openUser(t)
	insert, err := u.conn.prepare(`INSERT INTO meta VALUES (?, 'x')`)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{`CREATE TABLE t (x)`, `INSERT INTO t VALUES (1)`, `DROP TABLE t`} {
		u.must(t, text)
		if _, err := insert.exec(fmt.Sprint(i)); err != nil {
			t.Errorf("after %s: %v", text, err)
		}
	}
	_, _ = u.exec(context.Background(), timeLimit{}, parse(t, `DELETE FROM meta`), nil)
	if _, err := insert.exec("refused"); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// A kept statement is judged again when the schema has changed under it.
func TestAKeptStatementIsJudgedAgain(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (x)`)
	insert := parse(t, `INSERT INTO t VALUES (1)`)
	if _, err := u.exec(context.Background(), timeLimit{}, insert, nil); err != nil {
		t.Fatal(err)
	}
	if err := u.conn.exec(`CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM meta; END`); err != nil { // as another program may
		t.Fatal(err)
	}
	if _, err := u.exec(context.Background(), timeLimit{}, insert, nil); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), `trigger or view "tr"`) {
		t.Errorf("got %v", err)
	}
	if ids, err := u.conn.pairs(`SELECT key FROM meta`); err != nil || len(ids) == 0 {
		t.Errorf("meta: %v, %v", ids, err)
	}
}

func TestWhatCantTakeLongHasNoClock(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE)`, `CREATE TABLE triggered (x)`,
		`CREATE TRIGGER tr AFTER INSERT ON triggered BEGIN INSERT INTO t (b) SELECT x FROM triggered; END`)
	for text, loops := range map[string]bool{
		`INSERT INTO t (b) VALUES (1)`: false,
		`INSERT INTO t (b) VALUES (abs(3)) ON CONFLICT (b) DO UPDATE SET a = excluded.a RETURNING a`: false,
		`REPLACE INTO t (b) VALUES (4)`:                          false,
		`INSERT INTO t (b) SELECT 5`:                             true,
		`INSERT INTO t (b) VALUES ((SELECT 6))`:                  true,
		`INSERT INTO triggered VALUES (7)`:                       true,
		`UPDATE t SET b = 8 WHERE a = 1`:                         true,
		`DELETE FROM t`:                                          true,
		`SELECT 1`:                                               true,
		`WITH q AS (SELECT 1) INSERT INTO t (b) SELECT * FROM q`: true,
	} {
		s := parse(t, text)
		for range 2 {
			if _, err := u.exec(context.Background(), timeLimit{wall: time.Minute}, s, nil); err != nil && !errors.Is(err, store.ErrConflict) {
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
	first, second := parse(t, `SELECT 1`), parse(t, `SELECT 2`)
	for i := range 2 * maxUserStatements {
		for _, s := range []*store.Statement{first, parse(t, fmt.Sprintf(`SELECT %d`, i))} {
			if _, err := u.exec(context.Background(), timeLimit{}, s, nil); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			if _, err := u.exec(context.Background(), timeLimit{}, second, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(u.kept) != maxUserStatements || u.kept[first] == nil || u.kept[second] != nil {
		t.Errorf("%d are kept; the one in use: %v; the unused one: %v", len(u.kept), u.kept[first] != nil, u.kept[second] != nil)
	}
}

// A trigger that another program made can roll back the whole transaction: what was in it is done again without that run.
func TestARolledBackTransactionIsRepeated(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.w.conn.exec(`CREATE TABLE t (x); CREATE TRIGGER tr AFTER INSERT ON t WHEN new.x = 2 BEGIN SELECT RAISE(ROLLBACK, 'not two'); END`); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	}()
	registered, err := s.Register(t.Context(), []store.Registration{{Name: "h"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	insert := parse(t, `INSERT INTO t VALUES (:x)`)
	var b store.SettleBatch
	for i := range 4 {
		e := &events.Event{ID: fmt.Sprint(i), Source: "/t", Type: "a"}
		if _, err := s.Append(t.Context(), []*events.Event{e}); err != nil {
			t.Fatal(err)
		}
		b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: registered[0].ID, Attempt: 1, Atomic: true, Effect: func(tx store.Tx) store.Outcome {
			if _, err := tx.Exec(insert, []any{int64(i)}); err != nil {
				return store.Outcome{State: store.Dead, Error: err.Error()}
			}
			return store.Outcome{State: store.Succeeded}
		}})
	}
	settled, err := s.Settle(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for i, out := range settled {
		if (out.State == store.Dead) != (i == 2) || i == 2 && out.Error != "the statement failed: not two" {
			t.Errorf("%d: %v, %s", i, out.State, out.Error)
		}
	}
	var rows int
	if err := s.readers.QueryRow(`SELECT count(*) FROM t`).Scan(&rows); err != nil || rows != 3 {
		t.Errorf("%d rows, %v", rows, err)
	}
}
