package queue

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

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
			for seed := range min(seeds(), 1000) {
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
