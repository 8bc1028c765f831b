package postgres

import (
	"context"
	"fmt"
	"sync"

	"evrun/store"
)

// wrote reports a transaction.
func (s *Store) wrote(w store.Written) {
	if s.opt.Wrote == nil {
		return
	}
	s.reporting.Lock()
	defer s.reporting.Unlock()
	s.opt.Wrote(w)
}

func (s *Store) wantRuns() bool { return s.opt.WantRuns != nil && s.opt.WantRuns() }

// Unfenced switches off what keeps a daemon that has lost its leases from writing: the fence of each transaction, the numbers of nodes in claims and
// settlements, and the keys of runs as the second line. It is for the control of proofs: without all that, effects come twice. Nothing else may set it.
var Unfenced bool

// Point is a moment in a transaction, for tests that crash or wait there.
type Point string

// The points, in the order in which a transaction reaches them.
const (
	BeforeCommit  Point = "before commit"  // the message that commits is about to be sent
	AfterCommit   Point = "after commit"   // committed, not yet published
	BeforeAnswers Point = "before answers" // published, the callers have no answers yet
)

func (s *Store) at(p Point) {
	if s.opt.At != nil {
		s.opt.At(p)
	}
}

// gate lets writes in from the beginning of Run until it ends.
type gate struct {
	begun  chan struct{} // closed when Run begins
	mu     sync.RWMutex  // held for reading by each write
	closed bool
}

// enter waits for Run to begin. After a nil it must be left.
func (g *gate) enter(ctx context.Context) error {
	if g.begun == nil {
		return fmt.Errorf("%w: it was opened for reading", store.ErrReadOnly)
	}
	select {
	case <-g.begun:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return store.ErrClosed
	}
	return nil
}

func (g *gate) leave() { g.mu.RUnlock() }

// close waits for the writes that are in, and refuses others.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
}
