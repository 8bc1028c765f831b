package queue

import (
	"sync"
	"sync/atomic"

	"evrun/store"
)

// HandOver passes runs that people have retried or cancelled to their queue, in the order of the changes. It never blocks, and no run is lost: the queue
// reads runs from the store if there are more than 8192, or if it has not yet begun or is ending. Safe for concurrent use.
type HandOver struct {
	mu   sync.Mutex
	runs []store.Run
	ids  []string // of runs that were changed elsewhere
	more bool     // more runs were given than fit
	some atomic.Bool
	wake chan struct{} // of one token
}

// NewHandOver returns a HandOver for one handler.
func NewHandOver() *HandOver { return &HandOver{wake: make(chan struct{}, 1)} }

// Give adds runs that the store has changed: they are retrying, cancelled, or running and to be cancelled.
func (h *HandOver) Give(runs []store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.runs)+len(runs) <= maxRetriesInMemory && !h.more {
		h.runs = append(h.runs, runs...)
	} else {
		h.runs, h.more = nil, true
	}
	h.some.Store(true)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Tell names runs that another process has changed, at some time: the queue reads them from the store, because the report may be older than what it knows.
func (h *HandOver) Tell(runs []store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ids)+len(runs) > maxRetriesInMemory {
		h.runs, h.more = nil, true
	}
	for i := range runs {
		if !h.more {
			h.ids = append(h.ids, runs[i].ID)
		}
	}
	h.some.Store(true)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Reread has the queue read the runs from the store, because some may have changed that were not given.
func (h *HandOver) Reread() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs, h.more = nil, true
	h.some.Store(true)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// C wakes the worker of the queue after Give. The queue takes the runs in its next call of Next.
func (h *HandOver) C() <-chan struct{} { return h.wake }

// waiting reports whether take would return something.
func (h *HandOver) waiting() bool { return h != nil && h.some.Load() }

// take returns the runs given since the last call, and the ids of those that were told; all is false if there were more, which must be read from the store.
func (h *HandOver) take() (runs []store.Run, told []string, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	runs, told, all = h.runs, h.ids, !h.more
	h.runs, h.ids, h.more = nil, nil, false
	h.some.Store(false)
	return runs, told, all
}
