package retention_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"evrun/store"
	"evrun/tasks/retention"
)

// endless is a store of which a step prunes until its context ends.
type endless struct {
	store.Retention
	steps  chan store.PruneQuery
	rounds chan struct{}
}

func (s *endless) Pruning(context.Context) (store.Pruning, error) { return store.Pruning{}, nil }

func (s *endless) Prune(ctx context.Context, q store.PruneQuery) (store.PruneStep, error) {
	s.steps <- q
	<-ctx.Done()
	return store.PruneStep{}, ctx.Err()
}

func (s *endless) Sizes(context.Context) (store.Sizes, error) {
	s.rounds <- struct{}{}
	return store.Sizes{}, nil
}

func TestANewPolicyEndsTheRoundOfTheOldOne(t *testing.T) {
	s := &endless{steps: make(chan store.PruneQuery), rounds: make(chan struct{})}
	now := time.Unix(1e9, 0)
	k := retention.New(retention.Options{Store: s, Policy: retention.Policy{Events: time.Hour}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- k.Run(ctx) }()
	if q := <-s.steps; !q.Until.Equal(now.Add(-time.Hour)) {
		t.Errorf("until %v", q.Until)
	}
	k.Set(retention.Policy{Events: 2 * time.Hour})
	if q := <-s.steps; !q.Until.Equal(now.Add(-2 * time.Hour)) {
		t.Errorf("until %v", q.Until)
	}
	k.Set(retention.Policy{}) // keeps everything: the round goes to its end without a step
	<-s.rounds
	stop()
	for {
		select {
		case <-s.rounds: // the token of the second Set
		case q := <-s.steps:
			t.Errorf("pruned until %v", q.Until)
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}
