package retention

import (
	"context"
	"sync"
	"time"

	"evrun/store"
)

// lead is what a keeper knows of its lease: where several daemons share a store, one of them prunes it.
type lead struct {
	has    bool       // Keeper.mu guards it
	rounds sync.Mutex // held while a round goes on
}

// follow asks for the lead and follows its changes, until the returned function is called.
func (k *Keeper) follow(ctx context.Context) (end func(), err error) {
	if k.o.Leases == nil {
		k.lead.has = true
		return func() {}, nil
	}
	l, err := k.o.Leases.Hold(ctx, store.Consumer{ID: store.LeadRetention}, store.Division{Single: true})
	if err != nil {
		return nil, err
	}
	k.take(l)
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-l.C():
				k.take(l)
			case <-ctx.Done():
				l.Close()
				return
			}
		}
	})
	return func() {
		stop()
		wg.Wait()
	}, nil
}

// take follows a change of the lease. A round that goes on ends before another daemon may begin one.
func (k *Keeper) take(l store.Lease) {
	c := l.Take()
	if gone := c.Asked | c.Lost; gone != 0 {
		k.setLead(false)
		k.lead.rounds.Lock()
		l.Give(c.Asked &^ c.Lost)
		k.lead.rounds.Unlock()
	}
	if len(c.Gained) > 0 && c.Asked == 0 {
		k.setLead(true)
	}
}

// setLead says whether this keeper prunes from now on.
func (k *Keeper) setLead(has bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lead.has = has; k.end != nil {
		k.end()
	}
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// leadRound is a round, unless another daemon has the lead now.
func (k *Keeper) leadRound(ctx context.Context, p Policy) (time.Duration, error) {
	k.lead.rounds.Lock()
	defer k.lead.rounds.Unlock()
	if !k.leads() {
		return 0, nil
	}
	return k.round(ctx, p)
}

// leads reports whether this keeper prunes.
func (k *Keeper) leads() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lead.has
}
