package stream

import (
	"sync"
	"time"
)

// gate lets one filter at a time evaluate its condition, and rests as long as that took: the conditions of all streams together take at most half of
// one processor. It prefers the filter that has taken least, so a slow condition makes itself late and not the others.
type gate struct {
	condition *condition // by whoever is inside

	mu      sync.Mutex
	inside  bool // somebody is, or the gate rests
	waiting []*turn
	floor   time.Duration // what the last one that was let in had taken: who comes anew begins there
	owed    time.Duration // of rest
}

// turn is one who takes turns at a gate: a line, or a filter of history.
type turn struct {
	taken time.Duration // by gate.mu
	let   chan struct{}
}

const (
	slice = 2 * time.Millisecond // how long one evaluates before others may, unless a single evaluation takes longer
	nap   = time.Millisecond     // the shortest rest
)

func newGate() *gate { return &gate{condition: newCondition()} }

func newTurn() *turn { return &turn{let: make(chan struct{}, 1)} }

// some calls one for 0, 1, … below n until a slice of time is used, and returns how often: at least once. It waits for its turn, which comes soon: the
// work of each evaluation is bounded.
func (g *gate) some(t *turn, n int, one func(c *condition, i int)) (done int) {
	g.enter(t)
	began := time.Now()
	for done < n && (done == 0 || time.Since(began) < slice) {
		one(g.condition, done)
		done++
	}
	g.leave(t, time.Since(began))
	return done
}

func (g *gate) enter(t *turn) {
	g.mu.Lock()
	t.taken = max(t.taken, g.floor)
	if !g.inside {
		g.inside, g.floor = true, t.taken
		g.mu.Unlock()
		return
	}
	g.waiting = append(g.waiting, t)
	g.mu.Unlock()
	<-t.let
}

func (g *gate) leave(t *turn, took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.taken += took
	if g.owed += took; g.owed >= nap {
		time.AfterFunc(g.owed, g.open)
		g.owed = 0
		return
	}
	g.next()
}

// open ends a rest.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next()
}

// next needs mu. It lets the one in that has taken least.
func (g *gate) next() {
	if len(g.waiting) == 0 {
		g.inside = false
		return
	}
	least, last := 0, len(g.waiting)-1
	for i, t := range g.waiting {
		if t.taken < g.waiting[least].taken {
			least = i
		}
	}
	t := g.waiting[least]
	g.waiting[least], g.waiting[last] = g.waiting[last], nil
	g.waiting = g.waiting[:last]
	g.floor = max(g.floor, t.taken)
	t.let <- struct{}{}
}
