package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"evrun/store"
)

// ErrOff: the policy keeps everything.
var ErrOff = errors.New("retention is off: nothing is pruned")

// TooEarlyError says that an older evrun made the store, so that it is not pruned yet.
type TooEarlyError struct{ Begins time.Time }

func (e *TooEarlyError) Error() string {
	return fmt.Sprintf("an older evrun made this store, which deleted nothing: pruning begins at %s", e.Begins.UTC().Format(time.RFC3339))
}

// Once looks at the whole journal and prunes it by a policy; with look, it deletes nothing and reports what would go. A store of an older version is
// pruned before it was announced for a day only if early is set: else the error is a [*TooEarlyError].
func Once(ctx context.Context, s store.Retention, p Policy, look, early bool, now time.Time) (r Report, err error) {
	if !p.Prunes() {
		return r, ErrOff
	}
	state, err := s.Pruning(ctx)
	if err != nil {
		return r, err
	}
	if begins := state.Begins(now); !look && !early && now.Before(begins) {
		return r, &TooEarlyError{begins}
	}
	q := store.PruneQuery{Keys: p.Dedupe > 0, Look: look}
	if p.Size > 0 {
		size, err := s.Sizes(ctx)
		if err != nil {
			return r, err
		}
		if over := size.Used() - p.Size; over > 0 {
			q.Until, q.Bytes = now.Add(-keepLast), over
			last, err := steps(ctx, s, q, &r)
			if err != nil {
				return r, err
			}
			q.After, q.Bytes = last.Reached, 0
		}
	}
	if p.Events > 0 {
		q.Until = now.Add(-p.Events)
		if _, err := steps(ctx, s, q, &r); err != nil || look {
			return r, err
		}
	}
	if look {
		return r, nil
	}
	return r, giveBack(ctx, s)
}
