package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// gate is an action whose attempts are told by the test how they end.
type gate struct {
	mu     sync.Mutex
	flying map[int64]chan error // by sequence
	twice  []int64              // two attempts at a time
	killed chan struct{}
}

func (g *gate) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	end, seq := make(chan error, 1), d.Event.Sequence
	g.mu.Lock()
	killed := g.killed
	if g.flying[seq] != nil {
		g.twice = append(g.twice, seq)
	}
	g.flying[seq] = end
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.flying, seq)
	}()
	select {
	case err := <-end:
		return nil, err
	case <-killed:
		return nil, errors.New("killed")
	}
}

func (g *gate) now() []int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.flying))
}

// end ends the attempt of a sequence, and waits until it has returned.
func (g *gate) end(seq int64, err error) {
	g.mu.Lock()
	end := g.flying[seq]
	g.mu.Unlock()
	end <- err
	for slices.Contains(g.now(), seq) {
		wait(50 * time.Microsecond)
	}
}

// endAll ends all attempts that are under way, as failed, and those that begin until the next call of begin.
func (g *gate) endAll() { close(g.killed) }

func (g *gate) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying, g.killed = map[int64]chan error{}, make(chan struct{})
}

// orderModel says what an ordered handler has to do: of each key the lowest run that is stored and not over comes first, then
// the lowest event without a run; an attempt under way is not interrupted.
type orderModel struct {
	keys map[string]map[int64]string // what became of each sequence: new, flying, pending, dead, done
}

// settle begins what comes next of each key, and returns all that is under way.
func (m *orderModel) settle() (flying []int64) {
	for _, runs := range m.keys {
		next := int64(0)
		for _, state := range []string{"flying", "pending", "new"} {
			for seq, s := range runs {
				if s == state && (next == 0 || seq < next) {
					next = seq
				}
			}
			if next != 0 {
				flying = append(flying, next)
				break
			}
		}
	}
	slices.Sort(flying)
	return flying
}

func (m *orderModel) set(seq int64, state string) {
	for _, runs := range m.keys {
		if _, ok := runs[seq]; ok {
			runs[seq] = state
		}
	}
}

func (m *orderModel) all(state string) (list []int64) {
	for _, runs := range m.keys {
		for seq, s := range runs {
			if s == state {
				list = append(list, seq)
			}
		}
	}
	slices.Sort(list)
	return list
}

// Random histories of an ordered handler: events, attempts that succeed, fail, and die, dead runs that are retried by hand,
// kills, and replaced wirings. At every moment what is under way is what the model says; and in the end all is done.
func TestOrderFollowsTheModel(t *testing.T) {
	seeds, steps := storetest.Size(t, "", 3, 12), storetest.Size(t, "", 40, 60)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { followModel(t, uint64(seed), steps, false) })
	}
}

// The same with room for few stored runs in memory: the others wait in the store, and no event begins before they are known.
func TestOrderWithLittleRoomFollowsTheModel(t *testing.T) {
	defer tasks.MaxHeldKeys(4)()
	seeds, steps := storetest.Size(t, "", 3, 12), storetest.Size(t, "", 40, 60)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { followModel(t, uint64(seed), steps, true) })
	}
}

func followModel(t *testing.T, seed uint64, steps int, little bool) {
	r := rand.New(rand.NewPCG(seed, 1))
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	version := 0
	handler := func() *tasks.Handler {
		version++
		return &tasks.Handler{Name: "h", Version: fmt.Sprint(version), On: on("x"), Action: g, OrderBy: by, Concurrency: 64,
			Retry: tasks.Retry{Attempts: 1 << 30, Backoff: time.Nanosecond, Max: time.Nanosecond}}
	}
	p := path(t)
	g.begin()
	d := start(t, p, handler())
	defer func() { g.endAll() }()
	m := &orderModel{keys: map[string]map[int64]string{"a": {}, "b": {}, "c": {}}}
	var history []string
	var could []int64
	// converge waits until what is under way is what the model has.
	converge := func() []int64 {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for {
			want, got := m.settle(), g.now()
			ok := slices.Equal(got, want)
			if little { // the others wait for room; what could begin before the last step may have done so
				ok = (len(got) > 0 || len(want) == 0) && !slices.ContainsFunc(got, func(seq int64) bool {
					return !slices.Contains(want, seq) && !slices.Contains(could, seq)
				})
				// Nor is any attempt between its beginning and its gate.
				status, err := d.runner.Status(context.Background())
				ok = ok && err == nil && status[0].Running == len(got) && slices.Equal(got, g.now())
			}
			if ok {
				could = want
				for _, seq := range got {
					m.set(seq, "flying")
				}
				return got
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v are under way, want %v\n%v\nhistory: %q", got, want, m.keys, history)
			}
			wait(100 * time.Microsecond)
		}
	}
	interrupted := func() {
		for _, seq := range m.all("flying") {
			m.set(seq, "pending")
		}
	}
	note := func(format string, args ...any) { history = append(history, fmt.Sprintf(format, args...)) }
	verdict := func(seq int64, n int) {
		switch {
		case n < 4:
			note("%d succeeds", seq)
			m.set(seq, "done")
			g.end(seq, nil)
		case n < 7:
			note("%d fails", seq)
			m.set(seq, "pending")
			g.end(seq, errors.New("not yet"))
		default:
			note("%d dies", seq)
			m.set(seq, "dead")
			g.end(seq, tasks.Permanent(errors.New("never")))
		}
	}
	// reached waits until the store has runs in a state: they are being settled.
	reached := func(list []int64, state store.RunState) {
		for _, seq := range list {
			for {
				run, err := d.store.FindRun(context.Background(), store.RunID(seq, "h", d.store.ID()))
				if err == nil && run.State == state {
					break
				}
				wait(50 * time.Microsecond)
			}
		}
	}
	retry := func(list []int64) {
		reached(list, store.Dead)
		for _, seq := range list {
			note("retry %d", seq)
			m.set(seq, "pending")
			runs, err := d.runner.Retry(context.Background(), store.RunQuery{ID: store.RunID(seq, "h", d.store.ID())})
			if err != nil || len(runs) != 1 {
				t.Fatalf("retry %d: %v, %v", seq, runs, err)
			}
			converge() // it may be under way before the next one is retried
		}
	}
	for range steps {
		flying := converge()
		switch n := r.IntN(20); {
		case n < 6:
			for range 1 + r.IntN(3) {
				key := string(rune('a' + r.IntN(3)))
				e := &events.Event{Type: "x", Source: "/test", Subject: key}
				if _, err := d.emitter.Emit(context.Background(), e); err != nil {
					t.Fatal(err)
				}
				note("emit %d for %s", e.Sequence, key)
				m.keys[key][e.Sequence] = "new"
			}
		case n < 14 && len(flying) > 0:
			verdict(flying[r.IntN(len(flying))], r.IntN(10))
		case n < 17:
			dead := m.all("dead")
			r.Shuffle(len(dead), func(i, j int) { dead[i], dead[j] = dead[j], dead[i] })
			retry(dead[:min(len(dead), 1+r.IntN(4))])
		case n < 19:
			note("kill")
			reached(m.all("done"), store.Succeeded) // else they are done again
			reached(m.all("dead"), store.Dead)
			g.endAll()
			d.kill()
			interrupted()
			g.begin()
			d = start(t, p, handler())
		default:
			note("replace")
			if _, err := d.runner.Replace(context.Background(), []*tasks.Handler{handler()}, tasks.Along{}); err != nil {
				t.Fatal(err)
			}
			old := g.now()
			interrupted()
			for _, seq := range old {
				g.end(seq, errors.New("the wiring is replaced"))
			}
		}
	}
	converge()
	retry(m.all("dead"))
	note("the rest succeeds")
	for {
		flying := converge()
		if len(flying) == 0 {
			break
		}
		verdict(flying[0], 0)
	}
	if left := len(m.all("done")); left != len(d.settled(left)) {
		t.Errorf("%d are done", left)
	}
	for _, run := range d.settled(len(m.all("done"))) {
		if run.State != store.Succeeded {
			t.Errorf("run %+v", run)
		}
	}
	if len(g.twice) > 0 {
		t.Errorf("two attempts at a time: %v", g.twice)
	}
}
