package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// cluster is a store of one handler with several daemons, whose slots move as the test chooses. Everything is checked against what the store has: an event
// has one effect, its attempts follow each other, keys keep their order, and no mark passes an event without a run.
type cluster struct {
	t *testing.T
	memory
	o       Options
	now     time.Time
	inside  bool
	nodes   []*node
	holder  [store.SlotCount]*node // nil: the slot is free
	marks   [store.SlotCount]int64
	effects map[int64]int
	byHand  map[int64]bool
	small   bool // room for few events
	broken  int  // so many reads fail
	history []string
}

// node is a daemon.
type node struct {
	c       *cluster
	id      int
	bus     *events.Bus
	seen    int // events that its bus has
	q       *Queue
	changed *HandOver
	later   []store.Run // changes by hand that it has not heard of
	flying  map[int64]*Task
	settled map[int64]store.Settled
	grants  []store.Grant
	asked   store.Slots
	frozen  []store.Mark
	moved   int64
}

func newCluster(t *testing.T, o Options, nodes int) *cluster {
	c := &cluster{t: t, memory: memory{runs: map[int64]*store.Run{}}, o: o, now: time.Unix(1e9, 0), effects: map[int64]int{}, byHand: map[int64]bool{}}
	for i := range nodes {
		n := &node{c: c, id: i, bus: events.NewBus()}
		c.nodes = append(c.nodes, n)
	}
	return c
}

func (c *cluster) fatalf(format string, args ...any) {
	c.t.Helper()
	for _, h := range c.history {
		c.t.Log(h)
	}
	c.t.Fatalf(format, args...)
}

func (c *cluster) note(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf(format, args...))
}

// start begins a daemon without slots.
func (n *node) start() {
	o := n.c.o
	n.flying, n.settled, n.changed, n.later = map[int64]*Task{}, map[int64]store.Settled{}, NewHandOver(), nil
	n.grants, n.asked, n.frozen, n.moved = nil, 0, nil, 0
	o.Shared = true
	o.Journal, o.Bus, o.Changed, o.Patterns = n.c, n.bus, n.changed, []events.Pattern{events.MustPattern(">")}
	o.Now = func() time.Time { return n.c.now }
	broken := n.c.broken
	n.c.broken = 0
	q, err := Open(context.Background(), o, store.Consumer{ID: 1, LowWater: slices.Min(n.c.marks[:])})
	if err != nil {
		n.c.t.Fatal(err)
	}
	n.c.broken = broken
	if n.q = q; n.c.small {
		q.order.maxParked, q.order.maxParkedKey = 4, 2
		q.follower.buffer, q.follower.limit = 6, 3
	}
}

// kill ends a daemon: its slots are free, what it had not settled is lost.
func (n *node) kill() {
	n.q.Close()
	n.free(store.AllSlots)
	n.start()
}

func (n *node) free(slots store.Slots) {
	for slot, h := range n.c.holder {
		if h == n && slots.Has(slot) {
			n.c.holder[slot] = nil
		}
	}
}

func (n *node) has() (slots store.Slots) {
	for slot, h := range n.c.holder {
		if h == n {
			slots |= 1 << slot
		}
	}
	return slots
}

// grant gives free slots to a daemon.
func (n *node) grant(slots store.Slots) {
	g := store.Grant{LowWater: 1 << 60}
	for slot, h := range n.c.holder {
		if h == nil && slots.Has(slot) {
			n.c.holder[slot] = n
			g.Slots |= 1 << slot
			g.LowWater = min(g.LowWater, n.c.marks[slot])
		}
	}
	if g.Slots != 0 {
		n.grants = append(n.grants, g)
	}
}

// take gives the queue what was granted.
func (n *node) take() {
	for i := range n.grants {
		g := n.grants[i]
		g.Slots &^= n.q.Busy(g.Slots)
		if g.Slots == 0 {
			continue
		}
		held := n.q.Held()
		if err := n.q.Gain(context.Background(), g); err != nil {
			return
		}
		if n.moved = min(n.moved, g.LowWater); held == 0 {
			n.moved = g.LowWater
		}
		n.grants[i].Slots &^= g.Slots
	}
	n.grants = slices.DeleteFunc(n.grants, func(g store.Grant) bool { return g.Slots == 0 })
}

func (n *node) ungrant(slots store.Slots) {
	for i := range n.grants {
		n.grants[i].Slots &^= slots
	}
}

// ask asks for slots back.
func (n *node) ask(slots store.Slots) {
	slots &= n.has()
	n.ungrant(slots)
	if held := slots & n.q.Held(); held != 0 {
		n.frozen = append(n.frozen, store.Mark{LowWater: max(n.moved, n.q.LowWater(nil)), Slots: held})
	}
	n.q.Leave(slots)
	n.asked |= slots
}

// give gives back what is free of attempts.
func (n *node) give() {
	free := n.asked &^ n.q.Busy(n.asked)
	if free == 0 {
		return
	}
	for _, m := range n.frozen {
		n.c.mark(m)
	}
	n.frozen = nil
	n.asked &^= free
	n.free(free)
}

// lose takes all slots away.
func (n *node) lose() {
	slots := n.has()
	n.ungrant(slots)
	for _, t := range n.q.Leave(slots) {
		t.Lost = true
	}
	n.asked, n.frozen = 0, nil
	n.free(slots)
}

// mark stores a mark: it must be true.
func (c *cluster) mark(m store.Mark) {
	for slot := range c.marks {
		if !m.Slots.Has(slot) {
			continue
		}
		for _, e := range c.events[c.marks[slot]:max(c.marks[slot], m.LowWater)] {
			if c.slot(e) == slot && c.runs[e.Sequence] == nil {
				c.fatalf("the mark %d of slot %d passes #%d, which has no run", m.LowWater, slot, e.Sequence)
			}
		}
		c.marks[slot] = max(c.marks[slot], m.LowWater)
	}
}

func (c *cluster) slot(e *events.Event) int {
	switch {
	case c.o.Single:
		return 0
	case c.o.OrderBy != nil:
		return store.SlotOfKey(e.Subject)
	}
	return store.SlotOf(e.Sequence)
}

// deliver publishes events on the daemon's bus.
func (n *node) deliver(most int) {
	upTo := min(len(n.c.events), n.seen+most)
	if upTo > n.seen {
		n.bus.Publish(slices.Clone(n.c.events[n.seen:upTo]))
		n.seen = upTo
	}
}

// work begins all that can begin.
func (n *node) work() {
	for {
		n.take()
		n.give()
		t, err := n.q.Next(context.Background())
		if err != nil {
			if errors.Is(err, errAway) {
				continue
			}
			n.c.fatalf("%v", err)
		}
		if t == nil {
			live, _ := n.q.Wait()
			select {
			case batch, ok := <-live:
				if err := n.q.Received(batch, ok); err != nil {
					n.c.fatalf("%v", err)
				}
				continue
			default:
			}
			n.give()
			return
		}
		n.begin(t)
	}
}

// begin begins an attempt.
func (n *node) begin(t *Task) {
	c := n.c
	e := c.events[t.Seq-1]
	if h := c.holder[c.slot(e)]; h != n {
		c.fatalf("node %d begins #%d, whose slot %d it does not have", n.id, t.Seq, c.slot(e))
	}
	if n.flying[t.Seq] != nil {
		c.fatalf("node %d was given #%d twice at a time", n.id, t.Seq)
	}
	if t.Err != nil { // interrupted
		n.flying[t.Seq] = t
		return
	}
	n.q.Begin(t)
	if !c.next(t) {
		if !c.byHand[t.Seq] {
			c.fatalf("node %d begins attempt %d of #%d, which is %+v", n.id, t.Attempt, t.Seq, c.runs[t.Seq])
		}
		n.q.End(t)
		n.q.Done(t, store.Settled{Fenced: true})
		return
	}
	c.ordered(t, e)
	n.flying[t.Seq] = t
	if !c.inside {
		c.runs[t.Seq] = &store.Run{Sequence: t.Seq, State: store.Running, Attempt: t.Attempt, Budget: t.Budget, StartedAt: c.now}
		t.Claimed = true
	}
}

// next reports whether an attempt is the next one of its run.
func (c *cluster) next(t *Task) bool {
	run := c.runs[t.Seq]
	switch {
	case run == nil:
		return t.Attempt == 1
	case t.Claimed:
		return run.State == store.Running && run.Attempt == t.Attempt
	}
	return run.State == store.Retrying && run.Attempt == t.Attempt-1
}

// ordered checks that an attempt keeps the order of its key.
func (c *cluster) ordered(t *Task, e *events.Event) {
	if c.o.OrderBy == nil {
		return
	}
	for _, n := range c.nodes {
		for seq, f := range n.flying {
			if _, over := n.settled[seq]; f.Err == nil && !f.Lost && !over && c.events[seq-1].Subject == e.Subject {
				c.fatalf("#%d begins while #%d of its key is under way", t.Seq, seq)
			}
		}
	}
	for _, o := range c.events[:t.Seq-1] {
		run := c.runs[o.Sequence]
		if run == nil && c.runs[t.Seq] != nil {
			continue // stored runs come first
		}
		if o.Subject == e.Subject && (run == nil || !run.State.Ended()) && !c.byHand[o.Sequence] {
			c.fatalf("#%d begins before #%d, which is %+v", t.Seq, o.Sequence, run)
		}
	}
}

// settle stores the end of an attempt with the mark, if the daemon has the slot.
func (n *node) settle(seq int64, out store.Outcome) {
	c, t := n.c, n.flying[seq]
	if t.Lost {
		n.settled[seq] = store.Settled{Fenced: true}
		return
	}
	if !c.next(t) {
		if !c.byHand[seq] {
			c.fatalf("node %d settles attempt %d of #%d, which is %+v", n.id, t.Attempt, seq, c.runs[seq])
		}
		n.settled[seq] = store.Settled{Fenced: true}
		return
	}
	if run := c.runs[seq]; run != nil && run.Cancelling && out.State != store.Succeeded {
		out = store.Outcome{State: store.Cancelled}
	}
	held := n.q.Held()
	mark := max(n.moved, n.q.LowWater([]*Task{t}))
	c.runs[seq] = &store.Run{Sequence: seq, State: out.State, Attempt: t.Attempt, Budget: t.Budget, NextAttemptAt: out.NextAttemptAt}
	if out.State == store.Succeeded {
		if c.effects[seq]++; c.effects[seq] > 1 {
			c.fatalf("#%d has %d effects", seq, c.effects[seq])
		}
	}
	n.settled[seq] = store.Settled{Outcome: out}
	if held != 0 {
		c.mark(store.Mark{LowWater: mark, Slots: held})
		n.moved = mark
	}
}

// end ends an attempt. One that was interrupted has failed.
func (n *node) end(seq int64, out store.Outcome) {
	if t := n.flying[seq]; t.Err == nil {
		n.q.End(t)
	} else {
		out = store.Outcome{State: store.Retrying, NextAttemptAt: n.c.now}
	}
	n.settle(seq, out)
}

func (n *node) answer(seq int64) {
	t := n.flying[seq]
	delete(n.flying, seq)
	out := n.settled[seq]
	delete(n.settled, seq)
	n.q.Done(t, out)
}
