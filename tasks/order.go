package tasks

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sort"

	"evrun/store"
	"evrun/tasks/expression"
)

// What an ordered handler holds in memory at most: events that wait for their key, in all and for one key, and keys. What
// finds no room waits in the journal.
const (
	maxParked    = 4096
	maxParkedKey = 512
	maxHeldKeys  = 65536
)

// keyOrder makes events with one key run one after the other: a task holds its key from its first attempt until it is
// settled, through all its retries, and later ones with the key wait behind it, in order of sequence. Other keys go on.
//
// Waiting tasks are kept in memory while there is room. From the first one of a key that finds none, the key is spilled:
// that event and all later ones of the key are in the journal only, until consumer.refill reads them.
type keyOrder struct {
	keys    map[string]*heldKey
	spilled map[string]*heldKey // those of keys with a rest
	starved int                 // those of spilled that nobody holds
	ready   []*task             // got their key, and are to be taken next
	parked  int                 // in ready and in all waiting
}

// maxParkedData is how much data a waiting event may have and stay in memory; others are read again when their turn comes.
const maxParkedData = 4096

type heldKey struct {
	holder  int64   // the sequence of the task that holds it; 0: nobody, and the next one has to be read from the journal
	waiting []*task // in order of sequence
	rest    int64   // where the events begin that are in the journal only; 0: there are none
}

// enter gives t its key, or makes it wait.
func (o *keyOrder) enter(t *task) bool {
	k := o.keys[t.key]
	switch {
	case k == nil:
		if o.keys == nil {
			o.keys, o.spilled = map[string]*heldKey{}, map[string]*heldKey{}
		}
		o.keys[t.key] = &heldKey{holder: t.seq}
		return true
	case k.holder == t.seq:
		return true
	case t.attempt > 1:
		if k.holder == 0 {
			k.holder = t.seq
			o.starved--
			return true
		}
		o.park(k, t) // the retry clock bounds them
	case k.rest != 0 && t.seq >= k.rest:
	case len(k.waiting) >= maxParkedKey || o.parked >= maxParked:
		k.rest = t.seq
		o.spilled[t.key] = k
	default:
		o.park(k, t)
	}
	return false
}

// park makes t wait for k, unless it does so already.
func (o *keyOrder) park(k *heldKey, t *task) {
	i := sort.Search(len(k.waiting), func(i int) bool { return k.waiting[i].seq >= t.seq })
	if i < len(k.waiting) && k.waiting[i].seq == t.seq {
		return
	}
	if t.event != nil && len(t.event.Data) > maxParkedData {
		t.event = nil
	}
	k.waiting = slices.Insert(k.waiting, i, t)
	o.parked++
}

// release passes t's key on to the next that waits for it.
func (o *keyOrder) release(t *task) {
	k := o.keys[t.key]
	switch {
	case k == nil || k.holder != t.seq:
	case len(k.waiting) > 0:
		next := k.waiting[0]
		k.waiting = slices.Delete(k.waiting, 0, 1)
		k.holder = next.seq
		o.ready = append(o.ready, next)
	case k.rest != 0:
		k.holder = 0
		o.starved++
	default:
		delete(o.keys, t.key)
	}
}

// next gives a task that got its key, or nil.
func (o *keyOrder) next() *task {
	if len(o.ready) == 0 {
		return nil
	}
	t := o.ready[0]
	o.ready[0] = nil
	o.ready = o.ready[1:]
	o.parked--
	return t
}

// full says that no more keys can be held: then only what holds one goes on.
func (o *keyOrder) full() bool { return len(o.keys) >= maxHeldKeys }

// starving gives the key that nobody holds and whose next event is in the journal; of several the one that lies lowest.
func (o *keyOrder) starving() (k *heldKey, ok bool) {
	if o.starved == 0 {
		return nil, false
	}
	for _, s := range o.spilled {
		if s.holder == 0 && (k == nil || s.rest < k.rest) {
			k = s
		}
	}
	return k, k != nil
}

// lowest is the lowest sequence that waits for its key.
func (o *keyOrder) lowest() int64 {
	low := int64(math.MaxInt64)
	for _, t := range o.ready {
		low = min(low, t.seq)
	}
	for _, k := range o.spilled {
		low = min(low, k.rest)
	}
	if o.parked > len(o.ready) {
		for _, k := range o.keys {
			if len(k.waiting) > 0 {
				low = min(low, k.waiting[0].seq)
			}
		}
	}
	return low
}

// place takes an event of a spilled key that was read from the journal: the first one from its rest on.
func (o *keyOrder) place(k *heldKey, t *task) {
	switch {
	case k.holder == 0:
		k.holder, k.rest = t.seq, t.seq+1
		o.starved--
		o.ready = append(o.ready, t)
		o.parked++
	case len(k.waiting) >= maxParkedKey || o.parked >= maxParked:
		k.rest = t.seq
	default:
		k.rest = t.seq + 1
		o.park(k, t)
	}
}

// refill reads a page of the journal from where the lowest starving key's rest begins, for all keys whose rest begins on
// it. A key that is not found on it is looked for on the next page by the next call, up to where the follower is.
func (c *consumer) refill(ctx context.Context) error {
	starving, ok := c.order.starving()
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
		if k.rest <= upTo {
			continue
		}
		k.rest = 0
		delete(o.spilled, key)
		if k.holder == 0 {
			delete(o.keys, key)
			o.starved--
		}
	}
}

// keyOf evaluates order_by.
func (c *consumer) keyOf(d *Delivery) (string, error) { return keyOf(c.h.OrderBy, "order_by", d) }

// keyOf evaluates the key of an event, which what is. Long keys are kept as their digest.
func keyOf(by *expression.Expr, what string, d *Delivery) (key string, err error) {
	defer recovered(&err)
	v, err := by.Eval(d.Env)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if key = fmt.Sprintf("%T %v", v, v); len(key) > 2*sha256.Size {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	return key, nil
}
