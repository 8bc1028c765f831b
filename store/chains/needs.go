package chains

import (
	"time"

	"evrun/events"
	"evrun/store"
)

// Needs says who needs an event or a run.
type Needs struct {
	handlers []*handler
	byID     map[store.HandlerID]*handler
	byType   map[string][]*handler // whose patterns match; filled as types occur
	start    int64                 // events after it are for handlers that are not known yet; -1: there are none
}

// handler is a handler as far as pruning minds.
type handler struct {
	store.Consumer
	keeps bool // it is in the wiring, or may return, or another handler is about to take over from it
}

func readNeeds(s Source, now time.Time) (*Needs, error) {
	n := &Needs{byID: map[store.HandlerID]*handler{}, byType: map[string][]*handler{}}
	list, err := s.Handlers()
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		h := &handler{Consumer: c}
		h.keeps = c.State == store.Active || c.State == store.Left && !c.Left.IsZero() && now.Sub(c.Left) <= store.ReturnWithin
		n.byID[h.ID] = h
		if c.State != store.Forgotten {
			n.handlers = append(n.handlers, h)
		}
	}
	for range n.handlers { // the longest line of handlers that take over from each other
		for _, h := range n.handlers {
			if heir := n.byID[h.Heir]; h.Heir != 0 && heir != nil && heir.keeps {
				h.keeps = true
			}
		}
	}
	n.start, err = s.Unattended()
	return n, err
}

// of returns the handlers that match a type.
func (n *Needs) of(typ string) []*handler {
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
func (n *Needs) waiting(e *Event, lost func(*handler)) *handler {
	if e.Bare {
		return nil
	}
	for _, h := range n.of(e.Type) {
		if h.LowWater >= e.Sequence || e.ran(h.ID) || !h.Takes(&events.Event{Sequence: e.Sequence, Target: e.Target}) {
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
func (n *Needs) unfinished(r *Run, lost func(*handler)) (store.KeepReason, *handler) {
	reason, open := map[store.RunState]store.KeepReason{
		store.Running: store.KeptRunning, store.Retrying: store.KeptRetrying, store.Dead: store.KeptDead,
	}[r.State]
	h := n.byID[r.Handler]
	switch {
	case !open || h == nil:
		return "", nil
	case !h.keeps:
		lost(h)
		return "", nil
	}
	return reason, h
}

// Open reports whether a run in a state keeps its chain, as long as the handlers are as they were.
func (n *Needs) Open(r Run) bool {
	reason, _ := n.unfinished(&r, func(*handler) {})
	return reason != ""
}
