// Package feed tells the processes that share a PostgreSQL store what the others have committed.
//
// Every process publishes all events of the journal in their order: its own from memory, those of others read from the journal. Who has committed says so
// by NOTIFY, a few milliseconds later at most and apart from its transactions, because NOTIFY makes commits wait for each other. A lost notification
// costs a second: so often everybody looks at the journal's head. What people have changed is also in evrun.changes, so that no report of it is lost.
package feed

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
)

// Reader reads what was committed.
type Reader interface {
	Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error)
	RunsOf(ctx context.Context, h store.HandlerID, sequences []int64) ([]store.Run, error)
}

// Options of a feed.
type Options struct {
	// Pool has connections for the feed: it keeps two.
	Pool   *pgxpool.Pool
	Reader Reader
	// As in [store.Options]. A process without any of them, and without OnPeers, listens to nobody.
	OnCommit  func(store.Commit)
	OnForeign func(store.Foreign)
	WantRuns  func() bool
	Warn      func(string)
	// WentBack is called when the database has lost what it had committed: it failed over to a server that was behind, or was restored. What this process
	// knows of the journal is then worth nothing.
	WentBack func(error)
	// OnPeers is called when another process says that it has given, taken or wants slots of handlers. It must not block.
	OnPeers func()
}

// Key names a run.
type Key struct {
	Handler  store.HandlerID
	Sequence int64
}

// Own is a transaction that this process has committed.
type Own struct {
	store.Commit // its events in their order, with nobody else's between them
	// Changed are the runs that it has changed: also when nobody here wants them, because somebody elsewhere may.
	Changed []Key
	// Told says that it has made a row of evrun.changes.
	Told bool
}

// Feed publishes what is committed, and tells others what this process commits.
type Feed struct {
	opt    Options
	origin int64 // of this process
	notes  notes
	stop   context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // of follow

	// publishing is held by who calls OnCommit and OnForeign, and guards what they have seen. Who unlocks it looks at the queue again.
	publishing sync.Mutex
	last       int64  // every event up to here is published
	lastID     string // the id of the event with that sequence; empty: not known
	seen       seen
	warned     string

	mu     sync.Mutex
	queue  []entry // own transactions that are not published yet
	heard  heard
	closed bool
}

// entry is an own transaction that waits.
type entry struct {
	Own
	done func()
}

// heard is what others have said.
type heard struct {
	head    int64
	runs    []Key
	changes bool
}

const (
	lookEvery = time.Second
	pageSize  = 1000
	maxHeard  = 50_000 // runs; others that change meanwhile are not published
)

// New begins a feed behind the journal's head.
func New(ctx context.Context, opt Options) (*Feed, error) {
	if opt.Warn == nil {
		opt.Warn = func(string) {}
	}
	if opt.WentBack == nil {
		opt.WentBack = func(err error) { opt.Warn(err.Error()) }
	}
	f := &Feed{opt: opt, origin: rand.Int64(), wake: make(chan struct{}, 1)}
	f.notes = notes{pool: opt.Pool, origin: f.origin, wake: make(chan struct{}, 1)}
	running, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.done.Go(func() { f.notes.send(running) })
	if !f.listens() {
		return f, nil
	}
	if err := f.begin(ctx); err != nil {
		f.Close()
		return nil, fmt.Errorf("follow the journal: %w", err)
	}
	f.done.Go(func() { f.listen(running) })
	f.done.Go(func() { f.follow(running) })
	return f, nil
}

func (f *Feed) listens() bool {
	return f.opt.OnCommit != nil || f.opt.OnForeign != nil || f.opt.OnPeers != nil
}

// Close ends the feed, after it has told others what they are to know.
func (f *Feed) Close() {
	f.stop()
	f.done.Wait()
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	for _, e := range f.take() {
		f.publish(&e) // without those of others that come before
	}
}

// Committed publishes an own transaction, and returns once that was done.
func (f *Feed) Committed(own Own) {
	done := make(chan struct{})
	f.Pass(own, func() { close(done) })
	<-done
}

// Pass publishes an own transaction, and then calls done: at once, or, when events of others come before it, in another goroutine once they are
// published. Neither may block.
func (f *Feed) Pass(own Own, done func()) {
	f.notes.add(own)
	if f.opt.OnCommit == nil {
		done()
		return
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		done()
		return
	}
	f.queue = append(f.queue, entry{own, done})
	f.mu.Unlock()
	for f.waiting() && f.publishing.TryLock() {
		rest := f.publishReady()
		f.publishing.Unlock()
		if rest {
			signal(f.wake)
			return
		}
	}
}

// Peers says to others that this process has given, taken or wants slots of handlers.
func (f *Feed) Peers() { f.notes.peers() }

func (f *Feed) waiting() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) > 0
}

// take takes the queue, in the order of the journal.
func (f *Feed) take() []entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue
	f.queue = nil
	if len(q) > 1 {
		slices.SortStableFunc(q, func(a, b entry) int { return cmp.Compare(a.behind(), b.behind()) })
	}
	return q
}

func (f *Feed) putBack(rest []entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(rest, f.queue...)
}

// head is the sequence of its last event, or 0.
func (o *Own) head() int64 {
	if len(o.Events) == 0 {
		return 0
	}
	return o.Events[len(o.Events)-1].Sequence
}

// behind is the sequence that must be published before the transaction is: a run comes after its event.
func (e *entry) behind() (sequence int64) {
	if len(e.Events) > 0 {
		return e.Events[0].Sequence - 1
	}
	for i := range e.Runs {
		sequence = max(sequence, e.Runs[i].Sequence)
	}
	return sequence
}

// publishReady publishes the own transactions that nothing comes before. It returns whether others remain.
func (f *Feed) publishReady() (rest bool) {
	q := f.take()
	for i := range q {
		if q[i].behind() > f.last {
			f.putBack(q[i:])
			return true
		}
		f.publish(&q[i])
	}
	return false
}

// publish publishes an own transaction.
func (f *Feed) publish(e *entry) {
	c := e.Commit
	if to := e.head(); to <= f.last {
		c.Events = nil
	} else if c.Events[0].Sequence <= f.last { // some were read from the journal before this process had the answer to its COMMIT
		from, _ := slices.BinarySearchFunc(c.Events, f.last+1, func(e *events.Event, sequence int64) int { return cmp.Compare(e.Sequence, sequence) })
		c.Events, f.last, f.lastID = c.Events[from:], to, c.Events[len(c.Events)-1].ID
	} else {
		f.last, f.lastID = to, c.Events[len(c.Events)-1].ID
	}
	if len(c.Events)+len(c.Runs) > 0 {
		f.opt.OnCommit(c)
	}
	e.done()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is a token already
	}
}
