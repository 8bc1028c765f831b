package queue

import (
	"context"
	"fmt"

	"evrun/store"
)

// lowestStarving returns the starving key whose rest begins at the lowest sequence. The rest of a key are its events that are only in the journal.
func (o *keyOrder) lowestStarving() (key string, k *heldKey) {
	if o.starved == 0 {
		return "", nil
	}
	for name, s := range o.spilled {
		if s.starving && (k == nil || s.rest < k.rest) {
			key, k = name, s
		}
	}
	return key, k
}

// place takes an event that was read from the journal, the first of the rest of a spilled key.
func (o *keyOrder) place(k *heldKey, t *Task) {
	switch {
	case k.starving:
		k.running, k.rest = t.Seq, t.Seq+1
		o.ready = append(o.ready, t)
		o.parked++
	case len(k.waiting) >= o.maxParkedKey || o.parked >= o.maxParked:
		k.rest = t.Seq
	default:
		k.rest = t.Seq + 1
		o.park(k, t)
	}
	o.tidy(t.key, k)
}

// refill reads a page of the journal, from the beginning of the lowest starving key's rest, for all keys whose rest begins on that page. If the page
// has no event of a key, the next call reads the next page for it, up to what the follower has returned of the key: see Queue.seen.
func (q *Queue) refill(ctx context.Context) error {
	key, starving := q.order.lowestStarving()
	if starving == nil {
		return nil
	}
	from, upTo := starving.rest, q.seen(key)
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
	names := map[*heldKey]string{starving: key}
	for _, e := range page {
		if !q.follower.takes(e) {
			continue
		}
		t := &Task{Event: e, Seq: e.Sequence, Attempt: 1}
		if err = q.keyOf(t); err != nil {
			continue // it ran without a key
		}
		k := q.order.keys[t.key]
		if k == nil || k.rest < from || e.Sequence < k.rest || e.Sequence > q.seen(t.key) {
			continue
		}
		names[k] = t.key
		if full, ok := covered[k]; ok && !full {
			continue
		}
		q.order.place(k, t)
		covered[k] = k.rest > e.Sequence
	}
	for k, all := range covered {
		if all {
			k.rest = min(end, q.seen(names[k])) + 1
		}
	}
	q.order.dropRests(q.seen)
	return nil
}

// dropRests removes rests that begin after what the follower has returned of their keys: it returns these events.
func (o *keyOrder) dropRests(seen func(key string) int64) {
	for key, k := range o.spilled {
		if k.rest > seen(key) {
			k.rest = 0
			delete(o.spilled, key)
			o.tidy(key, k)
		}
	}
}
