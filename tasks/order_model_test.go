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

// gate is an action for which the test decides how each attempt ends.
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

// of returns the channel that ends the running attempt of a sequence; nil: none runs.
func (g *gate) of(seq int64) chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.flying[seq]
}

// end ends the attempt of a sequence, and waits until it has returned.
func (g *gate) end(seq int64, err error) {
	end := g.of(seq)
	end <- err
	for g.of(seq) == end { // the next attempt may have begun
		wait(50 * time.Microsecond)
	}
}

// endAll ends all running attempts as failed, and those that begin before the next call of begin.
func (g *gate) endAll() { close(g.killed) }

func (g *gate) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying, g.killed = map[int64]chan error{}, make(chan struct{})
}

// orderModel is a model of an ordered handler: for each key the lowest unfinished stored run comes first, then the lowest event without a run. A
// running attempt is not interrupted.
type orderModel struct {
	keys map[string]map[int64]string // the state of each sequence: new, flying, pending, dead, done
}

// settle begins the next attempt of each key, and returns all running ones.
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

// Random histories of an ordered handler: events, attempts that succeed, fail, and die, dead runs that are retried by hand, kills, and replaced
// wirings. At every moment the running attempts are those of the model; in the end all is done.
func TestOrderFollowsTheModel(t *testing.T) {
	seeds, steps := storetest.Size(t, "", 3, 12), storetest.Size(t, "", 40, 60)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { followModel(t, uint64(seed), steps, false) })
	}
}

// The same with room for few stored runs in memory: the others wait in the store, and no event begins before they have been read.
func TestOrderWithLittleRoomFollowsTheModel(t *testing.T) {
	defer tasks.MaxHeldKeys(4)()
	seeds, steps := storetest.Size(t, "", 3, 12), storetest.Size(t, "", 40, 60)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { followModel(t, uint64(seed), steps, true) })
	}
}

// orderHistory is a random history of an ordered handler, beside the model of it.
type orderHistory struct {
	t      *testing.T
	rnd    *rand.Rand
	by     *expression.Expr
	little bool // there is not room for all keys
	file   string
	d      *daemon
	g      *gate
	m      *orderModel
	could  []int64  // could begin before the last step
	steps  []string // taken
	wiring int      // its version
}

func followModel(t *testing.T, seed uint64, steps int, little bool) {
	h := &orderHistory{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), by: by(t, "event.subject"), little: little, file: path(t), g: &gate{},
		m: &orderModel{keys: map[string]map[int64]string{"a": {}, "b": {}, "c": {}}},
	}
	h.g.begin()
	h.d = start(t, h.file, h.handler())
	defer func() { h.g.endAll() }()
	for range steps {
		h.step()
	}
	h.converge()
	h.retry(h.m.all("dead"))
	h.note("the rest succeeds")
	for flying := h.converge(); len(flying) > 0; flying = h.converge() {
		h.verdict(flying[0], 0)
	}
	done := len(h.m.all("done"))
	runs := h.d.settled(done)
	if done != len(runs) {
		t.Errorf("%d runs, and %d are done", len(runs), done)
	}
	for _, run := range runs {
		if run.State != store.Succeeded {
			t.Errorf("run %+v", run)
		}
	}
	if len(h.g.twice) > 0 {
		t.Errorf("two attempts at a time: %v", h.g.twice)
	}
}

func (h *orderHistory) handler() *tasks.Handler {
	h.wiring++
	return &tasks.Handler{Name: "h", Version: fmt.Sprint(h.wiring), On: on("x"), Action: h.g, OrderBy: h.by, Concurrency: 64,
		Retry: tasks.Retry{Attempts: 1 << 30, Backoff: time.Nanosecond, Max: time.Nanosecond}}
}

func (h *orderHistory) note(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

// step takes a random step.
func (h *orderHistory) step() {
	h.t.Helper()
	flying := h.converge()
	switch n := h.rnd.IntN(20); {
	case n < 6:
		for range 1 + h.rnd.IntN(3) {
			key := string(rune('a' + h.rnd.IntN(3)))
			e := &events.Event{Type: "x", Source: "/test", Subject: key}
			if _, err := h.d.emitter.Emit(context.Background(), e); err != nil {
				h.t.Fatal(err)
			}
			h.note("emit %d for %s", e.Sequence, key)
			h.m.keys[key][e.Sequence] = "new"
		}
	case n < 14 && len(flying) > 0:
		h.verdict(flying[h.rnd.IntN(len(flying))], h.rnd.IntN(10))
	case n < 17:
		dead := h.m.all("dead")
		h.rnd.Shuffle(len(dead), func(i, j int) { dead[i], dead[j] = dead[j], dead[i] })
		h.retry(dead[:min(len(dead), 1+h.rnd.IntN(4))])
	case n < 19:
		h.note("kill")
		h.reached(h.m.all("done"), store.Succeeded) // otherwise they are repeated
		h.reached(h.m.all("dead"), store.Dead)
		h.g.endAll()
		h.d.kill()
		h.interrupted()
		h.g.begin()
		h.d = start(h.t, h.file, h.handler())
	default:
		h.note("replace")
		if _, err := h.d.runner.Replace(context.Background(), []*tasks.Handler{h.handler()}, tasks.Along{}); err != nil {
			h.t.Fatal(err)
		}
		old := h.g.now()
		h.interrupted()
		for _, seq := range old {
			h.g.end(seq, errors.New("the wiring is replaced"))
		}
	}
}

// converge waits until the running attempts are those of the model.
func (h *orderHistory) converge() []int64 {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		want, got := h.m.settle(), h.g.now()
		if h.agree(want, got) {
			h.could = want
			for _, seq := range got {
				h.m.set(seq, "flying")
			}
			return got
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%v are under way, want %v\n%v\nhistory: %q", got, want, h.m.keys, h.steps)
		}
		wait(100 * time.Microsecond)
	}
}

// agree compares the running attempts with the model's. With little room in memory, some may wait for room, and some that could begin before the last
// step may have begun.
func (h *orderHistory) agree(want, got []int64) bool {
	if !h.little {
		return slices.Equal(got, want)
	}
	if len(got) == 0 && len(want) > 0 || slices.ContainsFunc(got, func(seq int64) bool {
		return !slices.Contains(want, seq) && !slices.Contains(h.could, seq)
	}) {
		return false
	}
	// Nor is any attempt between its beginning and its gate.
	status, err := h.d.runner.HandlerStatuses(context.Background())
	return err == nil && status[0].Running == len(got) && slices.Equal(got, h.g.now())
}

func (h *orderHistory) interrupted() {
	for _, seq := range h.m.all("flying") {
		h.m.set(seq, "pending")
	}
}

func (h *orderHistory) verdict(seq int64, n int) {
	switch {
	case n < 4:
		h.note("%d succeeds", seq)
		h.m.set(seq, "done")
		h.g.end(seq, nil)
	case n < 7:
		h.note("%d fails", seq)
		h.m.set(seq, "pending")
		h.g.end(seq, errors.New("not yet"))
	default:
		h.note("%d dies", seq)
		h.m.set(seq, "dead")
		h.g.end(seq, tasks.Permanent(errors.New("never")))
	}
}

// reached waits until the store has runs in a state.
func (h *orderHistory) reached(list []int64, state store.RunState) {
	for _, seq := range list {
		for {
			run, err := h.d.store.FindRun(context.Background(), store.RunID(seq, "h", h.d.store.ID()))
			if err == nil && run.State == state {
				break
			}
			wait(50 * time.Microsecond)
		}
	}
}

func (h *orderHistory) retry(list []int64) {
	h.t.Helper()
	h.reached(list, store.Dead)
	for _, seq := range list {
		h.note("retry %d", seq)
		h.m.set(seq, "pending")
		runs, err := h.d.runner.Retry(context.Background(), store.Change{Query: store.RunQuery{ID: store.RunID(seq, "h", h.d.store.ID())}})
		if err != nil || len(runs) != 1 {
			h.t.Fatalf("retry %d: %v, %v", seq, runs, err)
		}
		h.converge() // it may be under way before the next one is retried
	}
}
