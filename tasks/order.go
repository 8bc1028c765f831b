package tasks

import (
	"fmt"
	"math"
	"sort"
)

// maxParked bounds the events that wait in memory for their key; maxHeldKeys the keys that are held.
const (
	maxParked   = 4096
	maxHeldKeys = 65536
)

// keyOrder makes events with one key run one after the other: a task holds its key from its first attempt until it is
// settled, through all its retries, and later ones with the key wait behind it, in order of sequence. Other keys go on.
type keyOrder struct {
	keys   map[string]*heldKey
	ready  []*task // got their key, and are to be taken next
	parked int
}

type heldKey struct {
	holder  int64 // the sequence of the task that holds it
	waiting []*task
}

// enter gives t its key, or parks it.
func (o *keyOrder) enter(t *task) bool {
	if o.keys == nil {
		o.keys = map[string]*heldKey{}
	}
	k := o.keys[t.key]
	switch {
	case k == nil:
		o.keys[t.key] = &heldKey{holder: t.seq}
		return true
	case k.holder == t.seq:
		return true
	}
	i := sort.Search(len(k.waiting), func(i int) bool { return k.waiting[i].seq >= t.seq })
	if i < len(k.waiting) && k.waiting[i].seq == t.seq {
		return false
	}
	k.waiting = append(k.waiting, nil)
	copy(k.waiting[i+1:], k.waiting[i:])
	k.waiting[i] = t
	o.parked++
	return false
}

// release passes t's key on to the next that waits for it.
func (o *keyOrder) release(t *task) {
	k := o.keys[t.key]
	if k == nil || k.holder != t.seq {
		return
	}
	if len(k.waiting) == 0 {
		delete(o.keys, t.key)
		return
	}
	next := k.waiting[0]
	k.waiting = k.waiting[1:]
	k.holder = next.seq
	o.ready = append(o.ready, next)
}

// next gives a task that got its key, or nil.
func (o *keyOrder) next() *task {
	if len(o.ready) == 0 {
		return nil
	}
	t := o.ready[0]
	o.ready = o.ready[1:]
	o.parked--
	return t
}

// full says that nothing more can be parked.
func (o *keyOrder) full() bool {
	return (o.parked >= maxParked || len(o.keys) >= maxHeldKeys) && len(o.ready) == 0
}

// lowest is the lowest sequence that is parked.
func (o *keyOrder) lowest() int64 {
	low := int64(math.MaxInt64)
	for _, t := range o.ready {
		low = min(low, t.seq)
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

// keyOf evaluates order_by.
func (c *consumer) keyOf(d *Delivery) (key string, err error) {
	defer recovered(&err)
	v, err := c.h.OrderBy.Eval(d.Env)
	if err != nil {
		return "", fmt.Errorf("order_by: %w", err)
	}
	return fmt.Sprintf("%T %v", v, v), nil
}
