package sqlite

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// beside runs do in a transaction of its own, between those of others, and waits for its commit: package prune deletes in it.
func (w *writer) beside(ctx context.Context, do func(conn.Prepare) error) error {
	o := newOp(0, 0, func(t *txn) error { return t.check(do(t.w.prepared)) })
	o.turn = beside
	return w.submit(ctx, o)
}

// unsynced writes a batch whose commit need not survive a power cut, so that nobody waits for the disk. The next commit syncs it, too: the order in which
// commits reach the disk stays.
func (w *writer) unsynced(batch []*op) (t *txn, culprit *op, err error) {
	if err := w.conn.Exec(`PRAGMA synchronous = NORMAL`); err != nil {
		return nil, nil, err
	}
	defer func() {
		if serr := w.conn.Exec(`PRAGMA synchronous = ` + w.opt.Synchronous); serr != nil { // acknowledgements would promise too much
			err = errors.Join(err, fmt.Errorf("%w: synchronous can't be set back: %w", store.ErrBroken, serr))
		}
	}()
	return w.try(batch, true)
}
