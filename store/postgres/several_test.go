package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// several opens a database in several processes, as it were, and returns a pool for statements beside them.
func several(t *testing.T, n int, opt store.Options) ([]store.Store, *pgxpool.Pool) {
	t.Helper()
	address := postgrestest.Database(t)
	list := make([]store.Store, n)
	for i := range list {
		s, err := postgres.Open(t.Context(), address, postgres.Options{Options: opt})
		if err != nil {
			t.Fatal(err)
		}
		running(t, s)
		list[i] = s
	}
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return list, pool
}

func must[T any](v T, err error) func(*testing.T) T { return steps.Must(v, err) }

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func exec(t *testing.T, pool *pgxpool.Pool, query string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// anotherNode adds a daemon that holds all slots of all handlers.
func anotherNode(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	exec(t, pool, `WITH n AS (INSERT INTO evrun.nodes (name, version, labels, wiring, started_at) VALUES ('', '', '{}', '', 0) RETURNING id),
			b AS (INSERT INTO evrun.beats SELECT id, clock_timestamp() + interval '1 min' FROM n)
		UPDATE evrun.shares s SET node = n.id FROM n WHERE s.handler > 0`)
}

var onAll = []events.Pattern{events.MustPattern(">")}

func TestAMarkOfAScheduleNeverGoesBack(t *testing.T) {
	two, _ := several(t, 2, store.Options{})
	a, b := two[0], two[1]
	mark := func(minute int, timing string, paused bool) store.ScheduleMark {
		at := steps.At.Add(time.Duration(minute) * time.Minute)
		return store.ScheduleMark{Name: "tick", Since: steps.At, Slot: at, Fired: at, Timing: timing, Paused: paused}
	}
	for _, step := range []struct {
		what    string
		by      store.Store
		put     store.ScheduleMark
		minute  int
		pausing bool
	}{
		{"the first slot", a, mark(1, "x", false), 1, false},
		{"the third", a, mark(3, "x", false), 3, false},
		{"the second, of somebody who comes late", b, mark(2, "x", false), 3, false},
		{"a pause of somebody who has not seen the third", b, mark(1, "x", true), 3, true},
		{"the fourth, of somebody who has not seen the pause", a, mark(4, "x", false), 4, true},
		{"the end of the pause", b, mark(3, "x", false), 4, false},
		{"another timing", b, mark(2, "y", true), 2, true},
	} {
		must(step.by.FireSlots(t.Context(), []store.ScheduleMark{step.put}, nil))(t)
		got := must(a.ScheduleMarks(t.Context()))(t)["tick"]
		want := mark(step.minute, step.put.Timing, step.pausing)
		equal(t, step.what, got, want)
	}
}

func TestASlotOfAScheduleFiresOnce(t *testing.T) {
	two, _ := several(t, 2, store.Options{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := map[string]int{}
	for _, s := range two {
		wg.Go(func() {
			for i := range 50 {
				id := fmt.Sprint("slot-", i)
				at := steps.At.Add(time.Duration(i) * time.Second)
				r, err := s.FireSlots(t.Context(), []store.ScheduleMark{{Name: "tick", Since: steps.At, Slot: at, Fired: at}}, []*events.Event{steps.Event("tick", id)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if !r[0].Duplicate {
					fresh[id]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	equal(t, "slots", len(fresh), 50)
	for id, n := range fresh {
		equal(t, id, n, 1)
	}
	equal(t, "events", len(must(two[0].Events(t.Context(), store.EventQuery{}))(t)), 50)
}

func TestOfProcessesThatDoTheSameOneDoesIt(t *testing.T) {
	two, _ := several(t, 2, store.Options{})
	must(two[0].Register(t.Context(), []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("a.*")}}}, nil))(t)
	var evs []*events.Event
	for i := range 60 {
		evs = append(evs, steps.Event("a.b", fmt.Sprint(i)))
	}
	must(two[0].Append(t.Context(), evs))(t)
	must(two[0].StartBatch(t.Context(), store.Batch{ID: "b"}, nil))(t)
	var mu sync.Mutex
	did := map[string]int{}
	var wg sync.WaitGroup
	for i, s := range two {
		for range 3 {
			wg.Go(func() {
				note := func(what string, n int, err error, but ...error) {
					mu.Lock()
					defer mu.Unlock()
					did[what] += n
					if err != nil && !slices.ContainsFunc(but, func(known error) bool { return errors.Is(err, known) }) {
						t.Errorf("%s: %v", what, err)
					}
				}
				once := func(err error) int {
					if err != nil {
						return 0
					}
					return 1
				}
				q := store.RunQuery{Handler: "h", Limit: 100, Oldest: i == 0} // in different orders
				q.States = []store.RunState{store.Waiting}
				runs, err := s.Cancel(t.Context(), store.Change{Query: q})
				note("cancelled", len(runs), err)
				q.States = []store.RunState{store.Cancelled}
				runs, err = s.Retry(t.Context(), store.Change{Query: q})
				note("retried", len(runs), err)
				err = s.CreateToken(t.Context(), store.Token{Name: "t", Hash: []byte("h")}, nil)
				note("made", once(err), err, store.ErrTokenExists)
				_, err = s.AdvanceBatch(t.Context(), store.Step{Batch: "b", To: "1", Done: 1}, []*events.Event{steps.Event("x", events.NewID())})
				note("moved", once(err), err, store.ErrBatchMoved)
				paused, err := s.Pause(t.Context(), "h", store.Pause{By: "ada"}, []*events.Event{steps.Event("x", events.NewID())})
				changed := 0
				if paused {
					changed = 1
				}
				note("paused", changed, err)
			})
		}
	}
	wg.Wait()
	for what, want := range map[string]int{"cancelled": 60, "retried": 60, "made": 1, "moved": 1, "paused": 1} {
		equal(t, what, did[what], want)
	}
	equal(t, "events of what was done", len(must(two[0].Events(t.Context(), store.EventQuery{Patterns: []events.Pattern{events.MustPattern("x")}}))(t)), 2)
}

func TestARunThatAnotherDaemonMayRunIsOnlyMarked(t *testing.T) {
	one, pool := several(t, 1, store.Options{})
	s := one[0]
	h := must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)[0]
	must(s.Append(t.Context(), []*events.Event{steps.Event("a.b", "1"), steps.Event("a.b", "2"), steps.Event("a.b", "3")}))(t)
	exec(t, pool, `INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at, next_attempt_at) VALUES (1, $1, 1, 1, 0, NULL), (2, $1, 2, 1, 0, 9)`, h.ID)
	anotherNode(t, pool)
	cancel := func(sequences ...int64) string {
		q := store.RunQuery{Handler: "h", Oldest: true}
		for _, n := range sequences {
			q.IDs = append(q.IDs, store.RunID(n, "h", s.ID()))
		}
		var list []string
		for _, r := range must(s.Cancel(t.Context(), store.Change{Query: q, By: "ada"}))(t) {
			list = append(list, fmt.Sprintf("%d %v %v", r.Sequence, r.State, r.Cancelling))
		}
		return strings.Join(list, ", ")
	}
	equal(t, "what was done", cancel(1, 2, 3), "1 running true, 2 cancelled false, 3 cancelled false")
	equal(t, "a marked one", cancel(1), "")
	exec(t, pool, `UPDATE evrun.beats SET expires_at = clock_timestamp() - interval '1 s'`)
	equal(t, "its daemon is dead", cancel(1), "1 cancelled false")
}

// A notice with what PostgreSQL can't store is stored as far as it can be.
func TestTextsThatPostgreSQLCanNotStore(t *testing.T) {
	one, _ := several(t, 1, store.Options{})
	s := one[0]
	must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)
	must(s.Append(t.Context(), []*events.Event{steps.Event("a.b", "1")}))(t)
	runs := must(s.Cancel(t.Context(), store.Change{Query: store.RunQuery{Handler: "h"}, By: "a\x00da", Why: "\xff"}))(t)
	equal(t, "reason", runs[0].Reason, "cancelled by a\uFFFDda: \uFFFD")
	equal(t, "stored", must(s.FindRun(t.Context(), runs[0].ID))(t).Reason, runs[0].Reason)
	must(s.Pause(t.Context(), "h", store.Pause{By: "a\x00da"}, nil))(t)
	done := must(s.ImportUsers(t.Context(), []store.User{{Name: "a\x00da", Email: "a@example.com"}, {Name: "bob", Email: "b@example.com"}}, store.Fail))(t)
	equal(t, "refused", errors.Is(done[0].Err, store.ErrStatement), true)
	equal(t, "the other", done[1].New, true)
	for _, id := range []string{"\x00", "1-h-\x00", "1-\x00-" + s.ID()} {
		if _, err := s.FindRun(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("find %q: %v", id, err)
		}
		if _, err := s.Retry(t.Context(), store.Change{Query: store.RunQuery{IDs: []string{id}}}); err != nil {
			t.Errorf("retry %q: %v", id, err)
		}
	}
}

func TestUsersThatTwoProcessesImportAreStoredOnce(t *testing.T) {
	two, _ := several(t, 2, store.Options{})
	var wg sync.WaitGroup
	for i, s := range two {
		for on := range store.OnConflict(3) {
			wg.Go(func() {
				for n := range 20 {
					list := []store.User{{Name: "x", Email: fmt.Sprintf("U%d@example.com", n)}, {Name: "y", Email: fmt.Sprintf("u%d@example.com", 20-n)}}
					if i == 0 {
						slices.Reverse(list)
					}
					for _, d := range must(s.ImportUsers(t.Context(), list, on))(t) {
						if d.Err != nil && on != store.Fail || d.Err == nil && d.User.ID == 0 {
							t.Errorf("%+v", d)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	equal(t, "users", must(two[0].CountUsers(t.Context()))(t), 21)
}
