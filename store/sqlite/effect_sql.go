package sqlite

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/guard"
)

// patience is the factor by which a repeated statement may exceed its limit by the clock. All other writes wait meanwhile.
const patience = 2

// effectTx implements [store.Tx]. It keeps errors that concern the whole transaction for the writer.
type effectTx txn

// Exec implements [store.Tx].
func (tx *effectTx) Exec(s *store.Statement, args []any) (store.Result, error) {
	t := (*txn)(tx)
	if t.doom != nil {
		return store.Result{}, t.doom
	}
	t.budget.bytes += sizeOf(args)
	limit := guard.Limit{Wall: t.w.opt.StatementTimeout}
	if t.hold > 0 {
		limit.Wall = t.hold
	}
	if t.again {
		// The machine may have been busy: this time, only the statement's own processor time counts.
		limit = guard.Limit{Processor: limit.Wall, Wall: patience * limit.Wall}
	}
	r, err := t.w.user.Exec(context.Background(), limit, s, args)
	if err == nil {
		return r, nil
	}
	if errors.Is(err, store.ErrTimeout) || !conn.Aborts(err) && t.gone() {
		t.failed = &endedError{err}
	}
	return store.Result{}, t.check(err)
}

// endedError says that a user statement ended the whole transaction: SQLite rolls back when it must stop a statement in the middle of a write. The
// transaction's other writes must be repeated without that statement.
type endedError struct{ err error }

func (e *endedError) Error() string { return fmt.Sprintf("the transaction was rolled back: %v", e.err) }
func (e *endedError) Unwrap() error { return e.err }

// gone reports whether SQLite has ended the transaction by itself. It finds out by beginning another one.
func (t *txn) gone() bool {
	_, err := t.w.stmt.begin.Exec() // the writer rolls it back
	return err == nil || conn.Aborts(err)
}

// sizeOf is the size of the texts and bytes among the values.
func sizeOf(args []any) (bytes int) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			bytes += len(a)
		case []byte:
			bytes += len(a)
		}
	}
	return bytes
}
