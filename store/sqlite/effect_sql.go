package sqlite

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/guard"
)

// patience is how many times its time a repeated statement may take by the clock. Meanwhile everybody waits.
const patience = 2

// Exec implements [store.Tx].
func (tx *effectTx) Exec(s *store.Statement, args []any) (store.Result, error) {
	t := (*txn)(tx)
	if t.doom != nil {
		return store.Result{}, t.doom
	}
	t.budget.bytes += sizeOf(args)
	limit := guard.Limit{Wall: t.w.statementTimeout}
	if t.hold > 0 {
		limit.Wall = t.hold
	}
	if t.again {
		// A busy machine may have been what took so long: now the time counts that the statement is given.
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

// endedError says that a user's statement took the whole transaction down with it, as SQLite does when it has to stop one
// in the middle of a write. What else was in the transaction must be repeated without it.
type endedError struct{ err error }

func (e *endedError) Error() string { return fmt.Sprintf("the transaction was rolled back: %v", e.err) }
func (e *endedError) Unwrap() error { return e.err }

// gone says whether SQLite has ended the transaction by itself: then, and only then, another one can begin.
func (t *txn) gone() bool {
	_, err := t.w.stmt.begin.Exec() // the writer rolls it back
	return err == nil || conn.Aborts(err)
}

// sizeOf is how many bytes the values have that can have many.
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
