// Package measure has what the runner counts of its handlers for the metrics. A worker gets its [Handler] once, when it is made, and adds to it once
// for each batch; a scrape reads it without a lock. A handler that changes at a reload goes on counting where its old version stopped; one that leaves
// the wiring file is forgotten, so that the metrics have no more handlers than the file.
package measure

import (
	"sync"
	"sync/atomic"

	"evrun/store"
	"evrun/store/meter"
)

// Handler counts the runs of one handler since the daemon began, or since the handler came into the wiring. Safe for concurrent use.
type Handler struct {
	Ended    [store.Cancelled + 1]atomic.Int64 // runs, by their final states
	Failed   atomic.Int64                      // attempts
	Lost     atomic.Int64                      // slots that the daemon could not keep
	Attempts meter.Histogram                   // how long attempts took, of handlers that act outside the store's transaction
	Waits    meter.Histogram                   // from an event's acceptance to the beginning of its first attempt
}

// Handlers are the wired handlers' counts, by name. The zero value has none. Safe for concurrent use.
type Handlers struct {
	mu     sync.Mutex
	byName map[string]*Handler
}

// Of returns the counts of a handler, which begin at zero.
func (l *Handlers) Of(name string) *Handler {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName == nil {
		l.byName = map[string]*Handler{}
	}
	h := l.byName[name]
	if h == nil {
		h = &Handler{}
		l.byName[name] = h
	}
	return h
}

// Forget forgets a handler that has left the wiring.
func (l *Handlers) Forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byName, name)
}

// Each calls f with the counts of each handler, in no order. f must not call the list.
func (l *Handlers) Each(f func(name string, h *Handler)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, h := range l.byName {
		f(name, h)
	}
}
