package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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

var errAway = errors.New("the database is away")

// Events and the others fail now and then.
func (c *cluster) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.Events(ctx, q)
}

func (c *cluster) Head(ctx context.Context) (int64, error) {
	if c.fails() {
		return 0, errAway
	}
	return c.memory.Head(ctx)
}

func (c *cluster) Pending(ctx context.Context, h store.HandlerID, slots store.Slots, limit int) ([]store.Run, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.Pending(ctx, h, slots, limit)
}

func (c *cluster) PendingAfter(ctx context.Context, h store.HandlerID, after int64, limit int) ([]store.Run, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.PendingAfter(ctx, h, after, limit)
}

func (c *cluster) Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.Runs(ctx, q)
}

func (c *cluster) fails() bool {
	if c.broken > 0 {
		c.broken--
		return true
	}
	return false
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

// step does something at random.
func (c *cluster) step(rnd *rand.Rand) {
	n := c.nodes[rnd.IntN(len(c.nodes))]
	some := func() store.Slots {
		if c.o.Single && rnd.IntN(2) == 0 {
			return store.AllSlots
		}
		return store.Slots(rnd.Uint64() & []uint64{1<<64 - 1, rnd.Uint64(), rnd.Uint64() & rnd.Uint64()}[rnd.IntN(3)])
	}
	answers := slices.Sorted(maps.Keys(n.settled))
	flying := slices.DeleteFunc(slices.Sorted(maps.Keys(n.flying)), func(seq int64) bool { return slices.Contains(answers, seq) })
	switch k := rnd.IntN(40); {
	case k < 8:
		for range 1 + rnd.IntN(4) {
			e := &events.Event{Type: "x", Subject: string(rune('a' + rnd.IntN(4))), Sequence: int64(len(c.events) + 1), Data: []byte("{}")}
			c.events = append(c.events, e)
			c.note("emit #%d of %s", e.Sequence, e.Subject)
		}
	case k < 13:
		most := 1 + rnd.IntN(6)
		c.note("node %d hears of %d", n.id, most)
		n.deliver(most)
	case k < 22 && len(flying) > 0:
		seq := flying[rnd.IntN(len(flying))]
		out := []store.Outcome{{State: store.Succeeded}, {State: store.Succeeded}, {State: store.Dead}, {State: store.Retrying, NextAttemptAt: c.now.Add(time.Duration(rnd.IntN(3)) * time.Second)}}[rnd.IntN(4)]
		c.note("node %d: #%d is %v", n.id, seq, out.State)
		n.end(seq, out)
	case k < 26 && len(answers) > 0:
		seq := answers[rnd.IntN(len(answers))]
		c.note("node %d knows of #%d", n.id, seq)
		n.answer(seq)
	case k < 31:
		slots := some()
		c.note("node %d is granted %x", n.id, slots)
		n.grant(slots)
	case k < 33:
		slots := some()
		c.note("node %d is asked for %x", n.id, slots)
		n.ask(slots)
	case k == 33:
		c.note("node %d loses all", n.id)
		n.lose()
	case k == 34:
		c.note("node %d is killed", n.id)
		n.kill()
	case k < 37:
		dead := c.in(store.Dead)
		dead = append(dead, c.in(store.Retrying)...)
		if len(dead) == 0 {
			break
		}
		seq := dead[rnd.IntN(len(dead))]
		run := c.runs[seq]
		run.State, run.NextAttemptAt, c.byHand[seq] = store.Retrying, c.now, true
		c.note("#%d is retried at node %d", seq, n.id)
		c.tell(n, *run)
	case k == 37 && rnd.IntN(2) == 0 && len(c.events) > 0:
		seq := 1 + rnd.Int64N(int64(len(c.events)))
		run := c.runs[seq]
		if run == nil {
			run = &store.Run{Sequence: seq}
			c.runs[seq] = run
		} else if run.State.Ended() {
			break
		}
		if run.State == store.Running {
			run.Cancelling = true
		} else {
			run.State, run.NextAttemptAt = store.Cancelled, time.Time{}
		}
		c.note("#%d is cancelled at node %d", seq, n.id)
		c.byHand[seq] = true
		c.tell(n, *run)
	case k == 37:
		n.changed.Tell(n.later)
		n.later = nil
	case k == 38:
		c.broken = rnd.IntN(3)
	default:
		c.now = c.now.Add(time.Second)
	}
	for _, n := range c.nodes {
		if rnd.IntN(2) == 0 {
			n.work()
		}
	}
}

// tell gives a run that a person has changed at a daemon to its queue, and later to the others.
func (c *cluster) tell(at *node, run store.Run) {
	run.ID = fmt.Sprint(run.Sequence)
	for _, n := range c.nodes {
		if n == at {
			n.changed.Give([]store.Run{run})
		} else {
			n.later = append(n.later, run)
		}
	}
}

// in returns the sequences of the runs in a state.
func (c *cluster) in(state store.RunState) (list []int64) {
	for seq, run := range c.runs {
		if run.State == state {
			list = append(list, seq)
		}
	}
	slices.Sort(list)
	return list
}

// finish lets everything succeed.
func (c *cluster) finish() {
	c.broken = 0
	for again := true; again; {
		again = false
		c.now = c.now.Add(5 * time.Second)
		for _, n := range c.nodes {
			n.deliver(len(c.events))
			for seq := range n.settled {
				n.answer(seq)
			}
			for slot, h := range c.holder {
				if h == nil {
					c.nodes[slot%len(c.nodes)].grant(1 << slot)
				}
			}
			for _, seq := range append(c.in(store.Dead), c.in(store.Cancelled)...) {
				run := c.runs[seq]
				run.State, run.NextAttemptAt, c.byHand[seq] = store.Retrying, c.now, true
				c.tell(n, *run)
			}
			n.changed.Tell(n.later)
			n.later = nil
			n.work()
			for _, seq := range slices.Sorted(maps.Keys(n.flying)) {
				again = true
				n.end(seq, store.Outcome{State: store.Succeeded})
				n.answer(seq)
			}
			n.work()
		}
		for _, n := range c.nodes {
			again = again || len(n.flying)+len(n.grants)+len(n.later) > 0
		}
		again = again || slices.Contains(c.holder[:], nil) || len(c.in(store.Dead))+len(c.in(store.Cancelled)) > 0
	}
	for _, e := range c.events {
		if run := c.runs[e.Sequence]; run == nil || run.State != store.Succeeded || c.effects[e.Sequence] != 1 {
			n := c.holder[c.slot(e)]
			c.note("held by node %d: %x %x asked %x, granted %v, active %v, running %d, unread %v, order upTo %d, clock %v, horizon %v, after %d, interrupted %d", n.id, n.has(), n.q.Held(), n.asked, n.grants, n.q.active, n.q.running, n.q.unread, n.q.order.upTo, n.q.clock.items, n.q.clock.horizon, n.q.follower.after, len(n.q.interrupted))
			c.fatalf("#%d of %s, slot %d, is %+v with %d effects", e.Sequence, e.Subject, c.slot(e), run, c.effects[e.Sequence])
		}
	}
}

// Random histories of slots that move between three daemons, which hear of events at different times: no event is lost, none has two effects, keys keep
// their order, and marks are true.
func TestRandomHistoriesOfSlots(t *testing.T) {
	for name, test := range map[string]struct {
		o     Options
		small bool
	}{
		"no order":              {o: Options{Concurrency: 3}},
		"no order, little room": {o: Options{Concurrency: 3}, small: true},
		"order":                 {o: Options{Concurrency: 3, OrderBy: bySubject}},
		"order, little room":    {o: Options{Concurrency: 2, OrderBy: bySubject}, small: true},
		"order, few keys":       {o: Options{Concurrency: 3, OrderBy: bySubject, MaxKeys: 3}, small: true},
		"single":                {o: Options{Concurrency: 1, Single: true}},
		"single, order":         {o: Options{Concurrency: 2, Single: true, OrderBy: bySubject}, small: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range 5 * seeds() {
				rnd := rand.New(rand.NewPCG(seed, 7))
				c := newCluster(t, test.o, 3)
				c.small, c.inside = test.small, seed%2 == 1
				c.note("seed %d", seed)
				for _, n := range c.nodes {
					n.start()
				}
				for range 150 {
					c.step(rnd)
				}
				c.finish()
				for _, n := range c.nodes {
					n.q.Close()
				}
			}
		})
	}
}
