package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite/guard"
)

// A ping that the writer doesn't reach ends with its context; a waiting write is not lost by that.
func TestAPingAsksTheWriter(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	d := openTimed(t)
	d.start()
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := newOp(1, 0, func(*txn) error {
		close(busy)
		<-release
		return nil
	})
	if err := d.w.enqueue(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	<-busy
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is held: %v", err)
	}
	close(release)
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// A statement that only reads neither waits for the writer nor blocks it.
func TestAReadIsBesideTheWriter(t *testing.T) {
	d := openTimed(t)
	d.start()
	if _, err := d.Settle(t.Context(), d.effects(parse(t, `INSERT INTO t VALUES (7)`), nil, 0)); err != nil {
		t.Fatal(err)
	}
	busy, release := make(chan struct{}), make(chan struct{})
	if err := d.w.enqueue(t.Context(), newOp(1, 0, func(txn *txn) error {
		_, err := txn.w.user.Exec(context.Background(), guard.Limit{}, parse(t, `INSERT INTO t VALUES (8)`), nil)
		close(busy)
		<-release
		return err
	})); err != nil {
		t.Fatal(err)
	}
	<-busy
	sum := parse(t, `SELECT sum(x) FROM t`)
	if r, err := d.Read(t.Context(), sum, nil); err != nil || r.Rows[0][0] != int64(7) {
		t.Errorf("%v, %v", r.Rows, err)
	}
	close(release)
	view := store.Migration{Handler: "h", Statements: []*store.Statement{parse(t, `CREATE VIEW v AS SELECT replace(x, x, x) AS x FROM t`)}}
	if _, err := d.Rewire(t.Context(), store.Wiring{Migrations: []store.Migration{view}}); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Read(t.Context(), sum, nil); err != nil || r.Rows[0][0] != int64(15) {
		t.Errorf("%v, %v", r.Rows, err)
	}
	large := strings.Repeat("x", 70_000)
	ended, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	for _, c := range []struct {
		ctx  context.Context
		text string
		args []any
		want error
	}{
		{t.Context(), `DELETE FROM t RETURNING x`, nil, store.ErrStatement},
		{t.Context(), `SELECT * FROM dbstat`, nil, store.ErrStatement},
		{t.Context(), `SELECT instr(:x, :y)`, []any{large, large}, store.ErrStatement},
		{t.Context(), `SELECT replace(:x, 'a', 'b')`, []any{large[:20_000]}, store.ErrStatement}, // a view calls it otherwise, now
		{ended, `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c`, nil, context.DeadlineExceeded},
	} {
		if _, err := d.Read(c.ctx, parse(t, c.text), c.args); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}
