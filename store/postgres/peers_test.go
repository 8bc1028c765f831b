package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// cluster is daemons that share a database, with one handler whose effect is a row in a table without a key.
type cluster struct {
	t       *testing.T
	address string
	pool    *pgxpool.Pool
	insert  *store.Statement
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	insert, err := postgres.ParseStatement(`INSERT INTO public.effects (sequence, node) VALUES (:sequence, :node)`)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, address: postgrestest.Database(t), insert: insert}
	if c.pool, err = pgxpool.New(t.Context(), c.address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.pool.Close)
	exec(t, c.pool, `CREATE TABLE public.effects (sequence bigint NOT NULL, node bigint NOT NULL)`)
	return c
}

// daemon is one of them. It works as a daemon's queue does, with one event at a time.
type daemon struct {
	c    *cluster
	s    *postgres.Store
	h    store.Consumer
	stop func() // a clean one

	working sync.Mutex // held while an event is handled

	mu    sync.Mutex
	seen  int64 // the last event that was published
	has   store.Slots
	node  int64
	lost  time.Time
	warns []string
}

func (c *cluster) daemon(name, address string, opt postgres.Options) *daemon {
	t := c.t
	t.Helper()
	d := &daemon{c: c}
	opt.Node = &store.Node{Name: name, Version: "test"}
	opt.OnCommit = func(commit store.Commit) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, e := range commit.Events {
			if e.Sequence <= d.seen {
				t.Errorf("%s: event %d was published after %d", name, e.Sequence, d.seen)
			}
			d.seen = e.Sequence
		}
	}
	opt.Warn = func(note string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.warns = append(d.warns, note)
	}
	s, err := postgres.Open(t.Context(), address, opt)
	if err != nil {
		t.Fatal(err)
	}
	d.s = s
	running, stopRun := context.WithCancel(context.Background())
	var run, work sync.WaitGroup
	run.Go(func() {
		if err := s.Run(running); err != nil {
			t.Error(err)
		}
	})
	d.h = must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll, FromStart: true}}, nil))(t)[0]
	lease, err := s.Hold(t.Context(), d.h, store.Division{})
	if err != nil {
		t.Fatal(err)
	}
	working, stopWork := context.WithCancel(context.Background())
	work.Go(func() { d.follow(working, lease) })
	work.Go(func() { d.work(working) })
	d.stop = sync.OnceFunc(func() {
		stopWork()
		work.Wait()
		lease.Close()
		stopRun()
		run.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(d.stop)
	return d
}

// follow follows the lease.
func (d *daemon) follow(ctx context.Context, lease store.Lease) {
	for {
		select {
		case <-lease.C():
			d.take(lease)
		case <-ctx.Done():
			return
		}
	}
}

// work runs the handler on the events of the daemon's slots.
func (d *daemon) work(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		evs, err := d.s.Events(ctx, store.EventQuery{WithoutRun: d.h.ID, Limit: 20})
		if err != nil {
			continue
		}
		for _, e := range evs {
			d.working.Lock()
			d.mu.Lock()
			node, mine := d.node, d.has.Has(store.SlotOf(e.Sequence))
			d.mu.Unlock()
			if mine && ctx.Err() == nil {
				d.handle(e, node)
			}
			d.working.Unlock()
		}
	}
}

func (d *daemon) handle(e *events.Event, node int64) {
	batch := store.SettleBatch{Node: node, Settlements: []store.Settlement{{
		Event: e, Handler: d.h.ID, Attempt: 1, Started: time.Now(), Statement: d.c.insert,
		Effect: func(tx store.Tx) store.Outcome {
			if _, err := tx.Exec(d.c.insert, []any{e.Sequence, node}); err != nil {
				return store.Outcome{State: store.Dead, Error: err.Error()}
			}
			return store.Outcome{State: store.Succeeded}
		},
	}}}
	done, err := d.s.Settle(context.Background(), batch)
	if err == nil && !done[0].Fenced && done[0].State != store.Succeeded {
		d.c.t.Errorf("event %d: %+v", e.Sequence, done[0])
	}
}

func (d *daemon) take(lease store.Lease) {
	change := lease.Take()
	if change.Asked != 0 {
		d.working.Lock() // its attempts have ended
		defer d.working.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.has &^= change.Lost
	if change.Lost != 0 {
		d.lost = time.Now()
	}
	for _, g := range change.Gained {
		d.has |= g.Slots
		d.node = g.Node
	}
	if change.Asked != 0 {
		lease.Give(change.Asked & d.has)
		d.has &^= change.Asked
	}
}

func (d *daemon) slots() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.has.Len()
}

// append accepts events, n in all, one after the other.
func (d *daemon) append(name string, n int) {
	for i := range n {
		for { // a refusal says that nothing was written
			if _, err := d.s.Append(context.Background(), []*events.Event{steps.Event("t", fmt.Sprint(name, i))}); err == nil {
				break
			}
		}
	}
}

// settled waits until n events have an effect, and checks that each has one.
func (c *cluster) settled(n int) {
	c.t.Helper()
	within(c.t, 20*time.Second, fmt.Sprintf("%d events have effects", n), func() bool {
		var events, effects int
		if err := c.pool.QueryRow(context.Background(), `SELECT count(DISTINCT sequence), count(*) FROM public.effects`).Scan(&events, &effects); err != nil {
			c.t.Fatal(err)
		}
		if effects != events {
			c.t.Fatalf("%d events have %d effects", events, effects)
		}
		return events == n
	})
}

func within(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > d {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

func TestSlotsMoveBetweenDaemonsUnderLoad(t *testing.T) {
	c := newCluster(t)
	a := c.daemon("a", c.address, postgres.Options{})
	const n = 150
	var load sync.WaitGroup
	load.Go(func() { a.append("a", n) })
	b := c.daemon("b", c.address, postgres.Options{})
	within(t, 5*time.Second, "each has a half", func() bool { return a.slots() == 32 && b.slots() == 32 })
	load.Go(func() { b.append("b", n) })
	d := c.daemon("d", c.address, postgres.Options{})
	within(t, 5*time.Second, "each has a third", func() bool { return a.slots()+b.slots()+d.slots() == 64 && d.slots() >= 21 })
	list := must(b.s.Nodes(t.Context()))(t)
	if len(list) != 3 || !list[1].Self || list[1].Name != "b" || len(list[1].Holdings) != 1 || list[1].Holdings[0].Slots.Len() != b.slots() {
		t.Errorf("the nodes are %+v", list)
	}
	load.Wait()
	began := time.Now()
	d.stop()
	within(t, 5*time.Second, "the other two have a half each", func() bool { return a.slots() == 32 && b.slots() == 32 })
	t.Logf("after a clean stop, the slots had moved in %v", time.Since(began))
	c.settled(2 * n)
	head := must(a.s.Head(t.Context()))(t)
	within(t, 3*time.Second, "both have seen all events", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		return a.seen == head && b.seen == head
	})
}

// TestADaemonThatIsCutOffLosesItsSlots pulls the cable of one of two daemons, and puts it back.
func TestADaemonThatIsCutOffLosesItsSlots(t *testing.T) {
	c := newCluster(t)
	a := c.daemon("a", c.address, postgres.Options{})
	cable := newCable(t, c.address)
	b := c.daemon("b", cable.address, postgres.Options{})
	within(t, 5*time.Second, "each has a half", func() bool { return a.slots() == 32 && b.slots() == 32 })
	const n = 100
	a.append("a", n/2)
	began := time.Now()
	cable.pull()
	a.append("later", n/2)
	within(t, 6*time.Second, "the other has all", func() bool { return a.slots() == 64 })
	gained := time.Now()
	t.Logf("the slots had moved in %v", gained.Sub(began))
	c.settled(n)
	b.mu.Lock()
	if lost := b.lost; lost.IsZero() || lost.After(gained) {
		t.Errorf("it noticed its loss at %v, after others had its slots at %v", lost, gained)
	} else {
		t.Logf("it had noticed its loss in %v", lost.Sub(began))
	}
	b.mu.Unlock()
	cable.mend()
	within(t, 20*time.Second, "each has a half again", func() bool { return a.slots() == 32 && b.slots() == 32 })
	b.append("b", 20)
	c.settled(n + 20)
}

// TestADaemonThatWasStoppedIsFenced stops a daemon just before it commits an effect, for longer than its lease.
func TestADaemonThatWasStoppedIsFenced(t *testing.T) {
	c := newCluster(t)
	var mu sync.Mutex
	stopped, goOn := make(chan struct{}), make(chan struct{})
	proceed := sync.OnceFunc(func() { close(goOn) })
	armed := false
	b := c.daemon("b", c.address, postgres.Options{At: func(p postgres.Point) {
		mu.Lock()
		now := armed && p == postgres.BeforeCommit
		armed = armed && !now
		mu.Unlock()
		if now {
			close(stopped)
			<-goOn
		}
	}})
	t.Cleanup(proceed)
	within(t, 5*time.Second, "it has all", func() bool { return b.slots() == 64 })
	a := c.daemon("a", c.address, postgres.Options{})
	within(t, 5*time.Second, "each has a half", func() bool { return a.slots() == 32 && b.slots() == 32 })
	a.append("a", 10)
	c.settled(10)
	mu.Lock()
	armed = true
	mu.Unlock()
	a.append("more", 64) // one for each slot
	<-stopped
	b.mu.Lock()
	node := b.node
	b.mu.Unlock()
	exec(t, c.pool, `UPDATE evrun.beats SET expires_at = clock_timestamp() - interval '1 second' WHERE node = $1`, node)
	within(t, 5*time.Second, "the other has taken over", func() bool {
		var left bool
		if err := c.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM evrun.nodes WHERE id = $1)`, node).Scan(&left); err != nil {
			t.Fatal(err)
		}
		return !left
	})
	proceed()
	c.settled(74)
	within(t, 10*time.Second, "each has a half again", func() bool { return a.slots() == 32 && b.slots() == 32 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.node == node || !strings.Contains(strings.Join(b.warns, "\n"), "has lost its leases") {
		t.Errorf("it is node %d and was node %d; it said %q", b.node, node, b.warns)
	}
}
