package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
)

// Statements of two processes that change the same row all take effect, each once: one that waits is repeated with its transaction.
func TestStatementsOfTwoProcessesChangeOneRow(t *testing.T) {
	dsn := postgrestest.Database(t)
	var stores []store.Store
	for range 2 {
		s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := errors.Join(<-ended, s.Close()); err != nil {
				t.Error(err)
			}
		})
		stores = append(stores, s)
	}
	parse := func(text string) *store.Statement {
		st, err := postgres.ParseStatement(text)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	registered, err := stores[0].Rewire(t.Context(), store.Wiring{Handlers: []store.Registration{{Name: "h"}}, Migrations: []store.Migration{{Handler: "h",
		Statements: []*store.Statement{parse(`CREATE TABLE counter (id int PRIMARY KEY, n int)`), parse(`INSERT INTO counter VALUES (1, 0), (2, 0)`)}}}})
	if err != nil {
		t.Fatal(err)
	}
	update := parse(`UPDATE counter SET n = n + 1 WHERE id = :id`)
	const callers, each = 3, 30
	var all sync.WaitGroup
	for i, s := range stores {
		for caller := range callers {
			all.Go(func() {
				for n := range each {
					e := &events.Event{ID: fmt.Sprint(i, caller, n), Source: "/t", Type: "a", Time: time.Unix(1, 0)}
					if _, err := s.Append(context.Background(), []*events.Event{e}); err != nil {
						t.Error(err)
						return
					}
					one := store.Settlement{Event: e, Handler: registered[0].ID, Attempt: 1, Started: time.Unix(1, 0), Statement: update, Effect: func(tx store.Tx) store.Outcome {
						for id := range 2 { // both rows, in one order or the other: so there are deadlocks
							if _, err := tx.Exec(update, []any{int64((id+i)%2 + 1)}); err != nil {
								return store.Outcome{State: store.Dead, Error: err.Error()}
							}
						}
						return store.Outcome{State: store.Succeeded}
					}}
					out, err := s.Settle(context.Background(), store.SettleBatch{Settlements: []store.Settlement{one}})
					for errors.Is(err, store.ErrBusy) {
						out, err = s.Settle(context.Background(), store.SettleBatch{Settlements: []store.Settlement{one}})
					}
					if err != nil || out[0].State != store.Succeeded {
						t.Error(out, err)
					}
				}
			})
		}
	}
	all.Wait()
	r, err := stores[0].Read(t.Context(), parse(`SELECT n FROM counter`), nil)
	if want := fmt.Sprintf("[[%d] [%[1]d]]", 2*callers*each); err != nil || fmt.Sprint(r.Rows) != want {
		t.Error(r, err)
	}
}
