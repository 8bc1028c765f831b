package tasks_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"evrun/store"
	"evrun/store/sqlite"
)

// broker gives the slots of a store's handlers to the daemons that share it, as a test wants.
type broker struct {
	t        testing.TB
	s        *sqlite.Store
	mu       sync.Mutex
	handlers map[store.HandlerID]*brokered
	nodes    int64
	moves    int
}

// brokered is what the broker knows of a handler.
type brokered struct {
	holder [store.SlotCount]*brokerLease
	marks  [store.SlotCount]int64
	taken  int64 // the least of marks that the store knows
	leases []*brokerLease
}

// sharer is the store as one of the daemons sees it.
type sharer struct {
	store.Store
	b     *broker
	fence sync.RWMutex // held while the daemon loses its leases, and while it writes
	node  int64
}

type brokerLease struct {
	s      *sharer
	of     *brokered
	id     store.HandlerID
	c      chan struct{}
	change store.LeaseChange
	closed bool
}

func (b *broker) share() *sharer {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes++
	return &sharer{Store: b.s, b: b, node: b.nodes}
}

func (s *sharer) Nodes(context.Context) ([]store.Node, error) { return make([]store.Node, 2), nil }

func (s *sharer) Hold(_ context.Context, c store.Consumer, _ store.Division) (store.Lease, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	of := s.b.handlers[c.ID]
	if of == nil {
		of = &brokered{taken: c.LowWater}
		for i := range of.marks {
			of.marks[i] = c.LowWater
		}
		s.b.handlers[c.ID] = of
	}
	l := &brokerLease{s: s, of: of, id: c.ID, c: make(chan struct{}, 1)}
	of.leases = append(of.leases, l)
	return l, nil
}

func (s *sharer) Start(ctx context.Context, claims []store.Claim) ([]bool, error) {
	s.fence.RLock()
	defer s.fence.RUnlock()
	if claims[0].Node != s.node {
		return make([]bool, len(claims)), nil
	}
	return s.Store.Start(ctx, claims)
}

func (s *sharer) Settle(ctx context.Context, b store.SettleBatch) ([]store.Settled, error) {
	s.fence.RLock()
	defer s.fence.RUnlock()
	if b.Node != s.node {
		out := make([]store.Settled, len(b.Settlements))
		for i := range out {
			out[i].Fenced = true
		}
		return out, nil
	}
	marks := b.Marks
	if b.Marks = nil; len(b.Settlements) > 0 {
		out, err := s.Store.Settle(ctx, b)
		if err != nil {
			return out, err
		}
		s.b.moveMarks(s, marks)
		return out, nil
	}
	s.b.moveMarks(s, marks)
	return nil, nil
}

// moveMarks moves the marks of slots that the daemon has.
func (b *broker) moveMarks(s *sharer, marks []store.Mark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range marks {
		h := b.handlers[m.Handler]
		for slot, l := range h.holder {
			if l != nil && l.s == s && m.Slots.Has(slot) {
				h.marks[slot] = max(h.marks[slot], m.LowWater)
			}
		}
		if low := slices.Min(h.marks[:]); low > h.taken {
			h.taken = low
			if _, err := b.s.Settle(context.Background(), store.SettleBatch{Marks: []store.Mark{{Handler: m.Handler, LowWater: low}}}); err != nil {
				b.t.Error(err)
			}
		}
	}
}

func (l *brokerLease) C() <-chan struct{} { return l.c }

func (l *brokerLease) Take() store.LeaseChange {
	l.s.b.mu.Lock()
	defer l.s.b.mu.Unlock()
	c := l.change
	l.change = store.LeaseChange{}
	return c
}

func (l *brokerLease) Give(slots store.Slots) {
	l.s.b.mu.Lock()
	defer l.s.b.mu.Unlock()
	l.free(slots)
}

func (l *brokerLease) free(slots store.Slots) {
	for slot, h := range l.of.holder {
		if h == l && slots.Has(slot) {
			l.of.holder[slot] = nil
		}
	}
}

func (l *brokerLease) Close() {
	l.s.b.mu.Lock()
	defer l.s.b.mu.Unlock()
	l.free(store.AllSlots)
	l.closed = true
	l.of.leases = slices.DeleteFunc(l.of.leases, func(o *brokerLease) bool { return o == l })
}

func (l *brokerLease) held() (slots store.Slots) {
	for slot, h := range l.of.holder {
		if h == l {
			slots |= 1 << slot
		}
	}
	return slots
}

func (l *brokerLease) tell() {
	select {
	case l.c <- struct{}{}:
	default:
	}
}

// grant gives free slots to a lease. b.mu is held.
func (b *broker) grant(l *brokerLease, slots store.Slots) {
	g := store.Grant{LowWater: 1 << 60, Node: l.s.node}
	for slot, h := range l.of.holder {
		if h == nil && slots.Has(slot) {
			l.of.holder[slot] = l
			g.Slots |= 1 << slot
			g.LowWater = min(g.LowWater, l.of.marks[slot])
		}
	}
	if g.Slots == 0 {
		return
	}
	b.moves++
	l.change.Gained = append(l.change.Gained, g)
	l.tell()
}

// move moves slots at random.
func (b *broker) move(rnd *rand.Rand) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.handlers {
		if len(h.leases) == 0 {
			continue
		}
		l := h.leases[rnd.IntN(len(h.leases))]
		slots := store.Slots(rnd.Uint64() | rnd.Uint64()<<1)
		if rnd.IntN(3) == 0 {
			slots = store.AllSlots
		}
		if rnd.IntN(3) > 0 {
			b.grant(l, slots)
			continue
		}
		if asked := slots & l.held(); asked != 0 {
			l.change.Asked |= asked
			l.tell()
		}
	}
}

// lose ends a daemon's node, while it writes nothing; it goes on as another node.
func (b *broker) lose(s *sharer) {
	s.fence.Lock()
	defer s.fence.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.handlers {
		for _, l := range h.leases {
			if l.s == s {
				lost := l.held()
				l.free(lost)
				l.change.Lost |= lost
				for _, g := range l.change.Gained {
					l.change.Lost &^= g.Slots // not taken yet
				}
				l.change.Gained, l.change.Asked = nil, 0
				l.tell()
			}
		}
	}
	b.nodes++
	s.node = b.nodes
}

// check checks that no mark has passed an event without a run.
func (b *broker) check(t *testing.T, subjects map[int64]string) {
	for id, h := range b.handlers {
		evs, err := store.AllEvents(t.Context(), b.s, store.EventQuery{Patterns: on("x"), WithoutRun: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range evs {
			t.Errorf("handler %d has no run on #%d of %s; marks %d", id, e.Sequence, subjects[e.Sequence], slices.Min(h.marks[:]))
		}
	}
}
