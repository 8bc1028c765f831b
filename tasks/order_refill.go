package tasks

import (
	"context"
	"fmt"

	"evrun/store"
)

// lowestStarving gives the key that is starving; of several the one whose rest lies lowest.
func (o *keyOrder) lowestStarving() (k *heldKey, ok bool) {
	if o.starved == 0 {
		return nil, false
	}
	for _, s := range o.spilled {
		if s.starving && (k == nil || s.rest < k.rest) {
			k = s
		}
	}
	return k, k != nil
}

// place takes an event of a spilled key that was read from the journal: the first one from its rest on.
func (o *keyOrder) place(k *heldKey, t *task) {
	switch {
	case k.starving:
		k.running, k.rest = t.seq, t.seq+1
		o.ready = append(o.ready, t)
		o.parked++
	case len(k.waiting) >= maxParkedKey || o.parked >= maxParked:
		k.rest = t.seq
	default:
		k.rest = t.seq + 1
		o.park(k, t)
	}
	o.tidy(t.key, k)
}

// refill reads a page of the journal from where the lowest starving key's rest begins, for all keys whose rest begins on
// it. A key that is not found on it is looked for on the next page by the next call, up to where the follower is.
func (c *consumer) refill(ctx context.Context) error {
	starving, ok := c.order.lowestStarving()
	if !ok {
		return nil
	}
	from, upTo := starving.rest, c.follower.After()
	page, err := c.r.o.Store.Events(ctx, store.EventQuery{
		After: from - 1, Before: upTo + 1, Patterns: c.h.On, Unsettled: c.id, Limit: followPage,
	})
	if err != nil {
		return fmt.Errorf("read on from the journal: %w", err)
	}
	end := upTo
	if len(page) > 0 {
		end = page[len(page)-1].Sequence
	}
	covered := map[*heldKey]bool{starving: true} // everything of theirs up to end was placed
	for _, e := range page {
		t := &task{event: e, seq: e.Sequence, attempt: 1}
		if t.key, err = c.keyOf(c.delivery(t)); err != nil {
			continue // it ran without a key
		}
		k := c.order.keys[t.key]
		if k == nil || k.rest < from || e.Sequence < k.rest {
			continue
		}
		if full, ok := covered[k]; ok && !full {
			continue
		}
		c.order.place(k, t)
		covered[k] = k.rest > e.Sequence
	}
	for k, all := range covered {
		if all {
			k.rest = end + 1
		}
	}
	c.order.settleRests(upTo)
	return nil
}

// settleRests forgets rests that begin where the live flow does.
func (o *keyOrder) settleRests(upTo int64) {
	for key, k := range o.spilled {
		if k.rest > upTo {
			k.rest = 0
			delete(o.spilled, key)
			o.tidy(key, k)
		}
	}
}
