package prune

import (
	"cmp"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/schema"
)

// event is what a look knows of an event.
type event struct {
	sequence, chain, accepted int64
	id, source, typ, target   string
	bytes                     int64
	runs                      []run
	bare                      bool // there are only runs: somebody else deleted the event
	place                     int  // among the events of the look, in order of sequence
}

// run is what a look knows of a run.
type run struct {
	handler int64
	state   store.RunState
	joined  int64 // 0: none
}

func (e *event) ran(h store.HandlerID) bool {
	return slices.ContainsFunc(e.runs, func(r run) bool { return r.handler == int64(h) })
}

// chain is a chain that may go.
type chain struct {
	key    int64 // the sequence of its first event
	events []*event
	large  bool // events has only the first one
	store.Pruned
	lost losses
}

// losses are what handlers that have left lose.
type losses map[*handler]store.Lost

func (l losses) add(h *handler, events, runs int64) {
	sum := l[h]
	l[h] = store.Lost{Handler: h.Name, Events: sum.Events + events, Runs: sum.Runs + runs}
}

func (l losses) addAll(more losses) {
	for h, n := range more {
		l.add(h, n.Events, n.Runs)
	}
}

// look is what one step looks at.
type look struct {
	p       *Pruner
	q       store.PruneQuery
	until   int64
	now     int64
	needs   *needs
	scanned int64 // as stored

	events  map[int64]*event // by their sequences
	sorted  []*event
	going   []*chain
	pruned  store.Pruned
	lost    losses
	kept    map[keptFor]store.Kept
	reached int64
	known   int64 // up to here, all events and runs of the journal from the query's After on are in events
	end     bool
	next    time.Time
}

type keptFor struct {
	reason  store.KeepReason
	handler string
}

const (
	// wrongClock is how far in the future an event was accepted if the clock was wrong then. It keeps its own chain only.
	wrongClock = time.Hour
	// batchMoves is how long after its last step an action on a selection is taken for one that goes on.
	batchMoves = time.Hour
	// The sizes of rows beside their texts, about.
	eventRow, runRow = 60, 40
)

// look looks at the next events.
func (p *Pruner) look(q store.PruneQuery) (*look, error) {
	l := &look{p: p, q: q, until: schema.Micros(q.Until), now: p.now(), events: map[int64]*event{}, lost: losses{},
		kept: map[keptFor]store.Kept{}, reached: q.After}
	err := p.query(`SELECT scanned FROM pruning`, func(row []driver.Value) error {
		l.scanned, _ = row[0].(int64)
		return nil
	})
	if err != nil {
		return nil, err
	}
	moves := false
	err = p.query(`SELECT 1 FROM batches WHERE ended_at IS NULL AND ifnull(changed_at, started_at) > ? LIMIT 1`, func([]driver.Value) error {
		moves = true
		return nil
	}, l.now-batchMoves.Microseconds())
	if err != nil || moves {
		l.end = true
		l.keep(store.KeptBatch, nil, &chain{key: q.After + 1})
		return l, err
	}
	if l.needs, err = p.needs(); err != nil {
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
			l.reached, l.end = c.key, false
			break
		}
	}
	return l, nil
}

// eventColumns are the columns of an event, as scan reads them.
const eventColumns = `e.sequence, ifnull(e.chain, e.sequence), e.accepted_at, e.id, e.source, e.type,
	CASE WHEN e.extensions IS NOT NULL THEN e.extensions ->> '` + columns.TargetKey + `' END, ifnull(octet_length(e.data), 0) + ifnull(octet_length(e.extensions), 0)`

func scan(row []driver.Value) *event {
	e := &event{sequence: row[0].(int64), chain: row[1].(int64), accepted: row[2].(int64)}
	e.id, _ = row[3].(string)
	e.source, _ = row[4].(string)
	e.typ, _ = row[5].(string)
	e.target, _ = row[6].(string)
	bytes, _ := row[7].(int64)
	e.bytes = bytes + int64(eventRow+2*(len(e.id)+len(e.source))+len(e.typ))
	return e
}

// window reads the next events in the order of the journal, up to one that is not old enough.
func (l *look) window() (list []*event, err error) {
	upTo := l.q.UpTo
	if upTo == 0 {
		upTo = 1<<63 - 1
	}
	future := l.now + wrongClock.Microseconds()
	n, before := 0, int64(0) // when the event before was accepted
	err = l.p.query(`SELECT accepted_at FROM events WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1`, func(row []driver.Value) error {
		before, _ = row[0].(int64)
		return nil
	}, l.q.After)
	if err != nil {
		return nil, err
	}
	err = l.p.query(`SELECT `+eventColumns+` FROM events e WHERE e.sequence > ? AND e.sequence <= ? ORDER BY e.sequence LIMIT ?`, func(row []driver.Value) error {
		if n++; l.end {
			return nil
		}
		e := scan(row)
		accepted := e.accepted
		if before > accepted && before < future { // the clock was set back: the event is not older than those before it
			accepted = before
		}
		before = accepted
		if accepted >= l.until && accepted < future {
			l.end, l.next = true, schema.Time(accepted)
			return nil
		}
		list = append(list, e)
		l.reached = e.sequence
		return nil
	}, l.q.After, upTo, int64(lookAt))
	if n < lookAt {
		l.end = true
	}
	return list, err
}

// behind returns the later events of the chains that begin in a window, and the end of the part of the window whose chains can be read in this step. late is
// a chain that has too many events to read.
func (l *look) behind(window []*event) (more []*event, last int64, late *chain, err error) {
	last = window[len(window)-1].sequence
	if more, err = l.members(window[0].sequence, last, last); err != nil || len(more) <= maxMembers {
		return more, last, nil, err
	}
	l.end, l.next = false, time.Time{}
	key := more[len(more)-1].chain
	if more[0].chain == key {
		l.reached = key
		return nil, key, &chain{key: key, large: true, lost: losses{}}, nil
	}
	l.reached = key - 1 // it is the first one of the next step
	return slices.DeleteFunc(more, func(e *event) bool { return e.chain >= key }), key - 1, nil, nil
}

// chains returns the chains that begin in a window, in order, with all of their events and runs.
func (l *look) chains(window []*event) (list []*chain, err error) {
	byKey := map[int64]*chain{}
	add := func(e *event) {
		c := byKey[e.chain]
		if c == nil {
			c = &chain{key: e.sequence, lost: losses{}}
			byKey[e.chain] = c
			list = append(list, c)
		}
		c.events = append(c.events, e)
		l.events[e.sequence] = e
	}
	more, last, late, err := l.behind(window)
	if err != nil {
		return nil, err
	}
	for _, e := range window {
		l.events[e.sequence] = e
	}
	for _, e := range window {
		switch {
		case e.sequence > last:
		case late != nil && e.sequence == late.key:
			late.events = []*event{e}
			list = append(list, late)
		case e.chain == e.sequence || byKey[e.chain] != nil:
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
		if byKey[e.chain] != nil {
			add(e)
		}
	}
	l.known = last
	if err := l.runsOf(more, last); err != nil {
		return nil, err
	}
	for sequence, e := range l.events {
		if e.bare && sequence <= last {
			e.chain = sequence
			add(e)
		}
	}
	l.sort()
	for _, c := range list {
		c.large = c.large || len(c.events) > maxChain
	}
	slices.SortFunc(list, func(a, b *chain) int { return cmp.Compare(a.key, b.key) })
	return list, nil
}

// orphaned looks at an event whose chain began before the window. If it now is what begins the chain, the rest are the chain's later events.
func (l *look) orphaned(e *event, last int64) (rest []*event, begins bool, err error) {
	if begins, err = l.begins(e); err != nil || !begins {
		return nil, false, err
	}
	rest, err = l.members(e.chain, e.chain, last)
	return rest, true, err
}

// runsOf reads the runs of a window up to its end, and of the events behind it.
func (l *look) runsOf(more []*event, last int64) error {
	if err := l.runs(l.events, `sequence > ? AND sequence <= ?`, l.q.After, last); err != nil {
		return err
	}
	return l.runs(l.events, listed, sequencesOf(more))
}

// sort numbers the events of the look.
func (l *look) sort() {
	l.sorted = slices.SortedFunc(maps.Values(l.events), func(a, b *event) int { return cmp.Compare(a.sequence, b.sequence) })
	for i, e := range l.sorted {
		e.place = i
	}
}

// maxMembers is how many events behind the window are read for the chains that begin in it.
const maxMembers = 4 * maxChain

// members reads events behind a sequence that belong to the chains from one key to another, chain by chain; at most maxMembers+1.
func (l *look) members(first, last, behind int64) (list []*event, err error) {
	err = l.p.query(`SELECT `+eventColumns+` FROM events e INDEXED BY events_chain WHERE e.chain >= ? AND e.chain <= ? AND e.sequence > ?
		ORDER BY e.chain, e.sequence LIMIT ?`, func(row []driver.Value) error {
		list = append(list, scan(row))
		return nil
	}, first, last, behind, int64(maxMembers+1))
	return list, err
}

// begins reports whether an event is the first one that is left of its chain.
func (l *look) begins(e *event) (bool, error) {
	first := e.sequence
	err := l.p.query(`SELECT 1 FROM events WHERE sequence = ?1 UNION ALL SELECT 1 FROM events WHERE chain = ?1 AND sequence < ?2 LIMIT 1`,
		func([]driver.Value) error {
			first = 0
			return nil
		}, e.chain, e.sequence)
	return first != 0, err
}

// listed is a condition on the sequence.
const listed = `sequence IN (SELECT value FROM json_each(?))`

func sequencesOf(list []*event) string {
	sequences := make([]int64, len(list))
	for i, e := range list {
		sequences[i] = e.sequence
	}
	text, _ := events.MarshalJSON(sequences) // whole numbers always can be
	return string(text)
}

// runs reads the runs under a condition into their events, and makes bare ones for those that have none.
func (l *look) runs(into map[int64]*event, condition string, args ...driver.Value) error {
	err := l.p.query(`SELECT sequence, handler, state, joined, ifnull(octet_length(error), 0) + ifnull(octet_length(reason), 0) FROM runs WHERE `+condition,
		func(row []driver.Value) error {
			sequence, _ := row[0].(int64)
			e := into[sequence]
			if e == nil {
				e = &event{sequence: sequence, chain: sequence, bare: true}
				into[sequence] = e
			}
			var r run
			r.handler, _ = row[1].(int64)
			state, _ := row[2].(int64)
			r.state = store.RunState(state)
			r.joined, _ = row[3].(int64)
			bytes, _ := row[4].(int64)
			e.runs = append(e.runs, r)
			e.bytes += runRow + bytes
			return nil
		}, args...)
	if err != nil {
		return err
	}
	return l.p.query(`SELECT sequence, octet_length(text) FROM run_outputs WHERE `+condition, func(row []driver.Value) error {
		sequence, _ := row[0].(int64)
		if e := into[sequence]; e != nil {
			bytes, _ := row[1].(int64)
			e.bytes += runRow + bytes
		}
		return nil
	}, args...)
}

// step is what the look found.
func (l *look) step() store.PruneStep {
	step := store.PruneStep{Pruned: l.pruned, Reached: l.reached, End: l.end, Next: l.next}
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
