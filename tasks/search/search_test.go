package search_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks/expression"
	"evrun/tasks/search"
)

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
	if runs && w.r.IntN(6) == 0 {
		q.IDs = []string{"7-h0-another2"} // of another store
		for range 1 + w.r.IntN(40) {
			q.IDs = append(q.IDs, one(w, w.runs...).ID)
		}
		add(func(_ *events.Event, r *store.Run) bool { return slices.Contains(q.IDs, r.ID) })
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
