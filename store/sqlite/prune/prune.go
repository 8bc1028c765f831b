// Package prune deletes what a store need not keep any more: see [store.Retention] for what goes and what stays.
//
// A step has two parts. It first looks, on a read connection of its own, beside the writer: which of the next events begin chains that nobody needs
// (package chains). Then it deletes these chains, in transactions of the writer of a few milliseconds each (delete.go), and rests between them, so that
// other writes wait little. Such a transaction is not synced to disk: a power cut may undo it, which only means that it is done again.
//
// What was looked at is still true when it is deleted. Marks of handlers only rise, runs that ended stay so, and a chain without running runs gets no
// new events; the exceptions (a wiring that is registered, a run that is retried by hand) raise the writer's generation, and a transaction of another
// generation than its look deletes nothing: the step looks again.
//
// The journal is looked at from its beginning once. The table pruning has the sequence up to which that was done (scanned): below it, only chains are
// left that could not go. Whoever drives the steps (tasks/retention) begins there, and looks at those that are left again from time to time. So the cost of
// a chain that is kept for years, because a run in it is dead, is small, and it holds up nothing behind it.
//
// The (source, id) of pruned events are kept in the table pruned_keys (keys.go): 20 bytes each and a number. A transaction that accepts events asks for
// theirs, unless nothing was ever pruned.
//
// No goroutines. A [Pruner] is safe for concurrent use; steps wait for each other.
package prune

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"evrun/store"
	"evrun/store/chains"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// Options are what a [Pruner] needs of its store.
type Options struct {
	Path string
	// Write runs do in a transaction of the writer, and waits for its commit. do may be called again after a rollback. nil: the store was opened for
	// reading.
	Write func(ctx context.Context, do func(conn.Prepare) error) error
	// Generation changes whenever marks of handlers may have fallen, or runs that had ended have begun again.
	Generation func() int64
	Now        func() time.Time
	Keys       *Keys // the writer's
}

// Pruner implements [store.Retention].
type Pruner struct {
	o    Options
	turn chan struct{} // held by the step that goes on

	mu    sync.Mutex // guards the read connection
	reads *conn.Conn // nil: not opened yet
}

// New returns a pruner. It opens its connection when it first looks.
func New(o Options) *Pruner {
	return &Pruner{o: o, turn: make(chan struct{}, 1)}
}

// Close closes the connection. No method may be running.
func (p *Pruner) Close() error {
	if p.reads == nil {
		return nil
	}
	return p.reads.Close()
}

// errMoved: a transaction has another generation than its look.
var errMoved = errors.New("the store has changed since it was looked at")

// The bounds of a step and of its transactions.
const (
	maxUnits   = 64                   // events of chains that are deleted before the time is looked at
	maxBytes   = 1 << 20              // of the same
	holdFor    = 2 * time.Millisecond // how long a transaction goes on deleting
	restFactor = 4                    // a step rests for so many times as long as its transaction took
)

// Prune implements [store.Retention].
func (p *Pruner) Prune(ctx context.Context, q store.PruneQuery) (step store.PruneStep, err error) {
	if p.o.Write == nil && !q.Look {
		return step, fmt.Errorf("prune: %w: it was opened for reading", store.ErrReadOnly)
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return step, ctx.Err()
	}
	var l *chains.Look
	for {
		generation := p.generation()
		err = p.reading(func() (err error) {
			l, err = chains.NewLook(source{p}, q, p.o.Now())
			return err
		})
		if err == nil && !q.Look {
			err = p.delete(ctx, l, generation)
		}
		if !errors.Is(err, errMoved) {
			break
		}
	}
	if err != nil {
		return step, fmt.Errorf("prune: %w", err)
	}
	return l.Step(), nil
}

func (p *Pruner) generation() int64 {
	if p.o.Generation == nil {
		return 0
	}
	return p.o.Generation()
}

// reading calls do within a read transaction, which must be short: the write-ahead log can't start over meanwhile.
func (p *Pruner) reading(do func() error) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reads == nil {
		if p.reads, err = conn.Open(conn.Reader(p.o.Path)); err != nil {
			return err
		}
	}
	if err := p.reads.Exec(`BEGIN`); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.reads.Exec(`COMMIT`)) }()
	return do()
}

// query runs a query on the read connection, within reading. It is no error if there are no rows.
func (p *Pruner) query(query string, each func(row []driver.Value) error, args ...driver.Value) error {
	st, err := p.reads.Prepared(query)
	if err != nil {
		return err
	}
	if err := st.Query(each, args...); !conn.NoRows(err) {
		return err
	}
	return nil
}

func (p *Pruner) now() int64 { return schema.Micros(p.o.Now()) }
