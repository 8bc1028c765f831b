package prune

import (
	"database/sql/driver"

	"evrun/store"
)

// judge has a chain go, or notes why it is kept.
func (l *look) judge(c *chain) error {
	reason, by, err := l.neededBy(c, c.events)
	if err == nil && reason == "" && c.large && len(c.events) == 1 {
		reason, by, err = l.rest(c)
	}
	if err != nil {
		return err
	}
	if reason != "" {
		l.keep(reason, by, c)
		return nil
	}
	l.going = append(l.going, c)
	l.pruned.Add(c.Pruned)
	l.lost.addAll(c.lost)
	return nil
}

// rest judges the events of a large chain after its first one, page by page.
func (l *look) rest(c *chain) (reason store.KeepReason, by *handler, err error) {
	for after := c.key; ; {
		var page []*event
		err := l.p.query(`SELECT `+eventColumns+` FROM events e INDEXED BY events_chain WHERE e.chain = ? AND e.sequence > ? ORDER BY e.sequence LIMIT ?`,
			func(row []driver.Value) error {
				page = append(page, scan(row))
				return nil
			}, c.events[0].chain, after, int64(lookAt))
		if err != nil || len(page) == 0 {
			return "", nil, err
		}
		known := map[int64]*event{}
		for _, e := range page {
			known[e.sequence] = e
		}
		if err := l.runs(known, listed, sequencesOf(page)); err != nil {
			return "", nil, err
		}
		if reason, by, err := l.neededBy(c, page); err != nil || reason != "" {
			return reason, by, err
		}
		after = page[len(page)-1].sequence
	}
}

// neededBy returns why a chain is needed for one of these events of it; empty: it isn't. Then it has counted them.
func (l *look) neededBy(c *chain, list []*event) (reason store.KeepReason, by *handler, err error) {
	for _, e := range list {
		if e.accepted >= l.until {
			return store.KeptYoung, nil, nil
		}
		if l.needs.start >= 0 && e.sequence > l.needs.start && !e.bare {
			return store.KeptStart, nil, nil
		}
		if h := l.needs.waiting(e, func(h *handler) { c.lost.add(h, 1, 0) }); h != nil {
			return store.KeptWaiting, h, nil
		}
		for i := range e.runs {
			r := e.runs[i]
			if r.joined != 0 { // the run that has it needs its event, too
				if r.state, err = l.stateOf(r.joined, r.handler); err != nil {
					return "", nil, err
				}
			}
			lost := func(h *handler) {
				if r.joined == 0 {
					c.lost.add(h, 0, 1)
				}
			}
			if reason, by := l.needs.unfinished(&r, lost); reason != "" {
				return reason, by, nil
			}
		}
		if !e.bare {
			c.Events++
		}
		c.Runs += int64(len(e.runs))
		c.Bytes += e.bytes
	}
	if c.Chains == 0 && c.Events > 0 {
		c.Chains = 1
	}
	return "", nil, nil
}

// stateOf returns the state of the run of a handler on an event; 0: there is none.
func (l *look) stateOf(sequence, handler int64) (state store.RunState, err error) {
	err = l.p.query(`SELECT state FROM runs WHERE sequence = ? AND handler = ?`, func(row []driver.Value) error {
		n, _ := row[0].(int64)
		state = store.RunState(n)
		return nil
	}, sequence, handler)
	return state, err
}

// keep counts a chain that is kept. Of a large one, the first events are counted.
func (l *look) keep(reason store.KeepReason, by *handler, c *chain) {
	key := keptFor{reason: reason}
	if by != nil {
		key.handler = by.Name
	}
	k, ok := l.kept[key]
	if !ok {
		k = store.Kept{Reason: reason, Handler: key.handler, First: c.key}
	}
	k.Chains++
	k.Events += int64(len(c.events))
	l.kept[key] = k
}
