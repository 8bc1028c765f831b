package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// The session of a commit that waits for a standby is ended. The event can be seen on the server then, but the standby does not have it: it is not
// acknowledged before the standby has.
func TestWhatNoStandbyHasIsNotAcknowledged(t *testing.T) {
	postgrestest.Bin(t)
	server, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	address := server.Database(t)
	s, err := postgres.Open(t.Context(), address, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	must(s.Append(t.Context(), []*events.Event{steps.Event("a", "before")}))(t)
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	standby := func(names string) {
		for _, statement := range []string{`ALTER SYSTEM SET synchronous_standby_names = '` + names + `'`, `SELECT pg_reload_conf()`} {
			if _, err := pool.Exec(context.Background(), statement); err != nil { // also when the test has ended
				t.Error(err)
			}
		}
	}
	waiting := func() (n int) {
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	until := func(what string, ok func() bool) {
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) { // another process
			if time.Now().After(end) {
				t.Fatalf("it never came that %s", what)
			}
		}
	}
	standby("nobody")
	t.Cleanup(func() { standby("") })
	time.Sleep(200 * time.Millisecond) // all processes of the server have read it
	answer := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), []*events.Event{steps.Event("a", "one")})
		answer <- err
	}()
	until("the commit waits", func() bool { return waiting() > 0 })
	exec(t, pool, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
	until("the event can be seen", func() bool { return must(s.Head(t.Context()))(t) == 2 })
	select {
	case err := <-answer:
		t.Fatalf("it was acknowledged, with %v", err)
	case <-time.After(2 * time.Second):
	}
	standby("")
	if err := <-answer; err != nil {
		t.Error(err)
	}
	equal(t, "head", must(s.Head(t.Context()))(t), 2)
}
