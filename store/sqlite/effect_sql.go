package sqlite

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
)

// Exec implements [store.Tx].
func (tx *effectTx) Exec(s *store.Statement, args []any) (store.Result, error) {
	t := (*txn)(tx)
	if t.doom != nil {
		return store.Result{}, t.doom
	}
	r, err := t.w.user.exec(context.Background(), t.w.statementTimeout, s, args)
	if err == nil {
		return r, nil
	}
	if !aborts(err) && t.gone() {
		t.failed = &endedError{err}
	}
	return store.Result{}, t.check(err)
}

// endedError says that a user's statement took the whole transaction down with it, as SQLite does when it has to stop one
// in the middle of a write. What else was in the transaction has to be repeated without it.
type endedError struct{ err error }

func (e *endedError) Error() string { return fmt.Sprintf("the transaction was rolled back: %v", e.err) }
func (e *endedError) Unwrap() error { return e.err }

// gone says whether SQLite has ended the transaction by itself: then, and only then, another one can begin.
func (t *txn) gone() bool {
	_, err := t.w.stmt.begin.exec() // the writer rolls it back
	return err == nil || aborts(err)
}

// settleAll is a write that settles a batch, in as many transactions as it takes to find the effects that end one: in each
// next one those fail at once, with the error that they ended it with. All others are as if those had never run.
func (s *Store) settleAll(ctx context.Context, b store.SettleBatch, settled []store.Settled) error {
	doomed := map[int]error{}
	weight := len(b.Settlements)
	for i := range b.Settlements {
		weight += len(b.Settlements[i].Joins)
	}
	for {
		at := 0
		err := s.w.submit(ctx, newOp(weight, 0, func(t *txn) error {
			for i := range b.Settlements {
				at = i
				t.doom = doomed[i]
				out, ok, err := t.settle(&b.Settlements[i])
				if err != nil {
					return t.check(err)
				}
				settled[i] = store.Settled{Fenced: !ok, Outcome: out}
			}
			t.doom = nil
			for _, m := range b.Marks {
				if t.marks == nil {
					t.marks = map[store.HandlerID]int64{}
				}
				t.marks[m.Handler] = max(t.marks[m.Handler], m.LowWater)
			}
			return nil
		}))
		var ended *endedError
		if !errors.As(err, &ended) {
			return err
		}
		doomed[at] = ended.err
	}
}
