package tasks_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/taskstest"
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

// sharing is a runner on a shared store.
type sharing struct {
	s      *sharer
	bus    *events.Bus
	feed   chan []*events.Event
	runner *tasks.Runner
	stop   func()
}

func doneBy(t testing.TB, name string) []emission.Entry {
	typ, err := expression.CompileTemplate("done."+name, expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	return []emission.Entry{{Type: typ}}
}

// Two runners share a store. Their slots move at random, while events come in, attempts fail, runners are stopped, and nodes lose their leases. Each event
// has exactly one effect of each handler, keys keep their order, and nothing is lost.
func TestRunnersShareAStore(t *testing.T) {
	seeds := 2
	if storetest.Long() {
		seeds = 30
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { share(t, uint64(seed)) })
	}
}

func share(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 11))
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	var attempts, lost atomic.Int64
	chance := func(n int) bool { return rand.IntN(n) == 0 } // by any goroutine
	outside := outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
		attempts.Add(1)
		if chance(3) {
			select {
			case <-time.After(3 * time.Millisecond):
			case <-ctx.Done():
				lost.Add(1)
				return nil, ctx.Err()
			}
		}
		if chance(20) {
			return nil, fmt.Errorf("no luck")
		}
		return nil, nil
	})
	inside := insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		if chance(20) {
			return tasks.Effect{}, fmt.Errorf("no luck")
		}
		return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, nil }}, nil
	})
	retry := tasks.Retry{Attempts: 1 << 20, Backoff: time.Nanosecond, Max: time.Nanosecond}
	wiring := func() []*tasks.Handler {
		return []*tasks.Handler{
			{Name: "inside", On: on("x"), Action: inside, Retry: retry, Emit: doneBy(t, "inside")},
			{Name: "inside-ordered", On: on("x"), Action: inside, OrderBy: by, Retry: retry, Emit: doneBy(t, "inside-ordered")},
			{Name: "outside", On: on("x"), Action: outside, Retry: retry, Emit: doneBy(t, "outside")},
			{Name: "ordered", On: on("x"), Action: outside, OrderBy: by, Concurrency: 8, Retry: retry, Emit: doneBy(t, "ordered")},
			{Name: "one", On: on("x"), Action: outside, Concurrency: 1, Retry: retry, Emit: doneBy(t, "one")},
			{Name: "burst", On: on("x"), Action: outside, Retry: retry, Debounce: &tasks.Debounce{Wait: time.Millisecond, By: by, All: true}, Emit: doneBy(t, "burst")},
		}
	}
	var nodes [2]atomic.Pointer[sharing]
	s, closeStore := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{Options: store.Options{OnCommit: func(c store.Commit) {
		for i := range nodes {
			if n := nodes[i].Load(); n != nil && len(c.Events) > 0 {
				n.feed <- c.Events
			}
		}
	}}})
	defer closeStore()
	b := &broker{t: t, s: s, handlers: map[store.HandlerID]*brokered{}}
	start := func(i int) {
		n := &sharing{s: b.share(), bus: events.NewBus(), feed: make(chan []*events.Event, 1<<16)}
		nodes[i].Store(n)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		fed := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case evs := <-n.feed:
					if chance(4) {
						time.Sleep(time.Millisecond) // it hears of it later than others
					}
					n.bus.Publish(evs)
				case <-fed:
					return
				}
			}
		})
		n.runner = tasks.NewRunner(tasks.Options{Store: n.s, Bus: n.bus, Emitter: emitter.New(n.s, 0), Handlers: wiring(), Log: slog.New(slog.DiscardHandler)})
		wg.Go(func() {
			if err := n.runner.Run(ctx); err != nil {
				t.Errorf("runner: %v", err)
			}
		})
		n.stop = sync.OnceFunc(func() {
			stop()
			<-n.runner.Ready()
			nodes[i].CompareAndSwap(n, nil)
			time.AfterFunc(10*time.Millisecond, func() { close(fed) })
			wg.Wait()
			n.bus.Close()
		})
		<-n.runner.Ready()
	}
	for i := range nodes {
		start(i)
	}
	em := emitter.New(s, 0)
	total := 0
	steps := 400
	if storetest.Long() {
		steps = 2000
	}
	for range steps {
		var evs []*events.Event
		for range 1 + rnd.IntN(5) {
			total++
			evs = append(evs, &events.Event{Type: "x", Source: "/test", Subject: string(rune('a' + rnd.IntN(20))), Data: []byte("{}")})
		}
		if _, err := em.Emit(t.Context(), evs...); err != nil {
			t.Fatal(err)
		}
		what, i := rnd.IntN(100), rnd.IntN(2)
		b.move(rnd)
		switch {
		case what < 3:
			b.lose(nodes[i].Load().s)
		case what < 5:
			nodes[i].Load().stop()
			start(i)
		case what < 60:
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	}
	// From now on nothing moves: all that is free is given out.
	names := []string{"inside", "inside-ordered", "outside", "ordered", "one"}
	subjects := map[int64]string{}
	list, err := store.AllEvents(t.Context(), s, store.EventQuery{Patterns: on("x")})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		subjects[e.Sequence] = e.Subject
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		b.mu.Lock()
		for _, h := range b.handlers {
			for slot := range h.holder {
				if len(h.leases) > 0 {
					b.grant(h.leases[slot%len(h.leases)], 1<<slot)
				}
			}
		}
		b.mu.Unlock()
		missing := 0
		for _, name := range names {
			evs, err := store.AllEvents(t.Context(), s, store.EventQuery{Patterns: on("done." + name)})
			if err != nil {
				t.Fatal(err)
			}
			missing += max(0, total-len(evs))
		}
		known, err := s.Handlers(t.Context(), "burst")
		if err != nil {
			t.Fatal(err)
		}
		n, _, err := s.CountWaiting(t.Context(), known[0], list[len(list)-1].Sequence)
		if err != nil {
			t.Fatal(err)
		}
		if missing += int(n); missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%d effects are missing", missing)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for i := range nodes {
		nodes[i].Load().stop()
	}
	for _, name := range names {
		evs, err := store.AllEvents(t.Context(), s, store.EventQuery{Patterns: on("done." + name)})
		if err != nil {
			t.Fatal(err)
		}
		of, last := map[int64]int{}, map[string]int64{}
		for _, e := range evs {
			of[e.Cause]++
			if subject := subjects[e.Cause]; name == "ordered" || name == "inside-ordered" {
				if last[subject] > e.Cause {
					t.Errorf("%s: #%d of %s ended after #%d", name, e.Cause, subject, last[subject])
				}
				last[subject] = e.Cause
			}
		}
		for seq := range subjects {
			if of[seq] != 1 {
				runs, _ := s.Runs(t.Context(), store.RunQuery{Sequence: seq, Handler: name})
				t.Errorf("%s: #%d has %d effects: %+v", name, seq, of[seq], runs)
			}
		}
	}
	b.check(t, subjects)
	t.Logf("%d events, %d moves, %d nodes, %d attempts outside, %d of them lost", total, b.moves, b.nodes, attempts.Load(), lost.Load())
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
