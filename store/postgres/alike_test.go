package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest/steps"
)

// TestStoresDoTheSame makes random changes in a SQLite store and in a PostgreSQL store, and compares what each says and has afterwards.
func TestStoresDoTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("one caller at a time: what several do at once is in the other tests")
	}
	for seed := range int64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			clock := steps.NewClock()
			w := &twin{T: t, r: rand.New(rand.NewSource(seed)), clock: clock}
			opt := store.Options{Now: clock.Now, WantRuns: func() bool { return true }}
			for i, open := range []func(*testing.T, store.Options) store.Store{openSQLite, open} {
				o := opt
				o.OnCommit = func(c store.Commit) { w.published[i] = append(w.published[i], publishedOf(c)...) }
				w.stores[i] = open(t, o)
			}
			for i := range 60 {
				w.step(i)
				if t.Failed() {
					return
				}
			}
		})
	}
}

func openSQLite(t *testing.T, opt store.Options) store.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), sqlite.Options{Options: opt})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	return s
}

// twin is two stores that are to be alike.
type twin struct {
	*testing.T
	r         *rand.Rand
	clock     *steps.Clock
	stores    [2]store.Store
	published [2][]string // since the last look
	n         int         // ids given
	history   []string
}

var names = []string{"one", "two", "three", "four"}

// do does the same to both stores, and compares the answers.
func (w *twin) do(what string, do func(s store.Store) (any, error)) {
	w.Helper()
	w.history = append(w.history, what)
	var got [2]string
	for i, s := range w.stores {
		v, err := do(s)
		got[i] = w.text(s, v) + " " + kindOf(err)
	}
	w.same(what, got[0], got[1])
}

func (w *twin) same(what, a, b string) {
	w.Helper()
	if a == b {
		return
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	from := max(0, at-300)
	w.Fatalf("%s\n%s:\nsqlite   %s\npostgres %s", strings.Join(w.history, "\n"), what, a[from:min(len(a), at+300)], b[from:min(len(b), at+300)])
}

// text writes a value so that stores with different ids have the same text.
func (w *twin) text(s store.Store, v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		w.Fatal(err)
	}
	return strings.NewReplacer(s.ID(), "storeid", "null", "[]").Replace(string(b))
}

// kindOf is which of the errors that callers know an error is.
func kindOf(err error) string {
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrActive, store.ErrNotActive, store.ErrClash, store.ErrBatchMoved, store.ErrTokenExists} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return ""
}

func publishedOf(c store.Commit) (list []string) {
	for _, e := range c.Events {
		list = append(list, fmt.Sprint("event ", e.Sequence, " ", e.ID, " chain ", e.Chain))
	}
	var runs []string
	for _, r := range c.Runs {
		runs = append(runs, fmt.Sprintf("run %d of %s: %v, attempt %d, budget %d, %q, %q, %v", r.Sequence, r.Handler, r.State, r.Attempt, r.Budget, r.Error, r.Reason, r.NextAttemptAt))
	}
	slices.Sort(runs)
	return append(list, runs...)
}

func (w *twin) pick(list ...string) string { return list[w.r.Intn(len(list))] }

func (w *twin) chance(percent int) bool { return w.r.Intn(100) < percent }

func (w *twin) id() string {
	w.n++
	return fmt.Sprint("e", w.n)
}

// audit are the events that go along with a change.
func (w *twin) audit() func() []*events.Event {
	id := w.id()
	if w.chance(5) && w.n > 5 {
		id = "e1" // known
	}
	return func() []*events.Event { return []*events.Event{steps.Event("audit", id)} }
}
