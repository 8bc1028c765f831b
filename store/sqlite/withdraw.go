package sqlite

import (
	"context"
	"fmt"

	"evrun/store"
)

// Withdraw implements [store.Runs]. It is rare: a stop of a handler's worker.
func (s *Store) Withdraw(ctx context.Context, claims []store.Claim) error {
	err := s.w.submit(ctx, newOp(len(claims), 0, func(t *txn) error {
		run, err := t.w.prepared(`DELETE FROM runs WHERE sequence = ?1 AND handler = ?2 AND state = 1 AND attempt = 1 AND budget = 1
			AND reason IS NULL`)
		if err != nil {
			return t.check(err)
		}
		for _, c := range claims {
			if _, err := run.Exec(c.Sequence, int64(c.Handler)); err != nil {
				return t.check(err)
			}
		}
		return nil
	}))
	if err != nil {
		return fmt.Errorf("withdraw claims: %w", err)
	}
	return nil
}
