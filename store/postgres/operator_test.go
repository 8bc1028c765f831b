package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// An operator, or a time limit, cancels a statement of a write: the caller is to try again. Another error would make a run dead, or end its handler.
func TestAWriteThatWasCancelledOnTheServerIsBusy(t *testing.T) {
	address := postgrestest.Database(t)
	s, err := postgres.Open(t.Context(), address, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	h := must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)[0].ID
	e := steps.Event("a", "one")
	must(s.Append(t.Context(), []*events.Event{e}))(t)
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	settle := func() error {
		_, err := s.Settle(context.Background(), store.SettleBatch{Settlements: []store.Settlement{steps.Outside(e, h, 1, store.Succeeded)}})
		return err
	}
	for what, write := range map[string]func() error{
		"an append": func() error {
			_, err := s.Append(context.Background(), []*events.Event{steps.Event("a", "two")})
			return err
		},
		"a settlement": settle,
		"a change": func() error {
			_, err := s.Pause(context.Background(), "h", store.Pause{By: "me"}, []*events.Event{steps.Event("a", "three")})
			return err
		},
	} {
		lock, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Exec(t.Context(), `LOCK TABLE evrun.journal, evrun.runs`); err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		go func() { answer <- write() }()
		ended := false
		for end := time.Now().Add(4 * time.Second); !ended && time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // another process
			exec(t, pool, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
			select {
			case err := <-answer:
				if ended = true; !errors.Is(err, store.ErrBusy) {
					t.Errorf("%s: %v, want a store.ErrBusy", what, err)
				}
			default:
			}
		}
		if err := lock.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
		if !ended {
			t.Errorf("%s was not cancelled: %v", what, <-answer)
		}
	}
	if err := settle(); err != nil {
		t.Error(err)
	}
}
