package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// gatherer is an outside action that records the ids in `events`, by run and attempt.
type gatherer struct {
	ids   *expression.Expr
	fails func(d *tasks.Delivery) error

	mu  sync.Mutex
	saw []burstSeen // in the order in which attempts ended
}

type burstSeen struct {
	run     string
	attempt int
	event   string
	ids     []string
}

func newGatherer(t testing.TB) *gatherer {
	t.Helper()
	ids, err := expression.Compile(`map(events, {#.data == nil ? "no data" : #.id})`, expression.HandlerWith.WithEvents())
	if err != nil {
		t.Fatal(err)
	}
	return &gatherer{ids: ids}
}

func (g *gatherer) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	v, err := g.ids.Eval(d.Env)
	if err != nil {
		return nil, err
	}
	list, _ := v.([]any)
	seen := burstSeen{run: d.RunID, attempt: d.Attempt, event: d.Event.ID}
	for _, id := range list {
		seen.ids = append(seen.ids, fmt.Sprint(id))
	}
	g.mu.Lock()
	g.saw = append(g.saw, seen)
	g.mu.Unlock()
	if g.fails != nil {
		return nil, g.fails(d)
	}
	return nil, nil
}

func (g *gatherer) seen() []burstSeen {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.saw)
}

func (g *gatherer) handler(p tasks.Debounce) *tasks.Handler {
	return &tasks.Handler{Name: "h", On: on("a"), Action: g, Debounce: &p}
}

func by(t testing.TB, src string) *expression.Expr {
	t.Helper()
	x, err := expression.Compile(src, expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// accounted checks that each event has one run, and that each skipped run names a later run that joined its event and was not skipped. It returns the
// events of each run that was not skipped.
func accounted(t *testing.T, runs []store.Run, n int) map[string][]string {
	t.Helper()
	if len(runs) != n {
		t.Errorf("%d runs of %d events", len(runs), n)
	}
	bySequence := map[int64]store.Run{}
	for _, r := range runs {
		bySequence[r.Sequence] = r
	}
	bursts := map[string][]string{}
	for _, r := range runs { // oldest first
		into := r
		if r.State == store.Skipped {
			if into = bySequence[r.Joined]; into.Sequence <= r.Sequence || into.State == store.Skipped {
				t.Fatalf("%+v joined %+v", r, into)
			}
		} else if r.Joined != 0 {
			t.Errorf("%+v joined another", r)
		}
		bursts[into.ID] = append(bursts[into.ID], r.EventID)
	}
	return bursts
}

func ids(evs []*events.Event) []string {
	var list []string
	for _, e := range evs {
		list = append(list, e.ID)
	}
	return list
}

func TestABurstIsOneRun(t *testing.T) {
	const n = 5000
	for name, test := range map[string]struct {
		debounce tasks.Debounce
		runs     int // and each sees so many events
		sees     int
	}{
		"last": {tasks.Debounce{Wait: 2 * time.Second}, 1, 1},
		"all":  {tasks.Debounce{Wait: 2 * time.Second, All: true}, 5, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			synctest.Test(t, func(t *testing.T) {
				g := newGatherer(t)
				d := start(t, p, g.handler(test.debounce))
				evs := d.emitMany(n, none)
				bursts := accounted(t, d.settled(n), n)
				seen := g.seen()
				if len(seen) != test.runs || len(bursts) != test.runs {
					t.Fatalf("%d runs for %d bursts", len(seen), len(bursts))
				}
				var all []string
				slices.SortFunc(seen, func(a, b burstSeen) int { return strings.Compare(a.event, b.event) })
				for _, s := range seen {
					if len(s.ids) != test.sees || s.ids[len(s.ids)-1] != s.event {
						t.Errorf("a run on %s saw %d events", s.event, len(s.ids))
					}
					if test.debounce.All && !slices.Equal(s.ids, bursts[s.run]) {
						t.Errorf("run %s saw other events than joined it", s.run)
					}
					all = append(all, s.ids...)
				}
				if want := ids(evs); test.debounce.All && !slices.Equal(all, want) {
					t.Errorf("the runs saw %d events of %d, or in another order", len(all), len(want))
				}
				if last := evs[n-1].ID; all[len(all)-1] != last {
					t.Errorf("the last run was on %s", all[len(all)-1])
				}
				d.stop()
			})
		})
	}
}

func TestBurstsOfDifferentKeysAreDifferentRuns(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(t)
		h := g.handler(tasks.Debounce{Wait: time.Second, By: by(t, "data.key"), All: true})
		h.When = by(t, `data.key != "none"`)
		d := start(t, p, h)
		var want [3][]string
		for i := range 300 {
			key := []string{"x", "y", "z", "none"}[i%4]
			e := d.emit("a", fmt.Sprintf("%s/%d", key, i))
			if i%4 < 3 {
				want[i%4] = append(want[i%4], e.ID)
			}
		}
		runs := d.settled(300)
		for i, seen := 0, g.seen(); i < len(seen); i++ {
			if !slices.ContainsFunc(want[:], func(w []string) bool { return slices.Equal(w, seen[i].ids) }) {
				t.Errorf("a run saw %v", seen[i].ids)
			}
		}
		if n := len(g.seen()); n != 3 {
			t.Errorf("%d runs", n)
		}
		plain := 0
		for _, r := range runs {
			if r.State == store.Skipped && r.Joined == 0 {
				plain++
			}
		}
		if plain != 75 {
			t.Errorf("%d runs are skipped by their condition", plain)
		}
		d.stop()
	})
}

// Events that were accepted together are one burst, even with a short wait on a busy machine.
func TestWhatComesTogetherStaysTogether(t *testing.T) {
	g := newGatherer(t)
	d := start(t, path(t), g.handler(tasks.Debounce{Wait: time.Nanosecond, All: true}))
	const rounds, each = 20, 200
	for range rounds {
		d.emitMany(each, none)
	}
	d.settled(rounds * each)
	total := 0
	for _, s := range g.seen() {
		if len(s.ids)%each != 0 {
			t.Errorf("a run saw %d events: it tore %d apart", len(s.ids), each)
		}
		total += len(s.ids)
	}
	if total != rounds*each {
		t.Errorf("the runs saw %d events", total)
	}
}

// All attempts of a run see the same events: after failures, after a restart while it is retried, and after a retry by hand.
func TestRetriesSeeTheSameEvents(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		var healed atomic.Bool
		g := newGatherer(t)
		g.fails = func(*tasks.Delivery) error {
			if healed.Load() {
				return nil
			}
			return errors.New("no")
		}
		handler := func() *tasks.Handler {
			h := g.handler(tasks.Debounce{Wait: time.Second, All: true})
			h.Retry = tasks.Retry{Attempts: 4, Backoff: 10 * time.Second, Max: 10 * time.Second}
			return h
		}
		d := start(t, p, handler())
		d.emitMany(700, none)
		for len(g.seen()) < 2 {
			wait(time.Second)
		}
		d.stop()
		d = start(t, p, handler())
		d.emitMany(1, none) // another burst
		wait(2 * time.Minute)
		runs := d.settled(701)
		var dead string
		for id, burst := range accounted(t, runs, 701) {
			if len(burst) == 700 {
				dead = id
			}
		}
		healed.Store(true)
		if n, err := d.runner.Retry(t.Context(), store.Change{Query: store.RunQuery{ID: dead}}); err != nil || len(n) != 1 {
			t.Fatalf("retry: %v, %v", n, err)
		}
		for len(must(t, d, store.Succeeded)) < 1 {
			wait(time.Second)
		}
		attempts := 0
		var first []string
		for _, s := range g.seen() {
			if s.run != dead {
				continue
			}
			if attempts++; first == nil {
				first = s.ids
			}
			if len(s.ids) != 700 || !slices.Equal(s.ids, first) {
				t.Errorf("attempt %d saw %d events", s.attempt, len(s.ids))
			}
		}
		if attempts != 5 {
			t.Errorf("%d attempts", attempts)
		}
		d.stop()
	})
}

// While a rate or busy attempts delay bursts, more events join them; each run takes one token.
func TestDebounceGoesWithRateAndConcurrency(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(t)
		h := g.handler(tasks.Debounce{Wait: time.Second, MaxWait: time.Second, By: by(t, "data.n % 3"), All: true})
		h.Rate, h.Concurrency = tasks.Rate{Count: 1, Per: time.Minute}, 1
		d := start(t, p, h)
		for i := range 300 {
			d.emitMany(1, func(int) string { return fmt.Sprintf(`{"n":%d}`, i) })
			wait(time.Second)
		}
		wait(10 * time.Minute)
		runs := d.settled(300)
		bursts := accounted(t, runs, 300)
		if len(bursts) > 9 { // 5 min of events, 3 keys
			t.Errorf("%d runs", len(bursts))
		}
		spaced(t, starts(t, d, slices.DeleteFunc(runs, func(r store.Run) bool { return r.State == store.Skipped })), time.Minute)
		d.stop()
	})
}

func TestAnEventWithoutAKeyIsDeadAlone(t *testing.T) {
	g := newGatherer(t)
	d := start(t, path(t), g.handler(tasks.Debounce{Wait: time.Millisecond, By: by(t, "data.x.y")}))
	d.emitMany(2, func(i int) string { return []string{`{}`, `{"x":{"y":1}}`}[i] })
	runs := d.settled(2)
	if runs[0].State != store.Dead || !strings.Contains(runs[0].Error, "debounce: by: data.x is nil") || runs[1].State != store.Succeeded {
		t.Errorf("runs %+v", runs)
	}
}
