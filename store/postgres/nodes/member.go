// Package nodes is what the daemons that share a PostgreSQL store know of each other: who is alive, and who has which slots of the handlers.
//
// A daemon's start is a node: a row of evrun.nodes, whose lease is renewed twice a second and holds for three seconds by the database's clock. A node
// that cannot renew its lease gives up by its own clock first, and ends its attempts. Any other node then takes it over: it ends all sessions of the
// node, so that a stopped process holds no locks, makes its number negative in evrun.writers, which fences its transactions off, and frees its slots.
// A node that was taken over never comes back: its process becomes a new one, by itself.
//
// The slots of a handler are shared evenly among the nodes that want them (evrun.wants). Each node looks at what is stored twice a second, and whenever
// another one says that something has changed: it takes free slots up to its quota, and asks its own worker to give back what it has above it. No
// node takes slots from another that lives.
//
//	m, err := nodes.Join(ctx, nodes.Options{Pool: pool, Node: node})
//	lease, err := m.Hold(ctx, consumer, division)
//	…
//	err = m.Leave()
package nodes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
)

// How long things take. A lease ends for its holder before it ends for others.
const (
	Every  = 500 * time.Millisecond // between beats, and between looks at what is stored
	Within = 2200 * time.Millisecond
	Lease  = 3 * time.Second
)

// Options of a member.
type Options struct {
	// Pool has connections for the member alone, of which it keeps one. The member sets their timeouts itself.
	Pool *pgxpool.Pool
	Node store.Node
	// Writers is on how many connections the node writes. Each has a row in evrun.writers, under its number from 0 on.
	Writers int
	// Changed is called when this process becomes a node, and with 0 when it has lost its leases. It must not block. Default: nothing.
	Changed func(node int64)
	// Leaving is called in the transaction in which the node leaves, and calls end, which deletes it. Default: it calls end.
	Leaving func(ctx context.Context, tx pgx.Tx, end func() error) error
	// Notify is called after the member has changed who holds or wants what: the other members' Wake is to be called soon. It must not block.
	Notify func()
	// Warn is called with notes for people.
	Warn func(string)
}

// Member is this process among the daemons.
type Member struct {
	opt  Options
	wake chan struct{} // of keep
	beat chan struct{} // of the beats: there is a new node
	stop context.CancelFunc
	done sync.WaitGroup

	wiring atomic.Pointer[string] // what Node.Wiring is now

	mu      sync.Mutex
	id      int64         // of the node; 0: it has none now
	last    int64         // the node before
	joined  chan struct{} // closed when there is a node
	beaten  time.Time     // when the last beat that succeeded began
	expiry  *time.Timer
	leases  map[store.HandlerID]*lease
	closing []*lease
	wired   []store.HandlerID

	stored map[store.HandlerID]string // the divisions in evrun.wants; keep's own
	warned string                     // the last warning; keep's own
}

// Join makes this process a node.
func Join(ctx context.Context, opt Options) (*Member, error) {
	m := &Member{
		opt: opt, wake: make(chan struct{}, 1), beat: make(chan struct{}, 1), joined: make(chan struct{}), leases: map[store.HandlerID]*lease{},
	}
	if m.opt.Notify == nil {
		m.opt.Notify = func() {}
	}
	if m.opt.Warn == nil {
		m.opt.Warn = func(string) {}
	}
	if m.opt.Changed == nil {
		m.opt.Changed = func(int64) {}
	}
	if m.opt.Leaving == nil {
		m.opt.Leaving = func(_ context.Context, _ pgx.Tx, end func() error) error { return end() }
	}
	m.wiring.Store(&m.opt.Node.Wiring)
	if m.opt.Node.Started.IsZero() {
		m.opt.Node.Started = time.Now()
	}
	if err := m.join(ctx); err != nil {
		return nil, fmt.Errorf("join the daemons of the store: %w", err)
	}
	running, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.done.Go(func() { m.keepBeating(running) })
	m.done.Go(func() { m.keep(running) })
	return m, nil
}

// SetWiring says that the node has another wiring now.
func (m *Member) SetWiring(ctx context.Context, wiring string) error {
	m.wiring.Store(&wiring)
	_, err := m.opt.Pool.Exec(ctx, `UPDATE evrun.nodes SET wiring = $1 WHERE id = $2`, wiring, m.ID())
	return err
}

// ID is the node of this process now; 0: it has lost its leases, and is about to be a new one.
func (m *Member) ID() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id
}

// Await is ID, and waits while there is none.
func (m *Member) Await(ctx context.Context) (int64, error) {
	for {
		m.mu.Lock()
		id, joined := m.id, m.joined
		m.mu.Unlock()
		if id != 0 {
			return id, nil
		}
		select {
		case <-joined:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Wake says that another member may have changed something. It does not block.
func (m *Member) Wake() { signal(m.wake) }

// Fenced says that a transaction of a node was fenced off: somebody has taken it over. It does not block.
func (m *Member) Fenced(node int64) { m.lose(node, "another daemon has taken over its work") }

// Wired says which handlers are in the wiring of this process, once they are stored for its node in evrun.wired. If it becomes another node, the
// member stores them again.
func (m *Member) Wired(handlers []store.HandlerID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wired = slices.Clone(handlers)
}

// Hold implements [store.Leases].
func (m *Member) Hold(_ context.Context, c store.Consumer, d store.Division) (store.Lease, error) {
	l := &lease{m: m, handler: c.ID, division: divisionOf(d), changed: make(chan struct{}, 1), closed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, held := m.leases[c.ID]; held {
		return nil, fmt.Errorf("slots of handler %s are held already", c.Name)
	}
	m.leases[c.ID] = l
	m.Wake()
	return l, nil
}

// Nodes implements [store.Leases].
func (m *Member) Nodes(ctx context.Context) ([]store.Node, error) {
	return List(ctx, m.opt.Pool, m.ID())
}

// Leave ends the node: others may have its slots at once. Its writers must have ended.
func (m *Member) Leave() error {
	m.stop()
	m.done.Wait()
	m.mu.Lock()
	id := m.id
	m.id = 0
	m.expiry.Stop()
	for _, l := range slices.Concat(slices.Collect(maps.Values(m.leases)), m.closing) {
		l.close()
	}
	m.mu.Unlock()
	m.opt.Changed(0)
	if id == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*Within)
	defer cancel()
	err := m.tx(ctx, func(tx pgx.Tx) error {
		return m.opt.Leaving(ctx, tx, func() error { return end(ctx, tx, id) })
	})
	if err != nil { // perhaps others change the handlers: its slots are worth more
		err = m.tx(ctx, func(tx pgx.Tx) error { return end(ctx, tx, id) })
	}
	if err != nil {
		return fmt.Errorf("leave the daemons of the store: %w", err)
	}
	m.opt.Notify()
	return nil
}

// lose notes that a node, if it is that of this process, has no leases any more.
func (m *Member) lose(node int64, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if node == 0 || m.id != node {
		return
	}
	m.id, m.last = 0, node
	m.opt.Changed(0)
	m.joined = make(chan struct{})
	m.expiry.Stop()
	for _, l := range m.leases {
		l.lose(store.AllSlots)
	}
	for _, l := range m.closing {
		l.close()
	}
	m.closing = nil
	m.opt.Warn("this daemon has lost its leases, and ends what it runs: " + why)
	m.Wake()
}

// tx makes a short transaction, which waits for no lock for long, and which the server ends if this process is stopped in it.
func (m *Member) tx(ctx context.Context, do func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, m.opt.Pool, func(tx pgx.Tx) error {
		const bounds = `SELECT set_config('lock_timeout', '2s', true), set_config('idle_in_transaction_session_timeout', '2s', true), set_config('statement_timeout', '10s', true)`
		if _, err := tx.Exec(ctx, bounds); err != nil {
			return err
		}
		return do(tx)
	})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is a token already
	}
}
