package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// gatherer is an outside action that notes which events its runs saw: the ids in `events`, by run and attempt.
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

// accounted checks that each event has one run, that skipped ones name the run that took them along, and that this is a
// later one that was not skipped. It gives the events of each run that was.
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

// Each event restarts the wait, up to max_wait.
func TestTheWaitStartsAnewUpToItsBound(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(t)
		d := start(t, p, g.handler(tasks.Debounce{Wait: 2 * time.Second, MaxWait: 7 * time.Second, All: true}))
		began := time.Now()
		for i := range 10 { // at 0, 1, … 9 s
			d.emit("a", fmt.Sprint(i))
			wait(time.Second)
		}
		wait(time.Second + 500*time.Millisecond)
		runs := d.settled(10)
		accounted(t, runs, 10)
		if seen := g.seen(); len(seen) != 2 || strings.Join(seen[0].ids, "") != "0123456" && strings.Join(seen[0].ids, "") != "01234567" {
			t.Fatalf("bursts: %+v", seen)
		}
		at := starts(t, d, runs)
		// The first is over 7 s after its first event, the second 2 s after its last, at 9 s.
		for i, want := range []time.Duration{7 * time.Second, 11 * time.Second} {
			if late := at[i].Sub(began) - want; late < 0 || late > 100*time.Millisecond {
				t.Errorf("burst %d ran after %v, want %v", i, at[i].Sub(began), want)
			}
		}
		d.stop()
	})
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

// What was accepted together is one burst however short the wait is and whatever the machine does meanwhile.
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
		if n, err := d.runner.Retry(t.Context(), store.RunQuery{ID: dead}); err != nil || len(n) != 1 {
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

// A burst that is not over when evrun stops is read again, and is still one.
func TestARestartWaitsAnew(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(t)
		d := start(t, p, g.handler(tasks.Debounce{Wait: time.Minute, All: true}))
		evs := d.emitMany(600, none)
		wait(30 * time.Second)
		d.stop()
		if n := len(g.seen()); n != 0 {
			t.Fatalf("%d runs before the wait was over", n)
		}
		d = start(t, p, g.handler(tasks.Debounce{Wait: time.Minute, All: true}))
		wait(45 * time.Second)
		if n := len(g.seen()); n != 0 {
			t.Errorf("%d runs before the wait was over again", n)
		}
		evs = append(evs, d.emitMany(3, none)...)
		wait(2 * time.Minute)
		accounted(t, d.settled(603), 603)
		if seen := g.seen(); len(seen) != 1 || !slices.Equal(seen[0].ids, ids(evs)) {
			t.Errorf("%d runs", len(seen))
		}
		d.stop()
	})
}

// Only so many events wait: with more, those that would be due first run at once. The others are in the store only, as they
// came: nothing is settled of them.
func TestTheEventsThatWaitAreBounded(t *testing.T) {
	const n, most = 25_000, 10_000
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(t)
		h := g.handler(tasks.Debounce{Wait: time.Hour, By: by(t, "data.n")})
		h.Concurrency = 64
		d := startWith(t, p, sqlite.Options{Synchronous: "normal"}, h)
		evs := d.emitMany(n, func(i int) string { return fmt.Sprintf(`{"n":%d}`, i) })
		wait(time.Minute)
		runs := d.settled(n - most)
		if len(runs) != n-most+1 { // one makes room for the next
			t.Errorf("%d runs within the wait, want %d", len(runs), n-most+1)
		}
		for i, r := range runs {
			if r.State != store.Succeeded || r.EventID != evs[i].ID {
				t.Fatalf("run %d: %+v", i, r)
			}
		}
		d.stop()
	})
}

// Of large events only so many are given to one run, and their data doesn't wait in memory.
func TestABurstHasBoundedData(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(t)
		d := start(t, p, g.handler(tasks.Debounce{Wait: time.Hour, MaxWait: time.Hour, All: true}))
		large := fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", 1<<20-100))
		var evs []*events.Event
		for range 11 {
			evs = append(evs, d.emitMany(1, func(int) string { return large })...)
		}
		wait(2 * time.Hour)
		accounted(t, d.settled(11), 11)
		var all []string
		seen := g.seen()
		slices.SortFunc(seen, func(a, b burstSeen) int { return strings.Compare(a.event, b.event) })
		for _, s := range seen {
			if all = append(all, s.ids...); len(s.ids) > 5 {
				t.Errorf("a run saw %d of 1 MiB each", len(s.ids))
			}
		}
		if len(seen) != 3 || !slices.Equal(all, ids(evs)) {
			t.Errorf("%d runs saw %v", len(seen), all)
		}
		d.stop()
	})
}

// While a rate or busy attempts hold bursts up, they gather on; each run takes one token.
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

// crashes has the store's files copied at points of its transactions: what a crash there would leave.
type crashes struct {
	dir, path string
	every     int64
	seen      atomic.Int64
	images    []string
}

func (c *crashes) at(t *testing.T) func(sqlite.Point) {
	return func(p sqlite.Point) {
		if n := c.seen.Add(1); n%c.every != 0 {
			return
		}
		image := filepath.Join(c.dir, fmt.Sprintf("%03d-%s.db", len(c.images), strings.ReplaceAll(string(p), " ", "-")))
		for _, part := range []string{"", "-wal"} {
			if err := copyFile(image+part, c.path+part); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		}
		c.images = append(c.images, image)
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Wherever it crashes, after the next start each event is in one burst: none lost, none in two.
func TestACrashNeitherLosesNorDoublesAnEventOfABurst(t *testing.T) {
	for name, action := range map[string]func(g *gatherer) tasks.Action{
		"outside": func(g *gatherer) tasks.Action { return g },
		"inside": func(g *gatherer) tasks.Action {
			return insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
				_, err := g.Do(context.Background(), d)
				if err != nil {
					return nil, err
				}
				return func(tx store.Tx) (any, error) {
					if d.Attempt == 1 && d.Event.Sequence%2 == 0 {
						return nil, errors.New("not at first")
					}
					_, err := tx.InsertUser(store.User{Name: "x", Email: d.RunID + "@example.com"}, store.Fail)
					return nil, err
				}, nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			handler := func(g *gatherer) *tasks.Handler {
				h := g.handler(tasks.Debounce{Wait: 2 * time.Millisecond, MaxWait: 5 * time.Millisecond, By: by(t, "data.n % 5"), All: true})
				h.Action = action(g)
				return h
			}
			c := &crashes{dir: t.TempDir(), path: path(t), every: 7}
			g := newGatherer(t)
			d := startWith(t, c.path, sqlite.Options{At: c.at(t)}, handler(g))
			for i := range 60 {
				d.emitMany(3, func(j int) string { return fmt.Sprintf(`{"n":%d}`, i+j) })
			}
			d.settled(180)
			d.stop()
			if len(c.images) < 20 {
				t.Errorf("only %d images", len(c.images))
			}
			for i, image := range c.images {
				if !storetest.Long() && i%4 != 0 {
					continue
				}
				survives(t, image, func() (*tasks.Handler, *gatherer) {
					g := newGatherer(t)
					return handler(g), g
				})
			}
		})
	}
}

// survives starts evrun on what a crash left.
func survives(t *testing.T, image string, handler func() (*tasks.Handler, *gatherer)) {
	t.Helper()
	before := map[int64]store.Run{}
	if s, err := sqlite.OpenReader(image); err == nil {
		runs, err := s.Runs(t.Context(), store.RunQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			before[r.Sequence] = r
		}
		s.Close()
	}
	h, g := handler()
	h.FromStart = true // the handler may not be registered yet
	d := start(t, image, h)
	head, err := d.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runs := d.settled(int(head))
	bursts := accounted(t, runs, int(head))
	for _, s := range g.seen() {
		if !slices.Equal(s.ids, bursts[s.run]) {
			t.Errorf("%s: run %s saw %v, and %v joined it", filepath.Base(image), s.run, s.ids, bursts[s.run])
		}
	}
	for _, r := range runs {
		if was, ok := before[r.Sequence]; ok && was.Joined != r.Joined {
			t.Errorf("%s: #%d had joined #%d, and now #%d", filepath.Base(image), r.Sequence, was.Joined, r.Joined)
		}
		if r.State != store.Skipped && r.State != store.Succeeded {
			t.Errorf("%s: %+v", filepath.Base(image), r)
		}
	}
	if _, outside := h.Action.(tasks.Outside); !outside {
		if n := users(t, d); int(n) != len(bursts) {
			t.Errorf("%s: %d users of %d runs", filepath.Base(image), n, len(bursts))
		}
	}
	d.stop()
}
