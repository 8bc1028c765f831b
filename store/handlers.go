package store

import (
	"context"
	"slices"
	"time"

	"evrun/events"
)

// HandlerID is the number under which a store keeps a handler's runs. It never changes and is never reused.
type HandlerID int64

// ReturnWithin is how long a handler may be absent from the wiring and still continue at its mark when it returns. If it returns later and has work
// to do, it is paused first.
const ReturnWithin = time.Hour

// Handlers keeps the position of each handler in the journal, even while the handler is not in the wiring.
type Handlers interface {
	// Register makes the named handlers the active ones, in one transaction that also accepts evs, and returns them in the same order. A handler that
	// is no longer named has left: it keeps its mark and its runs. Where several daemons share the store, it leaves with the last one that has it.
	//
	// A new name starts at the journal's head, or at the first event that was accepted while nobody was registered (see [Options.Unattended]); at 0
	// when it is FromStart. A handler that returns continues at its mark. If it left more than [ReturnWithin] ago, has work to do and is not
	// FromMark, it returns Paused. A handler whose Was names another handler takes over that handler's mark and unsettled runs, once, and everything
	// that the other handler would itself have taken over. None of these handlers may run meanwhile. With Later, Register only records the takeover;
	// a later Register does it when their runs have ended. A takeover also waits while another daemon has the other handler in its wiring, or holds slots
	// of one of them.
	Register(ctx context.Context, handlers []Registration, evs []*events.Event) ([]Consumer, error)
	// Handlers returns the handlers of these names that were ever registered, in the order of their names; no names: all.
	Handlers(ctx context.Context, names ...string) ([]Consumer, error)
	// CountWaiting counts the events up to sequence upTo (0: the journal's head) that are for a handler and have no run of it. With atMost, n is an
	// upper bound: see [Backlog].
	CountWaiting(ctx context.Context, c Consumer, upTo int64) (n int64, atMost bool, err error)
	// Backlog is CountWaiting with the handler's runs. [Runs].Counts counts those of all handlers at once.
	Backlog(ctx context.Context, c Consumer, upTo int64) (Backlog, error)
	// Pause pauses a handler until Resume, also over restarts, and when it leaves and returns, and accepts evs in the same transaction. It returns false,
	// and changes nothing, if the handler was paused already. [ErrNotFound] when no such handler is active. Attempts that run meanwhile may be settled.
	Pause(ctx context.Context, name string, p Pause, evs []*events.Event) (bool, error)
	// Resume ends a handler's pause, and accepts evs in the same transaction. With skipTo, the handler skips events up to that sequence, and its
	// running and retrying runs are dropped. Resume returns false, and changes nothing, if the handler was not paused. [ErrNotFound] when no such
	// handler is active.
	Resume(ctx context.Context, name string, skipTo int64, evs []*events.Event) (bool, error)
	// Forget deletes the mark of a handler that has left, drops its unsettled and dead runs, and accepts evs in the same transaction. A later handler
	// of this name is new. [ErrNotFound] when no such handler is known, [ErrActive] when the wiring has it.
	Forget(ctx context.Context, name string, evs []*events.Event) error
}

// Registration names a handler of the wiring.
type Registration struct {
	Name      string
	On        []events.Pattern // the patterns of its events; Backlog needs them after it has left
	Was       string           // the name that it had before; empty: none
	Later     bool             // record the takeover only, see Register
	FromStart bool
	FromMark  bool
	Disabled  bool // the wiring has it, but it must not run
}

// Consumer is a handler as the store knows it.
type Consumer struct {
	ID   HandlerID
	Name string
	// LowWater: every event up to this sequence didn't match or has a run. Once the mark is stored, no new run is added for these events.
	LowWater int64
	Since    int64 // the journal's head when it was first registered: unless it began at the start, it has no runs on events up to here
	State    HandlerState
	// Paused handlers returned late with work to do, or somebody paused them: then Pause says who. They start no runs until Resume, and keep their mark.
	Paused   bool
	Pause    Pause
	Disabled time.Time        // since when the wiring has it disabled; zero: it doesn't
	On       []events.Pattern // nil: it left before the store recorded patterns
	Left     time.Time        // when it left the wiring; zero: it is in the wiring, or left before the store recorded this
	LeftHead int64            // the journal's head at that time
	// Predecessors are the handlers that this one has taken over from, directly or not.
	Predecessors []Predecessor
	Heir         HandlerID // the handler that will take over from this one, once its attempts have ended; 0: none
	Elsewhere    bool      // another daemon has it in its wiring: it does not leave with that of this one
	// Register sets Took when it gave the handler the mark and the runs of another, and Inherits when a later call must do so.
	Took, Inherits bool
}

// Pause says who paused a handler, and why. The zero value: the handler returned late.
type Pause struct {
	By  string    // such as "ada (uid 1000)"
	Why string    // in their words; empty: they gave none
	At  time.Time // the store sets it
}

// Predecessor is a handler that another one has taken over from.
type Predecessor struct {
	Name string `json:"name"`
	Head int64  `json:"head"` // the journal's head at that time: the heir gets the events up to here that have this name as their Target
}

// Takes reports whether an event that matches the handler's patterns goes to it: the event has no Target, or it is for this handler or for a
// predecessor.
func (c *Consumer) Takes(e *events.Event) bool {
	return e.Target == "" || e.Target == c.Name ||
		slices.ContainsFunc(c.Predecessors, func(p Predecessor) bool { return p.Name == e.Target && e.Sequence <= p.Head })
}

// HandlerState reports whether a handler is in the wiring. The zero value is not a state.
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
	AtMost  bool  // Waiting is an upper bound: not all events were checked, or it is not known which ones match
	Counts        // runs
}

// Empty reports whether no events or runs are pending. Dead runs don't count.
func (b Backlog) Empty() bool { return b.Waiting == 0 && b.Running == 0 && b.Retrying == 0 }
