package queue

import (
	"math"
	"slices"
	"sort"
)

// The memory limits of an ordered handler: events that wait for their key, in total and for one key, and keys. Events beyond the limits wait in the
// journal.
const (
	maxParked    = 4096
	maxParkedKey = 512
)

// defaultMaxKeys bounds the keys, and about as many stored runs are in memory.
const defaultMaxKeys = 65536

// keyOrder makes events with one key run one after the other. The unfinished stored runs of the key come first: runs that wait for their next
// attempt, were interrupted, or were retried by hand. Events without a run follow. Both are in order of sequence. So the order depends only on the
// store and is the same after a kill. A run that comes earlier in this order does not interrupt a running attempt. Other keys are not affected.
//
// Waiting events are kept in memory while there is room. When there is no room for an event, its key is spilled: that event and all later ones of the
// key are only in the journal, until Queue.refill reads them.
//
// Stored runs are kept in memory up to a sequence; later ones are only in the store, and don't run. While there are such runs, no event without a run
// begins, because one of the runs may have its key.
type keyOrder struct {
	keys    map[string]*heldKey
	spilled map[string]*heldKey // keys with events that are only in the journal
	starved int                 // spilled keys that are starving
	ready   []*Task             // tasks that got their key and come next
	parked  int                 // events without a run in ready and in all waiting
	stored  int                 // runs of all keys
	upTo    int64               // the stored runs up to this sequence are known
	maxKeys int

	maxParked, maxParkedKey int // as the constants
}

// maxParkedData is the largest data of a waiting event that stays in memory. Other events are read again when their turn comes.
const maxParkedData = 4096

type heldKey struct {
	running  int64   // the sequence whose attempt is running or begins next; 0: none
	runs     []int64 // the sequences of the unfinished stored runs, ascending
	due      []*Task // those that were due before their turn, in order of sequence
	waiting  []*Task // events without a run, in order of sequence
	rest     int64   // the first sequence that is only in the journal; 0: none
	starving bool    // the next event must be read from the journal
}

// enter gives t its key, or makes t wait.
func (o *keyOrder) enter(t *Task) bool {
	k := o.get(t.key)
	if k.running == t.Seq {
		return true
	}
	if t.Recorded() {
		o.hold(t)
	}
	switch {
	case o.turn(k, t):
		k.running = t.Seq
		o.tidy(t.key, k)
		return true
	case t.Recorded():
		k.due = insertTask(k.due, t)
	case k.rest != 0 && t.Seq >= k.rest:
	case len(k.waiting) >= o.maxParkedKey || o.parked >= o.maxParked:
		k.rest = t.Seq
		o.spilled[t.key] = k
	default:
		o.park(k, t)
	}
	o.tidy(t.key, k)
	return false
}

// turn reports whether t is next for its key.
func (o *keyOrder) turn(k *heldKey, t *Task) bool {
	switch {
	case k.running != 0:
		return false
	case t.Recorded():
		return k.runs[0] == t.Seq
	}
	return !o.partial() && len(k.runs) == 0 && (len(k.waiting) == 0 || t.Seq < k.waiting[0].Seq) && (k.rest == 0 || t.Seq < k.rest)
}

func (o *keyOrder) get(key string) *heldKey {
	k := o.keys[key]
	if k == nil {
		if o.keys == nil {
			o.keys, o.spilled = map[string]*heldKey{}, map[string]*heldKey{}
		}
		k = &heldKey{}
		o.keys[key] = k
	}
	return k
}

// hold adds a stored run to those of its key.
func (o *keyOrder) hold(t *Task) {
	k := o.get(t.key)
	i, known := slices.BinarySearch(k.runs, t.Seq)
	if !known {
		k.runs = slices.Insert(k.runs, i, t.Seq)
		o.stored++
	}
	o.tidy(t.key, k)
}

// park makes an event wait for its key k.
func (o *keyOrder) park(k *heldKey, t *Task) {
	t.Scratch = nil
	if t.Event != nil && len(t.Event.Data) > maxParkedData {
		t.Event = nil
	}
	n := len(k.waiting)
	k.waiting = insertTask(k.waiting, t)
	o.parked += len(k.waiting) - n
}

// insertTask inserts t by sequence. It replaces a task of the same run with an earlier attempt.
func insertTask(list []*Task, t *Task) []*Task {
	i := sort.Search(len(list), func(i int) bool { return list[i].Seq >= t.Seq })
	if i == len(list) || list[i].Seq != t.Seq {
		return slices.Insert(list, i, t)
	}
	if list[i].Attempt < t.Attempt {
		list[i] = t
	}
	return list
}

// release removes a finished run from its key, and gives the key to the next task.
func (o *keyOrder) release(t *Task) {
	if k := o.keys[t.key]; k != nil {
		o.unhold(k, t.Seq)
		o.pass(t, k)
	}
}

// unhold removes a stored run, if it is one, from those of its key k.
func (o *keyOrder) unhold(k *heldKey, sequence int64) {
	if i, known := slices.BinarySearch(k.runs, sequence); known {
		k.runs = slices.Delete(k.runs, i, i+1)
		o.stored--
	}
}

// again keeps the place of a run whose attempt has ended and which waits for the next one. An earlier run of the key can go first.
func (o *keyOrder) again(t *Task) {
	o.hold(t)
	o.pass(t, o.keys[t.key])
}

func (o *keyOrder) pass(t *Task, k *heldKey) {
	if k.running == t.Seq {
		k.running = 0
	}
	o.advance(t.key, k)
}

// advance gives a free key to its next task, if that task waits for nothing else.
func (o *keyOrder) advance(key string, k *heldKey) {
	var next *Task
	switch {
	case k.running != 0:
	case len(k.runs) > 0:
		if len(k.due) > 0 && k.due[0].Seq == k.runs[0] {
			next = k.due[0]
			k.due = slices.Delete(k.due, 0, 1)
		}
	case len(k.waiting) > 0 && !o.partial():
		next = k.waiting[0]
		k.waiting = slices.Delete(k.waiting, 0, 1)
	}
	if next != nil {
		k.running = next.Seq
		o.ready = append(o.ready, next)
	}
	o.tidy(key, k)
}

// tidy records whether k starves, and removes k if no task has the key.
func (o *keyOrder) tidy(key string, k *heldKey) {
	idle := k.running == 0 && len(k.runs) == 0 && len(k.waiting) == 0
	if starving := idle && k.rest != 0; starving != k.starving {
		k.starving = starving
		if starving {
			o.starved++
		} else {
			o.starved--
		}
	}
	if idle && k.rest == 0 {
		delete(o.keys, key)
	}
}

// next returns a task that got its key, or nil. A task that got its key while no attempt was free gives it back if an earlier run of the key has been
// retried by hand since.
func (o *keyOrder) next() *Task {
	for len(o.ready) > 0 {
		t := o.ready[0]
		o.ready[0] = nil
		o.ready = o.ready[1:]
		k := o.keys[t.key]
		if t.Recorded() {
			if k.runs[0] == t.Seq {
				return t
			}
			k.running, k.due = 0, insertTask(k.due, t)
		} else {
			o.parked--
			if len(k.runs) == 0 && !o.partial() {
				return t
			}
			k.running = 0
			o.park(k, t)
		}
		o.advance(t.key, k)
	}
	return nil
}

// partial reports whether the store has runs that are not in memory.
func (o *keyOrder) partial() bool { return o.upTo != math.MaxInt64 }

// full reports whether no more keys can be held. Then only tasks of known keys run.
func (o *keyOrder) full() bool {
	return o.partial() || len(o.keys) >= o.maxKeys || o.stored >= o.maxKeys
}

// lowest returns the lowest sequence that waits for its key and has no run.
func (o *keyOrder) lowest() int64 {
	low := int64(math.MaxInt64)
	for _, t := range o.ready {
		if !t.Recorded() {
			low = min(low, t.Seq)
		}
	}
	for _, k := range o.spilled {
		low = min(low, k.rest)
	}
	if o.parked > 0 {
		for _, k := range o.keys {
			if len(k.waiting) > 0 {
				low = min(low, k.waiting[0].Seq)
			}
		}
	}
	return low
}

// forget removes the stored runs after a sequence from memory, except those that the worker has: these are active.
func (o *keyOrder) forget(upTo int64, active map[int64]*Task) {
	o.upTo, o.stored = upTo, 0
	o.ready = slices.DeleteFunc(o.ready, func(t *Task) bool {
		gone := t.Recorded() && t.Seq > upTo
		if gone {
			o.keys[t.key].running = 0
		}
		return gone
	})
	for key, k := range o.keys {
		k.runs = slices.DeleteFunc(k.runs, func(sequence int64) bool { return sequence > upTo && sequence != k.running && active[sequence] == nil })
		k.due = slices.DeleteFunc(k.due, func(t *Task) bool { return t.Seq > upTo })
		o.stored += len(k.runs)
		o.tidy(key, k)
	}
}

// lower returns a sequence. At most half of the maximum number of stored runs are up to it.
func (o *keyOrder) lower() int64 {
	all := make([]int64, 0, o.stored)
	for _, k := range o.keys {
		all = append(all, k.runs...)
	}
	slices.Sort(all)
	return all[min(len(all), o.maxKeys/2)-1]
}

// complete records that all stored runs are in memory, so that events without a run may begin.
func (o *keyOrder) complete() {
	if !o.partial() {
		return
	}
	o.upTo = math.MaxInt64
	for key, k := range o.keys {
		o.advance(key, k)
	}
}
