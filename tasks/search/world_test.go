package search_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/sqlitetest"
)

// world is a store with a random history. What it has is known without any search.
type world struct {
	t        *testing.T
	r        *rand.Rand
	s        *sqlite.Store
	outside  *sql.DB // deletes, as nothing of evrun's does yet
	clock    atomic.Int64
	accepted map[int64]time.Time
	handlers []store.Consumer
	events   []*events.Event // stored ones, in order
	of       map[int64]*events.Event
	runs     []store.Run // oldest event first
	settled  map[[2]int64]bool
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 7)), accepted: map[int64]time.Time{}, settled: map[[2]int64]bool{}}
	path := filepath.Join(t.TempDir(), "evrun.db")
	w.clock.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	s, err := sqlite.Open(path, sqlite.Options{Synchronous: "OFF", Options: store.Options{Now: func() time.Time { return time.UnixMicro(w.clock.Load()) }}})
	w.must(err)
	w.s = s
	w.outside, err = sql.Open("sqlite", conn.Writer(path, "OFF"))
	w.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		w.must(errors.Join(<-ended, w.outside.Close(), s.Close()))
		sqlitetest.CheckBlocks(t, path)
	})
	w.register("h0", "h1", "h2", "")
	for range 6 {
		w.append(400 + w.r.IntN(600))
		w.settle(1500)
		w.byHand()
	}
	w.register("h1", "h2", "h9", "h0") // h9 takes over
	w.settle(300)
	w.delete()
	w.read()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) register(a, b, c, was string) {
	regs := []store.Registration{{Name: a}, {Name: b, On: []events.Pattern{events.MustPattern("a.*")}}, {Name: c, Was: was}}
	handlers, err := w.s.Register(w.t.Context(), regs, nil)
	w.must(err)
	w.handlers = handlers
}

func one[T any](w *world, of ...T) T { return of[w.r.IntN(len(of))] }

var texts = []string{"x1", "x2", "Ada", "é", "<b>&", `a"b`, `back\slash`, "日本", "", "100%", "a*b?[c]"}

func (w *world) event() *events.Event {
	e := &events.Event{ID: events.NewID(), Source: one(w, "/a", "/b", "/c/"+strconv.Itoa(w.r.IntN(40))), Type: one(w, "a.b", "a.c", "a.b.c", "b.c")}
	switch w.r.IntN(60) {
	case 0:
		e.Type = "rare." + strconv.Itoa(w.r.IntN(4))
	case 1:
		e.Type = "many.t" + strconv.Itoa(w.r.IntN(200)) // more types than are noted of a block
	}
	text := func() string {
		quoted, err := events.MarshalJSON(one(w, texts...))
		w.must(err)
		if w.r.IntN(3) == 0 { // the same text in another way
			return strconv.QuoteToASCII(one(w, "x1", "é", "日本", "Ada"))
		}
		return string(quoted)
	}
	switch w.r.IntN(20) {
	case 0: // no data
	case 1:
		e.DataContentType, e.Data = "text/plain", []byte(one(w, texts...)+"x1")
	case 2:
		e.Data = []byte(text())
	default:
		e.Data = fmt.Appendf(nil, `{"s": %s, "n": %d, "list": [%s, "x%d"]}`, text(), w.r.IntN(10), text(), w.r.IntN(5))
	}
	return e
}

func (w *world) append(n int) {
	for n > 0 {
		evs := make([]*events.Event, min(n, 1+w.r.IntN(200)))
		for i := range evs {
			evs[i] = w.event()
			if known := len(w.accepted); known > 0 && w.r.IntN(10) == 0 {
				evs[i].Chain = 1 + w.r.Int64N(int64(known))
			}
		}
		n -= len(evs)
		w.clock.Add(w.r.Int64N(3) * 1_000_000)
		receipts, err := w.s.Append(w.t.Context(), evs)
		w.must(err)
		for _, rc := range receipts {
			w.accepted[rc.Sequence] = time.UnixMicro(w.clock.Load()).UTC()
		}
		w.events = append(w.events, evs...)
	}
}

// settle ends attempts, of which some are undone with their transaction.
func (w *world) settle(n int) {
	var batch []store.Settlement
	undone := 0
	for range n {
		e, h := one(w, w.events...), one(w, w.handlers...)
		state := one(w, store.Succeeded, store.Succeeded, store.Succeeded, store.Skipped, store.Dead, store.Retrying)
		x := store.Settlement{Event: e, Handler: h.ID, Attempt: 1, Started: e.Time, Outcome: store.Outcome{State: state}}
		switch {
		case state == store.Dead || state == store.Retrying:
			x.Outcome.Error, x.Outcome.NextAttemptAt = one(w, "refused", "no route"), e.Time
		case w.r.IntN(100) == 0 && len(w.events) > 0:
			known := one(w, w.events...)
			x.Outcome.Emit = []*events.Event{{ID: known.ID, Source: known.Source, Type: "never.stored", Chain: e.Chain}}
			undone++
		}
		if w.r.IntN(20) == 0 {
			_, err := w.s.Start(w.t.Context(), []store.Claim{{Handler: h.ID, Sequence: e.Sequence, Attempt: 1, At: e.Time}})
			w.must(err)
			x.Claimed = w.r.IntN(2) == 0
		}
		if batch = append(batch, x); len(batch) < 40 {
			continue
		}
		if _, err := w.s.Settle(w.t.Context(), store.SettleBatch{Settlements: batch}); err != nil && (undone == 0 || !errors.Is(err, store.ErrClash)) {
			w.t.Fatal(err)
		}
		batch = nil
	}
}

func (w *world) byHand() {
	for _, do := range []func(context.Context, store.Change) ([]store.Run, error){w.s.Retry, w.s.Drop, w.s.Cancel} {
		_, err := do(w.t.Context(), store.Change{Query: store.RunQuery{Handler: one(w, "h0", "h1"), Limit: 1 + w.r.IntN(30), Oldest: w.r.IntN(2) == 0}})
		w.must(err)
	}
}

// delete deletes events and runs, as a retention would.
func (w *world) delete() {
	for _, query := range []string{
		`DELETE FROM events WHERE sequence % 17 = 0 OR sequence BETWEEN 1500 AND 2700`, `DELETE FROM runs WHERE sequence % 34 = 0`,
	} {
		_, err := w.outside.Exec(query)
		w.must(err)
	}
}

// read reads all that is stored, without a filter.
func (w *world) read() {
	all, err := store.AllEvents(w.t.Context(), w.s, store.EventQuery{})
	w.must(err)
	w.events, w.of = all, map[int64]*events.Event{}
	for _, e := range all {
		w.of[e.Sequence] = e
	}
	w.runs, err = w.s.Runs(w.t.Context(), store.RunQuery{Oldest: true, Limit: 1 << 20})
	w.must(err)
	handlers, err := w.s.Handlers(w.t.Context())
	w.must(err)
	for _, c := range handlers {
		waiting, err := store.WaitingRuns(w.t.Context(), w.s, c, store.WaitingQuery{Limit: 1 << 20})
		w.must(err)
		w.runs = append(w.runs, waiting...)
	}
	slices.SortStableFunc(w.runs, func(a, b store.Run) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.HandlerID, b.HandlerID))
	})
}
