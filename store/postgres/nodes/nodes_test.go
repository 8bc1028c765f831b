package nodes_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/postgres/nodes"
	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/schema"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// group is the daemons of a test, each with one handler or more.
type group struct {
	t    *testing.T
	dsn  string
	pool *pgxpool.Pool // the test's own

	mu      sync.Mutex
	members []*nodes.Member
}

// newGroup makes a database with a number of handlers, 1 to n.
func newGroup(t *testing.T, handlers int) *group {
	g := &group{t: t, dsn: postgrestest.Database(t)}
	c, err := pgx.Connect(t.Context(), g.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := schema.Migrate(t.Context(), c, func() string { return "abcdefgh" }); err != nil {
		t.Fatal(err)
	}
	g.pool = g.newPool()
	g.exec(`INSERT INTO evrun.handlers (name, active, since) SELECT 'h' || i, true, 0 FROM generate_series(1, $1::int) i`, handlers)
	g.exec(`INSERT INTO evrun.shares (handler, slots, low_water) SELECT id, -1, 0 FROM evrun.handlers`)
	return g
}

func (g *group) newPool() *pgxpool.Pool {
	pool, err := pgxpool.New(context.Background(), g.dsn)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(pool.Close)
	return pool
}

func (g *group) exec(query string, args ...any) {
	g.t.Helper()
	if _, err := g.pool.Exec(context.Background(), query, args...); err != nil {
		g.t.Fatal(err)
	}
}

// join starts a daemon.
func (g *group) join(name string) *nodes.Member {
	g.t.Helper()
	m, err := nodes.Join(g.t.Context(), nodes.Options{Pool: g.newPool(), Writers: 2, Node: store.Node{Name: name, Version: "v1", Labels: []string{"l"}}, Notify: g.wake})
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = append(g.members, m)
	g.t.Cleanup(func() { g.leave(m) })
	return m
}

func (g *group) leave(m *nodes.Member) {
	if err := m.Leave(); err != nil {
		g.t.Error(err)
	}
}

// wake passes notifications on.
func (g *group) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.members {
		m.Wake()
	}
}

// worker follows a lease as a daemon's queue does: what it is asked for, it gives at once.
type worker struct {
	lease store.Lease
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu    sync.Mutex
	has   store.Slots
	lost  store.Slots
	marks map[int]int64
}

func (g *group) hold(m *nodes.Member, id store.HandlerID, d store.Division) *worker {
	g.t.Helper()
	lease, err := m.Hold(g.t.Context(), store.Consumer{ID: id, Name: "h"}, d)
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &worker{lease: lease, stop: stop, marks: map[int]int64{}}
	w.done.Go(func() {
		for {
			select {
			case <-lease.C():
			case <-ctx.Done():
				return
			}
			w.mu.Lock()
			c := lease.Take()
			for _, gain := range c.Gained {
				if w.has&gain.Slots != 0 {
					g.t.Errorf("slots were gained twice: %x", w.has&gain.Slots)
				}
				w.has |= gain.Slots
				for slot := range store.SlotCount {
					if gain.Slots.Has(slot) {
						w.marks[slot] = gain.LowWater
					}
				}
			}
			w.has &^= c.Lost
			w.lost |= c.Lost
			give := c.Asked & w.has
			w.has &^= give
			w.mu.Unlock()
			if give != 0 {
				lease.Give(give)
			}
		}
	})
	g.t.Cleanup(w.end)
	return w
}

func (w *worker) end() {
	w.stop()
	w.done.Wait()
}

func (w *worker) close() {
	w.end()
	w.lease.Close()
}

func (w *worker) slots() store.Slots {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.has
}

// eventually waits until a condition holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func lens(workers ...*worker) (lens []int, all store.Slots) {
	for _, w := range workers {
		has := w.slots()
		if has&all != 0 {
			return nil, 0 // two hold a slot: of a lost node, for a moment
		}
		all |= has
		lens = append(lens, has.Len())
	}
	return lens, all
}

func TestSlotsAreSharedEvenly(t *testing.T) {
	g := newGroup(t, 1)
	a := g.join("a")
	wa := g.hold(a, 1, store.Division{})
	eventually(t, 2*time.Second, "the only daemon has all slots", func() bool { return wa.slots() == store.AllSlots })
	g.exec(`UPDATE evrun.shares SET low_water = 7 WHERE handler = 1`)

	b := g.join("b")
	wb := g.hold(b, 1, store.Division{})
	eventually(t, 2*time.Second, "two have a half each", func() bool {
		n, all := lens(wa, wb)
		return all == store.AllSlots && n[0] == 32 && n[1] == 32
	})
	for slot, mark := range wb.marks {
		if mark != 7 {
			t.Errorf("slot %d came with the mark %d, want 7", slot, mark)
		}
	}
	wc := g.hold(g.join("c"), 1, store.Division{})
	eventually(t, 2*time.Second, "three have a third each", func() bool {
		n, all := lens(wa, wb, wc)
		return all == store.AllSlots && min(n[0], n[1], n[2]) == 21 && max(n[0], n[1], n[2]) == 22
	})

	// A clean stop hands over at once.
	began := time.Now()
	wb.close()
	g.leave(b)
	eventually(t, 2*time.Second, "the others have the slots of the one that stopped", func() bool {
		n, all := lens(wa, wc)
		return all == store.AllSlots && n[0] == 32
	})
	if took := time.Since(began); took > Every {
		t.Logf("slow: the slots had moved after %v", took)
	}
	list, err := a.Nodes(t.Context())
	if err != nil || len(list) != 2 || !list[0].Self || list[1].Self || list[0].Name != "a" || list[1].Name != "c" ||
		len(list[0].Holdings) != 1 || list[0].Holdings[0].Name != "h1" || list[0].Holdings[0].Slots != wa.slots() {
		t.Errorf("the nodes are %+v, %v", list, err)
	}
}

const Every = nodes.Every

func TestADivisionWithOneSlotHasOneHolder(t *testing.T) {
	g := newGroup(t, 16)
	a, b := g.join("a"), g.join("b")
	var was, wbs []*worker
	for id := range store.HandlerID(16) {
		was = append(was, g.hold(a, id+1, store.Division{Single: true}))
		wbs = append(wbs, g.hold(b, id+1, store.Division{Single: true}))
	}
	eventually(t, 5*time.Second, "each handler has one holder, and none has all", func() bool {
		n := 0
		for i := range was {
			l, all := lens(was[i], wbs[i])
			if all != store.AllSlots || max(l[0], l[1]) != 64 {
				return false
			}
			n += l[0] / 64
		}
		return n > 0 && n < 16
	})
	lead, other := g.hold(a, store.LeadSchedules, store.Division{Single: true}), g.hold(b, store.LeadSchedules, store.Division{Single: true})
	eventually(t, 2*time.Second, "the schedules have one holder", func() bool {
		_, all := lens(lead, other)
		return all == store.AllSlots
	})
}

func TestDaemonsWithDifferentDivisionsNeverHoldSlotsTogether(t *testing.T) {
	g := newGroup(t, 1)
	a := g.hold(g.join("a"), 1, store.Division{})
	eventually(t, 2*time.Second, "the first has all", func() bool { return a.slots() == store.AllSlots })
	b := g.hold(g.join("b"), 1, store.Division{Key: "data.user"})
	a2 := g.hold(g.join("a2"), 1, store.Division{})
	eventually(t, 2*time.Second, "the two alike share", func() bool {
		n, all := lens(a, a2)
		return all == store.AllSlots && n[0] == 32
	})
	g.exec(`UPDATE evrun.shares SET low_water = CASE WHEN slots & 1 = 1 THEN 5 ELSE 9 END WHERE handler = 1`)
	a.close()
	eventually(t, 2*time.Second, "the other alike has all", func() bool { return a2.slots() == store.AllSlots })
	if b.slots() != 0 {
		t.Fatal("the daemon with another division has slots")
	}
	a2.close()
	eventually(t, 2*time.Second, "the other division has all", func() bool { return b.slots() == store.AllSlots })
	for slot := range store.SlotCount {
		if b.marks[slot] != 5 {
			t.Fatalf("slot %d came with the mark %d, want the least", slot, b.marks[slot])
		}
	}
	var rows int
	if err := g.pool.QueryRow(t.Context(), `SELECT count(*) FROM evrun.shares WHERE handler = 1`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("there are %d rows, %v, want 1", rows, err)
	}
}

func TestAPausedHandlerHasNoHolder(t *testing.T) {
	g := newGroup(t, 1)
	a := g.hold(g.join("a"), 1, store.Division{})
	eventually(t, 2*time.Second, "it has all", func() bool { return a.slots() == store.AllSlots })
	g.exec(`UPDATE evrun.handlers SET paused = true`)
	g.wake()
	eventually(t, 2*time.Second, "it has none", func() bool { return a.slots() == 0 })
	g.exec(`UPDATE evrun.handlers SET paused = false`)
	g.wake()
	eventually(t, 2*time.Second, "it has all again", func() bool { return a.slots() == store.AllSlots })
}
