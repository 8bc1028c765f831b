package nodes

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"slices"

	"evrun/store"
)

// single is the division of handlers whose events one node runs.
const single = "single"

// divisionOf is a division as it is stored.
func divisionOf(d store.Division) string {
	switch {
	case d.Single:
		return single
	case d.Key == "":
		return "sequence"
	}
	return "key " + d.Key
}

// share is a row of evrun.shares.
type share struct {
	id    int64
	slots store.Slots
	node  int64 // 0: free
	mark  int64
}

// want is a row of evrun.wants.
type want struct {
	node     int64
	division string
}

// handler is what is stored of a handler's sharing.
type handler struct {
	id       store.HandlerID
	open     bool   // it may run
	division string // empty: none yet
	shares   []share
	wants    []want
}

// plan is what a node does about a handler.
type plan struct {
	take     store.Slots // of the free ones
	shed     int         // how many slots it has above its quota
	redivide bool        // the events are divided anew: nobody else holds slots
}

// plan says what node me, which divides the events by division, does. Slots in giving are as good as free.
func (h *handler) plan(me int64, division string, giving store.Slots) (p plan) {
	var have, free store.Slots
	others := false
	for _, s := range h.shares {
		switch s.node {
		case me:
			have |= s.slots
		case 0:
			free |= s.slots
		default:
			others = true
		}
	}
	have &^= giving
	quota := 0
	if division == h.division || !others {
		quota = h.quota(me, division)
	}
	if n := have.Len() - quota; n > 0 {
		p.shed = n
		return p
	}
	p.take = lowest(free, quota-have.Len())
	p.redivide = p.take != 0 && division != h.division
	return p
}

// quota is how many slots a node has when everybody has its part.
func (h *handler) quota(me int64, division string) int {
	if !h.open {
		return 0
	}
	var among []int64
	for _, w := range h.wants {
		if w.division == division {
			among = append(among, w.node)
		}
	}
	slices.Sort(among)
	at := slices.Index(among, me)
	if at < 0 {
		return 0
	}
	if division == single {
		if me == slices.MaxFunc(among, func(a, b int64) int { return cmp.Compare(h.weight(a), h.weight(b)) }) {
			return store.SlotCount
		}
		return 0
	}
	// Who gets one of the slots that remain differs by handler.
	n := len(among)
	quota := store.SlotCount / n
	if (at+int(max(h.id, -h.id)))%n < store.SlotCount%n {
		quota++
	}
	return quota
}

// weight decides which node has a handler that only one can have: the heaviest, so that a node that comes or goes moves few handlers (rendezvous
// hashing).
func (h *handler) weight(node int64) uint64 {
	f := fnv.New64a()
	_, _ = f.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(h.id)), uint64(node))) // it never fails
	w := f.Sum64()
	// FNV hardly mixes the last bytes: the finalizer of MurmurHash3 does.
	w ^= w >> 33
	w *= 0xff51afd7ed558ccd
	w ^= w >> 33
	w *= 0xc4ceb9fe1a85ec53
	return w ^ w>>33
}

// move returns the shares after some slots of node me were given, and free ones taken by it. Shares of others are left out. Those with the same holder
// and mark are merged.
func (h *handler) move(me int64, giving store.Slots, p plan) (after []share) {
	least := int64(0)
	if p.redivide {
		least = slices.MinFunc(h.shares, func(a, b share) int { return cmp.Compare(a.mark, b.mark) }).mark
	}
	add := func(slots store.Slots, node, mark int64) {
		if slots == 0 {
			return
		}
		if p.redivide {
			mark = least
		}
		for i := range after {
			if after[i].node == node && after[i].mark == mark {
				after[i].slots |= slots
				return
			}
		}
		after = append(after, share{slots: slots, node: node, mark: mark})
	}
	for _, s := range h.shares {
		switch s.node {
		case me:
			add(s.slots&^giving, me, s.mark)
			add(s.slots&giving, 0, s.mark)
		case 0:
			add(s.slots&p.take, me, s.mark)
			add(s.slots&^p.take, 0, s.mark)
		}
	}
	return after
}

// mergeable reports whether shares of node me have the same mark.
func (h *handler) mergeable(me int64) bool {
	marks := map[int64]bool{}
	for _, s := range h.shares {
		if s.node == me {
			if marks[s.mark] {
				return true
			}
			marks[s.mark] = true
		}
	}
	return false
}

// lowest returns the n lowest slots of a set.
func lowest(s store.Slots, n int) (l store.Slots) {
	for ; n > 0 && s != 0; n-- {
		bit := s & -s
		l |= bit
		s &^= bit
	}
	return l
}

// highest returns the n highest slots of a set.
func highest(s store.Slots, n int) (h store.Slots) {
	for ; n > 0 && s != 0; n-- {
		bit := store.Slots(1) << (63 - bits.LeadingZeros64(uint64(s)))
		h |= bit
		s &^= bit
	}
	return h
}
