package chains

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"evrun/store"
)

// Look is what one step looked at.
type Look struct {
	Query   store.PruneQuery
	Until   int64 // as in the query
	Now     int64
	Going   []*Chain // in order
	Reached int64
	Needs   *Needs

	s       Source
	scanned int64 // as stored

	events map[int64]*Event // by their sequences
	pruned store.Pruned
	lost   Losses
	kept   map[keptFor]store.Kept
	known  int64 // up to here, all events and runs of the journal from the query's After on are in events
	end    bool
	next   time.Time
}

type keptFor struct {
	reason  store.KeepReason
	handler string
}

const (
	lookAt = 512 // events
	// MaxChain is how many events a chain has at most that goes in one transaction.
	MaxChain = 1000
	// maxMembers is how many events behind the window are read for the chains that begin in it.
	maxMembers = 4 * MaxChain
	// wrongClock is how far in the future an event was accepted if the clock was wrong then. It keeps its own chain only.
	wrongClock = time.Hour
	// batchMoves is how long after its last step an action on a selection is taken for one that goes on.
	batchMoves = time.Hour
)

// NewLook looks at the next events after a query's After.
func NewLook(s Source, q store.PruneQuery, now time.Time) (*Look, error) {
	l := &Look{s: s, Query: q, Until: q.Until.UnixMicro(), Now: now.UnixMicro(), events: map[int64]*Event{}, lost: Losses{},
		kept: map[keptFor]store.Kept{}, Reached: q.After}
	var err error
	if l.scanned, err = s.Scanned(); err != nil {
		return nil, err
	}
	moves, err := s.Moving(l.Now - batchMoves.Microseconds())
	if err != nil || moves {
		l.end = true
		l.keep(store.KeptBatch, nil, &Chain{Key: q.After + 1})
		return l, err
	}
	if l.Needs, err = readNeeds(s, now); err != nil {
		return nil, err
	}
	first, err := l.window()
	if err != nil || len(first) == 0 {
		return l, err
	}
	chains, err := l.chains(first)
	if err != nil {
		return nil, err
	}
	for _, c := range chains {
		if err := l.judge(c); err != nil {
			return nil, err
		}
		if q.Bytes > 0 && l.pruned.Bytes >= q.Bytes {
			l.Reached, l.end = c.Key, false
			break
		}
	}
	return l, nil
}

// Advances reports whether the look continues where the journal was looked at before.
func (l *Look) Advances() bool {
	return !l.Query.Look && l.Query.After <= l.scanned && l.Reached > l.scanned
}

// Follows reports whether nothing is between two events but sequences that have neither event nor run.
func (l *Look) Follows(a, b *Event) bool {
	return b.Sequence == a.Sequence+1 || b.Sequence <= l.known && b.place == a.place+1
}

// window reads the next events in the order of the journal, up to one that is not old enough.
func (l *Look) window() (list []*Event, err error) {
	upTo := l.Query.UpTo
	if upTo == 0 {
		upTo = math.MaxInt64
	}
	future := l.Now + wrongClock.Microseconds()
	before, err := l.s.AcceptedAt(l.Query.After)
	if err != nil {
		return nil, err
	}
	list, err = l.s.Window(l.Query.After, upTo, lookAt)
	if err != nil {
		return nil, err
	}
	l.end = len(list) < lookAt
	for i, e := range list {
		accepted := e.Accepted
		if before > accepted && before < future { // the clock was set back: the event is not older than those before it
			accepted = before
		}
		before = accepted
		if accepted >= l.Until && accepted < future {
			l.end, l.next = true, time.UnixMicro(accepted).UTC()
			return list[:i], nil
		}
		l.Reached = e.Sequence
	}
	return list, nil
}

// behind returns the later events of the chains that begin in a window, and the end of the part of the window whose chains can be read in this step. late is
// a chain that has too many events to read.
func (l *Look) behind(window []*Event) (more []*Event, last int64, late *Chain, err error) {
	last = window[len(window)-1].Sequence
	if more, err = l.s.Members(window[0].Sequence, last, last, maxMembers+1); err != nil || len(more) <= maxMembers {
		return more, last, nil, err
	}
	l.end, l.next = false, time.Time{}
	key := more[len(more)-1].Chain
	if more[0].Chain == key {
		l.Reached = key
		return nil, key, &Chain{Key: key, Large: true, Lost: Losses{}}, nil
	}
	l.Reached = key - 1 // it is the first one of the next step
	return slices.DeleteFunc(more, func(e *Event) bool { return e.Chain >= key }), key - 1, nil, nil
}

// chains returns the chains that begin in a window, in order, with all of their events and runs.
func (l *Look) chains(window []*Event) (list []*Chain, err error) {
	byKey := map[int64]*Chain{}
	add := func(e *Event) {
		c := byKey[e.Chain]
		if c == nil {
			c = &Chain{Key: e.Sequence, Lost: Losses{}}
			byKey[e.Chain] = c
			list = append(list, c)
		}
		c.Events = append(c.Events, e)
		l.events[e.Sequence] = e
	}
	more, last, late, err := l.behind(window)
	if err != nil {
		return nil, err
	}
	for _, e := range window {
		l.events[e.Sequence] = e
	}
	for _, e := range window {
		switch {
		case e.Sequence > last:
		case late != nil && e.Sequence == late.Key:
			late.Events = []*Event{e}
			list = append(list, late)
		case e.Chain == e.Sequence || byKey[e.Chain] != nil:
			add(e)
		default: // its chain began before: it was kept, or what began it is gone
			rest, begins, err := l.orphaned(e, last)
			if err != nil {
				return nil, err
			}
			if !begins {
				continue
			}
			add(e)
			more = append(more, rest...)
		}
	}
	for _, e := range more {
		if byKey[e.Chain] != nil {
			add(e)
		}
	}
	l.known = last
	if err := l.runsUpTo(last, more); err != nil {
		return nil, err
	}
	for sequence, e := range l.events {
		if e.Bare && sequence <= last {
			e.Chain = sequence
			add(e)
		}
	}
	l.number()
	for _, c := range list {
		c.Large = c.Large || len(c.Events) > MaxChain
	}
	slices.SortFunc(list, func(a, b *Chain) int { return cmp.Compare(a.Key, b.Key) })
	return list, nil
}

// number numbers the events of the look.
func (l *Look) number() {
	for i, e := range slices.SortedFunc(maps.Values(l.events), func(a, b *Event) int { return cmp.Compare(a.Sequence, b.Sequence) }) {
		e.place = i
	}
}

// orphaned looks at an event whose chain began before the window. If it now is what begins the chain, the rest are the chain's later events.
func (l *Look) orphaned(e *Event, last int64) (rest []*Event, begins bool, err error) {
	before, err := l.s.Before(e.Chain, e.Sequence)
	if err != nil || before {
		return nil, false, err
	}
	rest, err = l.s.Members(e.Chain, e.Chain, last, maxMembers+1)
	return rest, true, err
}

// runsUpTo reads the runs of a window up to its end, and of the events behind it.
func (l *Look) runsUpTo(last int64, more []*Event) error {
	runs, outputs, err := l.s.RunsBetween(l.Query.After, last)
	if err != nil {
		return err
	}
	addRuns(l.events, runs, outputs)
	return l.runs(l.events, more)
}

// runs reads the runs of some events.
func (l *Look) runs(into map[int64]*Event, list []*Event) error {
	if len(list) == 0 {
		return nil
	}
	sequences := make([]int64, len(list))
	for i, e := range list {
		sequences[i] = e.Sequence
	}
	runs, outputs, err := l.s.RunsOf(sequences)
	if err != nil {
		return err
	}
	addRuns(into, runs, outputs)
	return nil
}

// addRuns adds runs to their events, and makes bare ones for those that have none.
func addRuns(into map[int64]*Event, runs []Run, outputs []Output) {
	for _, r := range runs {
		e := into[r.Sequence]
		if e == nil {
			e = &Event{Sequence: r.Sequence, Chain: r.Sequence, Bare: true}
			into[r.Sequence] = e
		}
		e.Runs = append(e.Runs, r)
		e.Bytes += runRow + r.Bytes
	}
	for _, o := range outputs {
		if e := into[o.Sequence]; e != nil {
			e.Bytes += runRow + o.Bytes
		}
	}
}

// Step is what the look found.
func (l *Look) Step() store.PruneStep {
	step := store.PruneStep{Pruned: l.pruned, Reached: l.Reached, End: l.end, Next: l.next}
	for _, n := range l.lost {
		step.Lost = append(step.Lost, n)
	}
	slices.SortFunc(step.Lost, func(a, b store.Lost) int { return cmp.Compare(a.Handler, b.Handler) })
	for _, k := range l.kept {
		step.Kept = append(step.Kept, k)
	}
	slices.SortFunc(step.Kept, func(a, b store.Kept) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Handler, b.Handler))
	})
	return step
}
