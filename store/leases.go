package store

import (
	"context"
	"hash/fnv"
	"math"
	"math/bits"
	"time"
)

// SlotCount is how many slots the events of a handler are divided among.
const SlotCount = 64

// Slots is a set of slots: bit i stands for slot i.
type Slots uint64

// AllSlots is the set of all slots.
const AllSlots Slots = math.MaxUint64

// Has reports whether a slot is in the set.
func (s Slots) Has(slot int) bool { return s>>slot&1 == 1 }

// Len is the number of slots in the set.
func (s Slots) Len() int { return bits.OnesCount64(uint64(s)) }

// SlotOf is the slot of an event of a handler without order.
func SlotOf(sequence int64) int { return int(sequence % SlotCount) }

// SlotOfKey is the slot of all events with an order key: its FNV-1a hash, which is the same on every machine.
func SlotOfKey(key string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // it never fails
	return int(h.Sum64() % SlotCount)
}

// Leases share the work of the handlers among the daemons of a store. Each event of a handler is in one slot, and one daemon at a time holds a slot: it
// alone runs the handler on the slot's events. A store that only one daemon can open gives it all slots for good.
//
// A daemon that can't renew its leases loses them: at first by its own clock, before they can go to others. What it starts or settles afterwards is
// fenced off, as after another attempt: see [Runs].
type Leases interface {
	// Hold asks for slots of a handler that the store has just returned, or of one of the leads (only the ID is set), until the lease is closed. It does
	// not wait for them.
	Hold(ctx context.Context, c Consumer, d Division) (Lease, error)
	// Nodes returns the daemons that share the store, in the order of their starts; one that owns its store is not listed.
	Nodes(ctx context.Context) ([]Node, error)
}

// The leads are held like handlers with a single slot: one daemon at a time does this work for all.
const (
	LeadSchedules HandlerID = -1
	LeadRetention HandlerID = -2
)

// Division says how the events of a handler are divided among slots, and which daemons may hold them.
type Division struct {
	// Single says that all events are in slot 0, so that one daemon runs them all.
	Single bool
	// Key identifies what finds the order key of an event, such as the text of the expression; empty: there is none, and slots are found by sequence.
	// Daemons with different divisions of a handler never hold slots of it at the same time.
	Key string
}

// Lease is what a daemon holds of a handler. One goroutine uses it.
type Lease interface {
	// C has a token after something has changed.
	C() <-chan struct{}
	// Take returns what has changed since the last call. Slots that it returns as gained are the caller's from then on.
	Take() LeaseChange
	// Give returns slots whose attempts have ended and are settled, with the mark that all of them have reached. It does not wait.
	Give(slots Slots)
	// Close gives all slots back. It waits, for a second at most, until that is stored.
	Close()
}

// LeaseChange is a change of what a daemon holds.
type LeaseChange struct {
	Gained []Grant
	// Asked are slots that another daemon is to have: the holder begins no more attempts of them, and gives each as soon as its attempts have ended.
	Asked Slots
	// Lost are slots that were taken away. Attempts of them must end at once; the store fences them off.
	Lost Slots
}

// Grant is a set of slots that a daemon has gained.
type Grant struct {
	Slots    Slots
	LowWater int64 // every event of the slots up to here has a run
	// Node is the holder's number, which claims and settlements of the slots name: see [SettleBatch]. 0: the store has one daemon.
	Node int64
}

// Node is a daemon that shares the store.
type Node struct {
	ID       int64
	Name     string
	Version  string // of evrun
	Started  time.Time
	Expires  time.Time // of its leases, if it does not renew them
	Self     bool      // this process
	Labels   []string
	Wiring   string // identifies the text of its wiring file
	Holdings []Holding
}

// Holding is what a node holds of a handler or a lead.
type Holding struct {
	Handler HandlerID
	Name    string // of the handler, or "schedules" and "retention"
	Slots   Slots
}
