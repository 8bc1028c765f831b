package prune

import (
	"database/sql/driver"
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/schema"
)

// needs says who needs an event or a run.
type needs struct {
	handlers []*handler
	byID     map[int64]*handler
	byType   map[string][]*handler // whose patterns match; filled as types occur
	start    int64                 // events after it are for handlers that are not known yet; -1: there are none
}

// handler is a handler as far as pruning minds.
type handler struct {
	store.Consumer
	keeps bool // it is in the wiring, or may return, or another handler is about to take over from it
}

// needs reads the handlers.
func (p *Pruner) needs() (*needs, error) {
	n := &needs{byID: map[int64]*handler{}, byType: map[string][]*handler{}, start: -1}
	now := schema.Time(p.now())
	err := p.query(`SELECT `+schema.HandlerColumns+` FROM handlers`, func(row []driver.Value) error {
		h := schema.ScanHandler(row)
		c := &handler{Consumer: h.Consumer()}
		c.keeps = c.State == store.Active || c.State == store.Left && !c.Left.IsZero() && now.Sub(c.Left) <= store.ReturnWithin
		n.byID[h.ID] = c
		if c.State != store.Forgotten {
			n.handlers = append(n.handlers, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for range n.handlers { // the longest line of handlers that take over from each other
		for _, h := range n.handlers {
			if heir := n.byID[int64(h.Heir)]; h.Heir != 0 && heir != nil && heir.keeps {
				h.keeps = true
			}
		}
	}
	err = p.query(`SELECT value FROM meta WHERE key = '`+columns.UnattendedKey+`'`, func(row []driver.Value) (err error) {
		text, _ := row[0].(string)
		n.start, err = strconv.ParseInt(text, 10, 64)
		return err
	})
	return n, err
}

// of returns the handlers that match a type.
func (n *needs) of(typ string) []*handler {
	list, ok := n.byType[typ]
	if !ok {
		for _, h := range n.handlers {
			if h.On == nil && !h.keeps {
				continue // nobody knows what it would have lost
			}
			if events.Selects(h.On, typ) { // without patterns: every type
				list = append(list, h)
			}
		}
		n.byType[typ] = list
	}
	return list
}

// waiting returns the handler that has yet to see an event, or nil. lost is called with handlers that never will.
func (n *needs) waiting(e *event, lost func(*handler)) *handler {
	if e.bare {
		return nil
	}
	for _, h := range n.of(e.typ) {
		if h.LowWater >= e.sequence || e.ran(h.ID) || !h.Takes(&events.Event{Sequence: e.sequence, Target: e.target}) {
			continue
		}
		if h.keeps {
			return h
		}
		lost(h)
	}
	return nil
}

// unfinished returns why a run keeps its chain; empty: it doesn't. lost is called with a handler that will never finish it.
func (n *needs) unfinished(r *run, lost func(*handler)) (store.KeepReason, *handler) {
	reason, open := map[store.RunState]store.KeepReason{
		store.Running: store.KeptRunning, store.Retrying: store.KeptRetrying, store.Dead: store.KeptDead,
	}[r.state]
	h := n.byID[r.handler]
	switch {
	case !open || h == nil:
		return "", nil
	case !h.keeps:
		lost(h)
		return "", nil
	}
	return reason, h
}
