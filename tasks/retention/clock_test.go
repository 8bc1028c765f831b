package retention

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"evrun/store"
)

// counting is a store in which nothing is old, and that counts how often it was pruned.
type counting struct {
	store.Retention
	pruned int
}

func (*counting) Pruning(context.Context) (store.Pruning, error) { return store.Pruning{}, nil }
func (*counting) Sizes(context.Context) (store.Sizes, error)     { return store.Sizes{}, nil }

func (s *counting) Prune(context.Context, store.PruneQuery) (store.PruneStep, error) {
	s.pruned++
	return store.PruneStep{End: true}, nil
}

// A clock that is set a year ahead makes everything old, until somebody sets it right: nothing is pruned by it at once.
func TestAClockThatJumpsPrunesNothing(t *testing.T) {
	const year = 365 * 24 * time.Hour
	var (
		s             counting
		wall, elapsed time.Duration
	)
	k := New(Options{Store: &s, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(1e9, 0).Add(wall) }, Elapsed: func() time.Duration { return elapsed }})
	for _, x := range []struct {
		wall, elapsed time.Duration
		prunes        bool
	}{
		{0, 0, true},
		{48 * time.Hour, 48 * time.Hour, true},
		{72*time.Hour + time.Minute, 49 * time.Hour, true},
		{year, 50 * time.Hour, false},
		{year + 59*time.Minute, 50*time.Hour + 59*time.Minute, false},
		{year + time.Hour, 51 * time.Hour, true}, // it has been that for an hour
		{52 * time.Hour, 52 * time.Hour, false},  // it was set right
		{53 * time.Hour, 53 * time.Hour, true},
	} {
		wall, elapsed, s.pruned = x.wall, x.elapsed, 0
		wait, err := k.round(t.Context(), Policy{Events: time.Hour})
		if err != nil || wait <= 0 || wait > roundAtMost {
			t.Errorf("after %v: wait %v, %v", x.elapsed, wait, err)
		}
		if (s.pruned > 0) != x.prunes {
			t.Errorf("after %v, at %v: pruned %d times", x.elapsed, x.wall, s.pruned)
		}
	}
}
