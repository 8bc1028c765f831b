package chains

import "evrun/store"

// judge has a chain go, or notes why it is kept.
func (l *Look) judge(c *Chain) error {
	reason, by, err := l.neededBy(c, c.Events)
	if err == nil && reason == "" && c.Large && len(c.Events) == 1 {
		reason, by, err = l.rest(c)
	}
	if err != nil {
		return err
	}
	if reason != "" {
		l.keep(reason, by, c)
		return nil
	}
	l.Going = append(l.Going, c)
	l.pruned.Add(c.Pruned)
	l.lost.Add(c.Lost)
	return nil
}

// rest judges the events of a large chain after its first one, page by page.
func (l *Look) rest(c *Chain) (reason store.KeepReason, by *handler, err error) {
	for after := c.Key; ; {
		key := c.Events[0].Chain
		page, err := l.s.Members(key, key, after, lookAt)
		if err != nil || len(page) == 0 {
			return "", nil, err
		}
		known := map[int64]*Event{}
		for _, e := range page {
			known[e.Sequence] = e
		}
		if err := l.runs(known, page); err != nil {
			return "", nil, err
		}
		if reason, by, err := l.neededBy(c, page); err != nil || reason != "" {
			return reason, by, err
		}
		after = page[len(page)-1].Sequence
	}
}

// neededBy returns why a chain is needed for one of these events of it; empty: it isn't. Then it has counted them.
func (l *Look) neededBy(c *Chain, list []*Event) (reason store.KeepReason, by *handler, err error) {
	for _, e := range list {
		if e.Accepted >= l.Until {
			return store.KeptYoung, nil, nil
		}
		if l.Needs.start >= 0 && e.Sequence > l.Needs.start && !e.Bare {
			return store.KeptStart, nil, nil
		}
		if h := l.Needs.waiting(e, func(h *handler) { c.Lost.add(h, 1, 0) }); h != nil {
			return store.KeptWaiting, h, nil
		}
		for i := range e.Runs {
			r := e.Runs[i]
			if r.Joined != 0 { // the run that has it needs its event, too
				if r.State, err = l.s.StateOf(r.Joined, r.Handler); err != nil {
					return "", nil, err
				}
			}
			lost := func(h *handler) {
				if r.Joined == 0 {
					c.Lost.add(h, 0, 1)
				}
			}
			if reason, by := l.Needs.unfinished(&r, lost); reason != "" {
				return reason, by, nil
			}
		}
		if !e.Bare {
			c.Pruned.Events++
		}
		c.Runs += int64(len(e.Runs))
		c.Bytes += e.Bytes
	}
	if c.Chains == 0 && c.Pruned.Events > 0 {
		c.Chains = 1
	}
	return "", nil, nil
}

// keep counts a chain that is kept. Of a large one, the first events are counted.
func (l *Look) keep(reason store.KeepReason, by *handler, c *Chain) {
	key := keptFor{reason: reason}
	if by != nil {
		key.handler = by.Name
	}
	k, ok := l.kept[key]
	if !ok {
		k = store.Kept{Reason: reason, Handler: key.handler, First: c.Key}
	}
	k.Chains++
	k.Events += int64(len(c.Events))
	l.kept[key] = k
}
