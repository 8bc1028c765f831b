package store

import (
	"context"
	"time"

	"evrun/events"
)

// HandlerID is the number under which a store keeps a handler's runs. It never changes and is never reused.
type HandlerID int64

// ReturnWithin is how long a handler may be out of the wiring and still continue at its mark when it returns. A handler that
// returns later, with work to do, is paused first.
const ReturnWithin = time.Hour

// Handlers keeps the position of each handler in the journal, also while the wiring does not have the handler.
type Handlers interface {
	// Register makes the named handlers the active ones, in one transaction that also accepts evs, and returns them in the
	// same order. A handler that is not named any more has left: it keeps its mark and its runs.
	//
	// A new name starts at the journal's head, or at the first event that was accepted while nobody was registered (see
	// [Options.Unattended]); at 0 when it is FromStart. A name that had left goes on at its mark; when it left more than
	// [ReturnWithin] ago, has something to do, and is not FromMark, it comes back Paused. A handler that names another one as
	// its Was takes over that handler's mark and unsettled runs, once, and all that it would have taken over itself. None of them may
	// run meanwhile; with Later it is only noted, for a later Register, when they have ended.
	Register(ctx context.Context, handlers []Registration, evs []*events.Event) ([]Consumer, error)
	// Handlers returns the handlers of these names that were ever registered, in the order of their names; no names: all.
	Handlers(ctx context.Context, names ...string) ([]Consumer, error)
	// Backlog counts a handler's pending work on events up to a sequence; upTo 0: the journal's head.
	Backlog(ctx context.Context, c Consumer, upTo int64) (Backlog, error)
	// Resume ends a handler's pause, and accepts evs in the same transaction. With skipTo, events up to that sequence are
	// left out, and its runs that are running or retrying are dropped. False when the handler was not paused: then nothing
	// is done. [ErrNotFound] when no such handler is active.
	Resume(ctx context.Context, name string, skipTo int64, evs []*events.Event) (bool, error)
	// Forget deletes the mark of a handler that has left and drops its runs that are not settled or are dead, and accepts evs
	// in the same transaction. Should the name come again, it is new. [ErrNotFound] when no such handler is known,
	// [ErrActive] when the wiring has it.
	Forget(ctx context.Context, name string, evs []*events.Event) error
}

// Registration names a handler of the wiring.
type Registration struct {
	Name      string
	On        []events.Pattern // what it runs on: for Backlog, after it has left
	Was       string           // the name that it had before; empty: none
	Later     bool             // it takes nothing over yet
	FromStart bool
	FromMark  bool
}

// Consumer is a handler as the store knows it.
type Consumer struct {
	ID   HandlerID
	Name string
	// LowWater: every event up to this sequence has been dealt with: it didn't match, or it has a run. Once the mark
	// is stored, no run on one of these events will be added.
	LowWater int64
	State    HandlerState
	// Paused handlers returned late with work to do. They take nothing until Resume, and keep their mark.
	Paused   bool
	On       []events.Pattern // nil: it left before the store kept them
	Left     time.Time        // when it left the wiring; zero: it has not, or long ago
	LeftHead int64            // the journal's head then
	// Took and Inherits are set by Register: it gave the handler the mark and the runs of another, or a later call must.
	Took, Inherits bool
}

// HandlerState says whether the wiring has a handler. The zero value is not a state.
type HandlerState int8

// The states of a handler.
const (
	Active    HandlerState = iota + 1
	Left                   // it is not in the wiring, and keeps its mark
	Forgotten              // its mark was deleted, or another handler has it
)

// Backlog is a handler's pending work.
type Backlog struct {
	Waiting int64 // events without a run
	AtMost  bool  // Waiting is a bound: not all events were looked at, or it is not known which ones match
	Counts        // runs
}

// Empty reports whether nothing waits: dead runs don't.
func (b Backlog) Empty() bool { return b.Waiting == 0 && b.Running == 0 && b.Retrying == 0 }
