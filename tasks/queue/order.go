package queue

import (
	"math"
	"slices"
	"sort"
)

// What an ordered handler holds in memory at most: events that wait for their key, in all and for one key, and keys. What
// finds no room waits in the journal.
const (
	maxParked    = 4096
	maxParkedKey = 512
)

// defaultMaxKeys bounds the keys, and about as many stored runs are in memory.
const defaultMaxKeys = 65536

// keyOrder makes events with one key run one after the other. First come the runs of the key that are stored and not over: those
// that wait for their next attempt, were interrupted, or were retried by hand. Then come the events that have no run yet. Both
// in order of sequence. So the order follows from the store, and is the same after a kill. An attempt that is under way is
// not interrupted by a run that comes before it. Other keys go on.
//
// Waiting events are kept in memory while there is room. From the first one of a key that finds none, the key is spilled:
// that event and all later ones of the key are in the journal only, until Queue.refill reads them.
//
// Stored runs are kept in memory up to a sequence, those beyond are in the store only, and don't run. While there are any, no
// event without a run begins, since one of them may have its key.
type keyOrder struct {
	keys    map[string]*heldKey
	spilled map[string]*heldKey // those of keys with a rest
	starved int                 // those of spilled that are starving
	ready   []*Task             // got their key, and come next
	parked  int                 // events without a run in ready and in all waiting
	stored  int                 // runs of all keys
	upTo    int64               // the stored runs up to this sequence are known
	maxKeys int
}

// maxParkedData is how much data a waiting event may have and stay in memory; others are read again when their turn comes.
const maxParkedData = 4096

type heldKey struct {
	running  int64   // the sequence whose attempt is under way, or comes at once; 0: none
	runs     []int64 // the sequences of the runs that are stored and not over, ascending
	due      []*Task // those of them whose time came before their turn, in order of sequence
	waiting  []*Task // events without a run, in order of sequence
	rest     int64   // where the events begin that are in the journal only; 0: none are
	starving bool    // it is the turn of an event that must be read from the journal
}

// enter gives t its key, or makes it wait.
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
	case len(k.waiting) >= maxParkedKey || o.parked >= maxParked:
		k.rest = t.Seq
		o.spilled[t.key] = k
	default:
		o.park(k, t)
	}
	o.tidy(t.key, k)
	return false
}

// turn says whether t comes next of its key.
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

// hold gives a stored run its place among those of its key.
func (o *keyOrder) hold(t *Task) {
	k := o.get(t.key)
	i, known := slices.BinarySearch(k.runs, t.Seq)
	if !known {
		k.runs = slices.Insert(k.runs, i, t.Seq)
		o.stored++
	}
	o.tidy(t.key, k)
}

// park makes an event wait for k.
func (o *keyOrder) park(k *heldKey, t *Task) {
	t.Scratch = nil
	if t.Event != nil && len(t.Event.Data) > maxParkedData {
		t.Event = nil
	}
	n := len(k.waiting)
	k.waiting = insertTask(k.waiting, t)
	o.parked += len(k.waiting) - n
}

// insertTask puts t in its place by sequence, instead of one with an earlier attempt.
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

// release takes a run that is over from its key, and passes that on.
func (o *keyOrder) release(t *Task) {
	if k := o.keys[t.key]; k != nil {
		if i, known := slices.BinarySearch(k.runs, t.Seq); known {
			k.runs = slices.Delete(k.runs, i, i+1)
			o.stored--
		}
		o.pass(t, k)
	}
}

// again keeps the place of a run whose attempt has ended, and which waits for the next: one that comes before it has its turn.
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

// advance gives a free key to the task that comes next, if that waits for nothing else.
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

// tidy counts k among those that starve, or forgets it when nothing has the key.
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

// next gives a task that got its key, or nil. One that got it while there was no room for an attempt gives it back when a run that
// comes before it has been retried by hand meanwhile.
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

// partial says that there are stored runs which are not known.
func (o *keyOrder) partial() bool { return o.upTo != math.MaxInt64 }

// full says that no more keys can be held: then only what holds one goes on.
func (o *keyOrder) full() bool {
	return o.partial() || len(o.keys) >= o.maxKeys || o.stored >= o.maxKeys
}

// lowest is the lowest sequence that waits for its key and has no run.
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

// forget leaves the stored runs beyond a sequence to the store, save those whose attempt is under way.
func (o *keyOrder) forget(upTo int64) {
	o.upTo, o.stored = upTo, 0
	o.ready = slices.DeleteFunc(o.ready, func(t *Task) bool {
		gone := t.Recorded() && t.Seq > upTo
		if gone {
			o.keys[t.key].running = 0
		}
		return gone
	})
	for key, k := range o.keys {
		k.runs = slices.DeleteFunc(k.runs, func(sequence int64) bool { return sequence > upTo && sequence != k.running })
		k.due = slices.DeleteFunc(k.due, func(t *Task) bool { return t.Seq > upTo })
		o.stored += len(k.runs)
		o.tidy(key, k)
	}
}

// lower is a sequence up to which half of the stored runs lie that may be known.
func (o *keyOrder) lower() int64 {
	all := make([]int64, 0, o.stored)
	for _, k := range o.keys {
		all = append(all, k.runs...)
	}
	slices.Sort(all)
	return all[min(len(all), o.maxKeys/2)-1]
}

// complete says that all stored runs are known: events without one may begin.
func (o *keyOrder) complete() {
	if !o.partial() {
		return
	}
	o.upTo = math.MaxInt64
	for key, k := range o.keys {
		o.advance(key, k)
	}
}
