// Package prune deletes what a store in PostgreSQL need not keep any more: see [store.Retention] for what goes and what stays.
//
// A step first looks, in a transaction that only reads, which of the next events begin chains that nobody needs (package chains). Then it deletes these
// chains, some hundred events in a transaction. Other daemons write meanwhile, so such a transaction looks once more at what can change: it locks the
// runs of the chains, and those that runs of theirs have joined, and none of them may have begun again, by hand; and it keeps the handlers as they were
// (they may not come, go or take over until it ends, which is after milliseconds). If something has changed, nothing is deleted, and the step looks
// again. All else that a look relies on stays true: marks of handlers only rise, and a chain without running runs gets no new events.
//
// These transactions are not synced to disk. A crash may undo the last of them, which only means that they are done again.
//
// The (source, id) of pruned events are kept in the table pruned_keys. Who accepts events looks there behind the insert, in a statement of its own:
// an event that was pruned just before is then either still stored, or its key is seen.
//
// PostgreSQL's vacuum makes the space of deleted rows free for new ones; the tables' files shrink only where it is at their end.
//
// No goroutines. A [Pruner] is safe for concurrent use; steps wait for each other, also those of several daemons.
package prune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/chains"
)

// Tx is a transaction of the store that writes.
type Tx interface {
	// Exec runs a statement, and returns how many rows it changed.
	Exec(query string, args ...any) (int64, error)
	// Query runs a statement that returns rows.
	Query(query string, args ...any) (pgx.Rows, error)
}

// Options are what a [Pruner] needs of its store.
type Options struct {
	Pool *pgxpool.Pool // for looks
	// Write runs do in a transaction, and waits for its commit. do may be called again after a rollback.
	Write func(ctx context.Context, do func(Tx) error) error
	Now   func() time.Time
}

// Pruner implements the part of [store.Retention] that writes.
type Pruner struct {
	o    Options
	turn chan struct{} // held by the step that goes on
}

// New returns a pruner.
func New(o Options) *Pruner { return &Pruner{o: o, turn: make(chan struct{}, 1)} }

// errMoved: what a transaction is to delete is not as the look found it.
var errMoved = errors.New("the store has changed since it was looked at")

// The bounds of transactions.
const (
	maxUnits   = 500     // events
	maxBytes   = 4 << 20 // of the same
	restFactor = 1       // a step rests for so many times as long as its transaction took
	lookAgain  = 20      // a step looks again so often at most
)

// Prune implements [store.Retention].
func (p *Pruner) Prune(ctx context.Context, q store.PruneQuery) (step store.PruneStep, err error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return step, ctx.Err()
	}
	var l *look
	for range lookAgain {
		if l, err = p.look(ctx, q); err == nil && !q.Look {
			err = p.delete(ctx, l)
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

// look is what a step has looked at.
type look struct {
	*chains.Look
	handlers string // identifies the handlers as they were then
}

// handlersAsTheyAre identifies all that is stored of the handlers but their marks.
const handlersAsTheyAre = `SELECT coalesce(md5(string_agg(h::text, chr(10) ORDER BY h.id)), '') FROM evrun.handlers h`

// look looks at the next events, at one moment.
func (p *Pruner) look(ctx context.Context, q store.PruneQuery) (l *look, err error) {
	err = pgx.BeginTxFunc(ctx, p.o.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		l = &look{}
		if err := tx.QueryRow(ctx, handlersAsTheyAre).Scan(&l.handlers); err != nil {
			return err
		}
		l.Look, err = chains.NewLook(source{ctx, tx}, q, p.o.Now())
		return err
	})
	return l, err
}

// pause waits, so that others have the disk.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
