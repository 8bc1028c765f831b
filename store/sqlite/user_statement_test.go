package sqlite

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/schema"
)

// openUser returns the guarded connection of a new store.
func openUser(t *testing.T) *guard.Statements {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.w.user
}

func parse(t *testing.T, text string) *store.Statement {
	t.Helper()
	s, err := ParseStatement(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestOwnTablesAreThoseOfTheSchema(t *testing.T) {
	pairs, err := openUser(t).Conn().Pairs(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range pairs {
		names = append(names, p[0])
	}
	slices.Sort(names)
	if own := slices.Sorted(maps.Keys(schema.OwnTables())); !slices.Equal(own, names) {
		t.Errorf("guarded: %v; in the schema: %v", own, names)
	}
}

// A trigger that another program made can roll back the whole transaction: its other writes are repeated without that run.
func TestARolledBackTransactionIsRepeated(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.w.conn.Exec(`CREATE TABLE t (x); CREATE TRIGGER tr AFTER INSERT ON t WHEN new.x = 2 BEGIN SELECT RAISE(ROLLBACK, 'not two'); END`); err != nil {
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
		b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: registered[0].ID, Attempt: 1, Effect: func(tx store.Tx) store.Outcome {
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
	if r, err := s.Read(t.Context(), parse(t, `SELECT count(*) FROM t`), nil); err != nil || r.Rows[0][0] != int64(3) {
		t.Errorf("rows: %v, %v", r.Rows, err)
	}
}

// The limits apply only while such a statement runs; evrun's own statements, even in the same transaction, handle large events.
func TestLimitsEndWithTheirStatement(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{Options: store.Options{MaxData: 2 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	small := parse(t, `SELECT :x LIKE 'a'`)
	e := &events.Event{ID: "1", Source: "/t", Type: "a", Data: fmt.Appendf(nil, "%q", strings.Repeat("x", 2<<20-2))}
	batch := []*op{newOp(1, 0, func(txn *txn) error {
		for _, arg := range []string{"a", strings.Repeat("a", 70_000)} {
			_, _ = txn.w.user.Exec(context.Background(), guard.Limit{}, small, []any{arg})
		}
		return txn.emit([]*events.Event{e})
	})}
	if err := s.w.write(batch, false); err != nil {
		t.Fatal(err)
	}
	if err := <-batch[0].done; err != nil {
		t.Error(err)
	}
}
