package queue

import (
	"context"
	"fmt"

	"evrun/store"
)

// lowestStarving returns the starving key whose rest begins at the lowest sequence. The rest of a key are its events that are only in the journal.
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

// place takes an event that was read from the journal, the first of the rest of a spilled key.
func (o *keyOrder) place(k *heldKey, t *Task) {
	switch {
	case k.starving:
		k.running, k.rest = t.Seq, t.Seq+1
		o.ready = append(o.ready, t)
		o.parked++
	case len(k.waiting) >= maxParkedKey || o.parked >= maxParked:
		k.rest = t.Seq
	default:
		k.rest = t.Seq + 1
		o.park(k, t)
	}
	o.tidy(t.key, k)
}

// refill reads a page of the journal, from the beginning of the lowest starving key's rest, for all keys whose rest begins on that page. If the page
// has no event of a key, the next call reads the next page for it, up to the follower's position.
func (q *Queue) refill(ctx context.Context) error {
	starving, ok := q.order.lowestStarving()
	if !ok {
		return nil
	}
	from, upTo := starving.rest, q.follower.after
	page, err := q.o.Journal.Events(ctx, store.EventQuery{
		After: from - 1, Before: upTo + 1, Patterns: q.o.Patterns, WithoutRun: q.id, Limit: followPage,
	})
	if err != nil {
		return fmt.Errorf("read on from the journal: %w", err)
	}
	end := upTo
	if len(page) > 0 {
		end = page[len(page)-1].Sequence
	}
	covered := map[*heldKey]bool{starving: true} // all their events up to end were placed
	for _, e := range page {
		if !q.follower.takes(e) {
			continue
		}
		t := &Task{Event: e, Seq: e.Sequence, Attempt: 1}
		if err = q.keyOf(t); err != nil {
			continue // it ran without a key
		}
		k := q.order.keys[t.key]
		if k == nil || k.rest < from || e.Sequence < k.rest {
			continue
		}
		if full, ok := covered[k]; ok && !full {
			continue
		}
		q.order.place(k, t)
		covered[k] = k.rest > e.Sequence
	}
	for k, all := range covered {
		if all {
			k.rest = end + 1
		}
	}
	q.order.dropRests(upTo)
	return nil
}

// dropRests removes rests that begin at the follower's position: the follower returns these events.
func (o *keyOrder) dropRests(upTo int64) {
	for key, k := range o.spilled {
		if k.rest > upTo {
			k.rest = 0
			delete(o.spilled, key)
			o.tidy(key, k)
		}
	}
}
