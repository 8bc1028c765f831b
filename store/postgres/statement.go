package postgres

import (
	"fmt"
	"time"

	"evrun/store"
)

// statement runs a user statement within the transaction, for at most so long. After an error that is the statement's own ([store.ErrConflict],
// [store.ErrStatement], [store.ErrTimeout]) the transaction goes on, behind the savepoint that the caller has set.
func (t *txn) statement(*store.Statement, []any, time.Duration) (store.Result, error) {
	return store.Result{}, fmt.Errorf("%w: user statements can't be run yet", store.ErrStatement)
}
