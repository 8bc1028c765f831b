package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// A database that has lost what it had committed ends the stores of the processes that know better: one that a standby behind has taken over, which their
// connections notice, and one that was put back under them.
func TestADatabaseThatWentBackEndsTheStore(t *testing.T) {
	for name, undo := range map[string]string{
		"transactions are gone": `UPDATE evrun.writers SET transaction = 1; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'evrun/%' AND datname = current_database()`,
		"events are gone":       `DELETE FROM evrun.events WHERE sequence > 1; UPDATE evrun.journal SET head = 1`,
		"other events came":     `UPDATE evrun.events SET id = 'another' WHERE sequence = 3`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := postgrestest.Database(t)
			s, err := postgres.Open(t.Context(), dsn, postgres.Options{Options: store.Options{Node: &store.Node{Name: "one"}, OnCommit: func(store.Commit) {}}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			t.Cleanup(func() {
				stop()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			for _, id := range []string{"1", "2", "3"} {
				if _, err := s.Append(t.Context(), []*events.Event{steps.Event("a.b", id)}); err != nil {
					t.Fatal(err)
				}
			}
			c, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
			if _, err := c.Exec(t.Context(), undo); err != nil {
				t.Fatal(err)
			}
			if name != "other events came" { // what it accepts then is in order
				go func() { _, _ = s.Append(ctx, []*events.Event{steps.Event("a.b", "4")}) }() // it may be refused
			}
			select {
			case err := <-ended:
				if !errors.Is(err, store.ErrBroken) {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("it goes on")
			}
		})
	}
}
