package nodes

import (
	"time"

	"evrun/store"
)

// lease implements [store.Lease]. The member's mu guards its fields.
type lease struct {
	m        *Member
	handler  store.HandlerID
	division string
	changed  chan struct{}
	closed   chan struct{} // closed when its slots are given back, or lost
	ended    bool          // closed is closed

	have   store.Slots // stored as the node's, and not given
	giving store.Slots // given, and still stored as the node's

	// Of the next Take.

	gained []store.Grant
	asked  store.Slots
	lost   store.Slots

	// Of earlier ones.

	taken store.Slots
	shed  store.Slots // asked for, and not given yet
}

// C implements [store.Lease].
func (l *lease) C() <-chan struct{} { return l.changed }

// Take implements [store.Lease].
func (l *lease) Take() store.LeaseChange {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	c := store.LeaseChange{Gained: l.gained, Asked: l.asked & l.have, Lost: l.lost}
	for _, g := range l.gained {
		l.taken |= g.Slots
	}
	l.gained, l.asked, l.lost = nil, 0, 0
	return c
}

// Give implements [store.Lease].
func (l *lease) Give(slots store.Slots) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.give(slots)
	l.m.Wake()
}

func (l *lease) give(slots store.Slots) {
	slots &= l.have // it may have lost them meanwhile
	l.have &^= slots
	l.taken &^= slots
	l.shed &^= slots
	l.giving |= slots
}

// Close implements [store.Lease].
func (l *lease) Close() {
	l.m.mu.Lock()
	if l.m.leases[l.handler] == l {
		delete(l.m.leases, l.handler)
		if l.m.id == 0 {
			l.close()
		} else {
			l.m.closing = append(l.m.closing, l)
			l.m.Wake()
		}
	}
	l.m.mu.Unlock()
	select {
	case <-l.closed:
	case <-time.After(time.Second):
	}
}

func (l *lease) close() {
	if !l.ended {
		l.ended = true
		close(l.closed)
	}
}

// gain notes slots that are stored as the node's.
func (l *lease) gain(gained []store.Grant) {
	if len(gained) == 0 {
		return
	}
	for _, g := range gained {
		l.have |= g.Slots
	}
	l.gained = append(l.gained, gained...)
	signal(l.changed)
}

// ask asks for slots.
func (l *lease) ask(slots store.Slots) {
	if slots == 0 {
		return
	}
	// What the worker has never seen needs no asking.
	var unseen store.Slots
	rest := l.gained[:0]
	for _, g := range l.gained {
		unseen |= g.Slots & slots
		if g.Slots &^= slots; g.Slots != 0 {
			rest = append(rest, g)
		}
	}
	l.gained = rest
	l.give(unseen)
	if slots &^= unseen; slots != 0 {
		l.asked |= slots
		l.shed |= slots
		signal(l.changed)
	}
}

// lose notes slots that are not the node's any more.
func (l *lease) lose(slots store.Slots) {
	if slots &= l.have | l.giving; slots == 0 {
		return
	}
	l.lost |= slots & l.taken
	rest := l.gained[:0]
	for _, g := range l.gained {
		if g.Slots &^= slots; g.Slots != 0 {
			rest = append(rest, g)
		}
	}
	l.gained = rest
	l.have &^= slots
	l.giving &^= slots
	l.taken &^= slots
	l.asked &^= slots
	l.shed &^= slots
	if l.lost != 0 {
		signal(l.changed)
	}
}

// nothing is the lease of a process that is no daemon: it never has any slots.
type nothing struct{}

// Nothing returns a lease that never has any slots.
func Nothing() store.Lease { return nothing{} }

func (nothing) C() <-chan struct{}      { return nil }
func (nothing) Take() store.LeaseChange { return store.LeaseChange{} }
func (nothing) Give(store.Slots)        {}
func (nothing) Close()                  {}
