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
	"evrun/store/storetest"
	"evrun/tasks/expression"
	"evrun/tasks/search"
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

// query makes a random query, and what it means.
func (w *world) query(runs bool) (q search.Query, is func(e *events.Event, r *store.Run) bool) {
	var parts []func(e *events.Event, r *store.Run) bool
	add := func(is func(e *events.Event, r *store.Run) bool) { parts = append(parts, is) }
	maybe := func() bool { return w.r.IntN(3) == 0 }
	if maybe() {
		for range 1 + w.r.IntN(2) {
			q.Types = append(q.Types, events.MustPattern(one(w, "a.b", "a.*", "a.>", "*.c", ">", "rare.1", "rare.*", "many.t7", "many.>", "none", "b.*")))
		}
		add(func(e *events.Event, _ *store.Run) bool {
			return slices.ContainsFunc(q.Types, func(p events.Pattern) bool { return p.Match(e.Type) || p.String() == ">" })
		})
	}
	if maybe() {
		q.Source = one(w, "/a", "/c/7", "/none")
		add(func(e *events.Event, _ *store.Run) bool { return e.Source == q.Source })
	}
	if maybe() {
		q.Since = w.someTime()
		low := w.firstAt(q.Since)
		add(func(e *events.Event, _ *store.Run) bool { return e.Sequence >= low })
	}
	if maybe() {
		q.Until = w.someTime()
		high := w.firstAt(q.Until)
		add(func(e *events.Event, _ *store.Run) bool { return e.Sequence < high })
	}
	switch w.r.IntN(12) {
	case 0:
		q.Chain = one(w, w.events...).Chain
		add(func(e *events.Event, _ *store.Run) bool { return e.Chain == q.Chain })
	case 1:
		q.Event = one(w, w.events...).Sequence
		add(func(e *events.Event, _ *store.Run) bool { return e.Sequence == q.Event })
	case 2:
		q.Before = one(w, w.events...).Sequence
		add(func(e *events.Event, _ *store.Run) bool { return e.Sequence < q.Before })
	}
	if runs && maybe() {
		q.Handler = one(w, "h0", "h1", "h2", "h9", "none")
		add(func(_ *events.Event, r *store.Run) bool { return r.Handler == q.Handler })
	}
	if runs {
		if maybe() {
			for range 1 + w.r.IntN(2) {
				q.States = append(q.States, one(w, store.Waiting, store.Running, store.Retrying, store.Succeeded, store.Skipped, store.Dead, store.Dropped, store.Cancelled))
			}
		} else { // waiting ones only where they are asked for
			add(func(_ *events.Event, r *store.Run) bool { return r.State != store.Waiting })
		}
	}
	if len(q.States) > 0 {
		add(func(_ *events.Event, r *store.Run) bool { return slices.Contains(q.States, r.State) })
	}
	if w.r.IntN(2) == 0 {
		w.where(&q, runs, add)
	}
	q.Oldest, q.Limit = maybe(), one(w, 1, 3, 40, 1000)
	return q, func(e *events.Event, r *store.Run) bool {
		return !slices.ContainsFunc(parts, func(is func(*events.Event, *store.Run) bool) bool { return !is(e, r) })
	}
}

func (w *world) where(q *search.Query, runs bool, add func(func(*events.Event, *store.Run) bool)) {
	scope, src := expression.SelectEvents, one(w, `data.n > 7`, `data.s == "x1"`, `data.s == "é" and data.n < 5`, `data.s contains "b>"`, `data.s == "a\"b"`,
		`data.s in ["Ada", "日本"]`, `"x1" in data.list`, `data == "x1x1"`, `data contains "x1"`, `data.s startsWith "a*" or data.s endsWith "\\slash"`,
		`event.type == "a.b" and data.s == "100%"`, `data.n.deep == 1`, `event.source == "/a"`, `data.s == "x1" or data.n == 3`, `event.seq % 97 == 0`)
	if runs && w.r.IntN(2) == 0 {
		scope, src = expression.SelectRuns, one(w, `run.state == "dead"`, `run.error contains "refused" and data.n > 3`, `run.handler == "h1" and data.s == "x2"`,
			`run.id startsWith "1"`, `event.type == "b.c" or run.attempt > 1`)
	}
	x, err := expression.Compile(src, scope)
	w.must(err)
	q.Where = x
	add(func(e *events.Event, r *store.Run) bool {
		env := expression.NewEnv(e)
		if r != nil {
			env.SetRun(expression.Run{ID: r.ID, Handler: r.Handler, State: r.State.String(), Attempt: r.Attempt, Error: r.Error})
		}
		ok, err := x.Bool(env)
		return ok && err == nil
	})
}

// someTime is about when an event was accepted, or before all or after all.
func (w *world) someTime() time.Time {
	return w.accepted[one(w, w.events...).Sequence].Add(time.Duration(w.r.IntN(3)-1) * time.Second * time.Duration(1+w.r.IntN(2)*10_000))
}

// firstAt is where the events begin that were accepted at a time or later.
func (w *world) firstAt(at time.Time) int64 {
	last := int64(0)
	for _, e := range w.events {
		if w.accepted[e.Sequence].Before(at) {
			last = e.Sequence
		}
	}
	return last + 1
}

// wanted are the names of what a query must find, in order.
func (w *world) wanted(q search.Query, runs bool, is func(e *events.Event, r *store.Run) bool) (names []string) {
	var groups [][]string // of one event each
	if !runs {
		for _, e := range w.events {
			if is(e, nil) {
				groups = append(groups, []string{e.ID})
			}
		}
	}
	last := int64(0)
	for i := range w.runs {
		r := &w.runs[i]
		e := w.of[r.Sequence]
		if e == nil {
			e = &events.Event{Sequence: r.Sequence, Chain: -r.Sequence}
		}
		if !runs || !is(e, r) {
			continue
		}
		if r.Sequence != last {
			groups = append(groups, nil)
		}
		last = r.Sequence
		groups[len(groups)-1] = append(groups[len(groups)-1], r.ID)
	}
	if !q.Oldest {
		slices.Reverse(groups)
	}
	return slices.Concat(groups...)
}

// found are the names of what a search finds, page by page. between is called between pages, with the last item.
func (w *world) found(q search.Query, runs bool, between func(last string)) (names []string) {
	w.t.Helper()
	for pages := 0; ; pages++ {
		before := len(names)
		var next string
		var progress float64
		if runs {
			page, err := search.Runs(w.t.Context(), w.s, q)
			w.must(err)
			for _, r := range page.Items {
				names = append(names, r.ID)
			}
			next, progress = page.Next, page.Progress
		} else {
			page, err := search.Events(w.t.Context(), w.s, q)
			w.must(err)
			for _, e := range page.Items {
				names = append(names, e.ID)
			}
			next, progress = page.Next, page.Progress
		}
		if len(names)-before > q.Limit || progress < 0 || progress > 1 || pages > 5000 {
			w.t.Fatalf("page %d has %d items, progress %v", pages, len(names)-before, progress)
		}
		if q.After = next; next == "" {
			return names
		}
		if len(names) > before {
			between(names[len(names)-1])
		}
	}
}

func (w *world) check(q search.Query, runs bool, got, want []string) {
	w.t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	w.t.Errorf("runs %v, %+v: found %d, want %d, and they differ at %d: %v, want %v", runs, q, len(got), len(want), i,
		got[i:min(len(got), i+3)], want[i:min(len(want), i+3)])
}

// Whatever is asked for: a search finds what a look at every event and run finds, in the same order, with cursors at any place.
func TestASearchFindsWhatThereIs(t *testing.T) {
	queries := storetest.Size(t, "EVRUN_SEARCHES", 40, 300)
	for seed := range uint64(3) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for range queries {
				runs := w.r.IntN(2) == 0
				q, is := w.query(runs)
				want := w.wanted(q, runs, is)
				q.Limit = max(q.Limit, len(want)/50)
				w.check(q, runs, w.found(q, runs, func(string) {}), want)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// The item at which a page ends may be deleted before the next page is read.
func TestASearchGoesOnWhereAnItemWasDeleted(t *testing.T) {
	w := newWorld(t, 99)
	for range 15 {
		runs := w.r.IntN(2) == 0
		q, is := w.query(runs)
		want := w.wanted(q, runs, is)
		q.Limit = max(q.Limit, len(want)/20)
		got := w.found(q, runs, func(last string) {
			var err error
			if runs {
				sequence, _, _, perr := store.ParseRunID(last)
				w.must(perr)
				i := slices.IndexFunc(w.runs, func(r store.Run) bool { return r.ID == last })
				if r := w.runs[i]; r.ID == store.RunID(sequence, r.Handler, w.s.ID()) { // of one that was taken over, and then deleted, the place is not known
					_, err = w.outside.Exec(`DELETE FROM runs WHERE sequence = ? AND handler = ?`, sequence, int64(r.HandlerID))
				}
			} else {
				_, err = w.outside.Exec(`DELETE FROM events WHERE id = ?`, last)
			}
			w.must(err)
		})
		w.check(q, runs, got, want)
		w.read()
	}
}

func TestACursorOfSomethingElseIsRefused(t *testing.T) {
	w := newWorld(t, 5)
	for _, cursor := range []string{"x", "-4", "4~x", "~", "1-"} {
		if _, err := search.Events(t.Context(), w.s, search.Query{After: cursor}); !errors.Is(err, search.ErrCursor) {
			t.Errorf("events after %q: %v", cursor, err)
		}
		if _, err := search.Runs(t.Context(), w.s, search.Query{After: cursor}); !errors.Is(err, search.ErrCursor) {
			t.Errorf("runs after %q: %v", cursor, err)
		}
	}
}
