package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
)

// append5 accepts five events and returns the sequence of the last.
func append5(t *testing.T, s *sqlite.Store, name string) int64 {
	t.Helper()
	var evs []*events.Event
	for i := range 5 {
		evs = append(evs, &events.Event{ID: fmt.Sprint(name, i), Source: "/test", Type: "a.b"})
	}
	receipts, err := s.Append(t.Context(), evs)
	if err != nil {
		t.Fatal(err)
	}
	return receipts[4].Sequence
}

// If the last events of a journal are deleted, in any way, new events get higher sequences than all earlier ones.
func TestSequencesGoOnWhenEventsAreDeleted(t *testing.T) {
	for name, c := range map[string]struct{ before, between string }{
		"all":                {between: `DELETE FROM events`},
		"one by one":         {between: `DELETE FROM events WHERE sequence = 5; DELETE FROM events WHERE sequence = 4; DELETE FROM events WHERE sequence < 4`},
		"the last ones":      {between: `DELETE FROM events WHERE sequence > 2`},
		"the first ones":     {between: `DELETE FROM events WHERE sequence < 3`},
		"with what was done": {between: `DELETE FROM events; DELETE FROM runs; DELETE FROM handlers`},
		"without the trigger, below a mark": {
			before: `INSERT INTO handlers (name, low_water, active) VALUES ('h', 5, 1)`, between: `DROP TRIGGER events_head; DELETE FROM events`},
		"without the trigger, below a run": {
			before:  `INSERT INTO runs (sequence, handler, state, attempt, started_at) VALUES (5, 1, 3, 1, 0); INSERT INTO blocks VALUES ('r:1:3', 0)`,
			between: `DROP TRIGGER events_head; DELETE FROM events`},
	} {
		t.Run(name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "evrun.db")
			t.Run("before", func(t *testing.T) {
				if last := append5(t, open(t, p, sqlite.Options{}), "before"); last != 5 {
					t.Fatalf("the last of the first five is #%d", last)
				}
			})
			change(t, p, c.before+";"+c.between)
			for round := range int64(2) {
				t.Run("after", func(t *testing.T) {
					s := open(t, p, sqlite.Options{})
					if head, err := s.Head(t.Context()); head != 5+round*5 || err != nil {
						t.Errorf("head %d, %v", head, err)
					}
					h, err := s.Register(t.Context(), []store.Registration{{Name: fmt.Sprint("new", round)}}, nil)
					if err != nil || h[0].LowWater != 5+round*5 {
						t.Errorf("a new handler: %+v, %v", h, err)
					}
					if last := append5(t, s, fmt.Sprint("after", round)); last != 10+round*5 {
						t.Errorf("the last of five more is #%d", last)
					}
					if head, err := s.Head(t.Context()); head != 10+round*5 || err != nil {
						t.Errorf("head %d, %v", head, err)
					}
				})
			}
		})
	}
}

// A new store can free the space of pruned events; an existing store is not changed.
func TestNewStoresCanShrink(t *testing.T) {
	pragma := func(p, name string) (n int) {
		db, err := sql.Open("sqlite", p)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow("PRAGMA " + name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const none, incremental = 0, 2
	p := filepath.Join(t.TempDir(), "evrun.db")
	t.Run("new", func(t *testing.T) { open(t, p, sqlite.Options{}) })
	if got := pragma(p, "auto_vacuum"); got != incremental {
		t.Errorf("a new store: auto_vacuum %d", got)
	}
	change(t, p, `PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM`)
	t.Run("existing", func(t *testing.T) { append5(t, open(t, p, sqlite.Options{}), "x") })
	if got := pragma(p, "auto_vacuum"); got != none {
		t.Errorf("an existing store: auto_vacuum %d", got)
	}
}
