package store

import (
	"time"

	"evrun/events"
)

// Commit holds the events and runs that one transaction wrote.
type Commit struct {
	Events []*events.Event
	Runs   []Run // changed runs, when a reader wants them (see Options.WantRuns)
	// Attempts says which of Runs have changed because an attempt was made and has ended.
	Attempts []Attempted
	// Elsewhere says that another process has made it, where several share the store.
	Elsewhere bool
}

// Foreign is what another process has changed in a store that several share.
type Foreign struct {
	Runs      []Run // that people have retried, cancelled or dropped
	Handlers  bool  // somebody has paused, resumed or forgotten a handler, or another daemon has a new wiring
	Schedules bool  // marks of schedules
	Tokens    bool
	// All says that reports may have been lost: whatever is in memory must be read again, runs, too.
	All bool
}

// Attempted is an attempt that has ended: the place of its run in [Commit.Runs], and the run's event.
type Attempted struct {
	Run   int
	Event *events.Event
}

// Written is what one transaction has written, and how long that took.
type Written struct {
	Events int // new ones
	Known  int // events that were known already
	Runs   int // settlements and claims
	Took   time.Duration
	Err    error // nothing was written
}

// Options for opening a store.
type Options struct {
	// OnCommit is called after each commit that accepted events or changed runs, by whoever committed: one call at a time. It must not block or write
	// to the store, and may keep the slices. Default: nothing.
	OnCommit func(Commit)
	// Wrote is called after each transaction, committed or not, by whoever wrote: one call at a time. It must not block. Default: nothing.
	Wrote func(Written)
	// OnForeign is called after another process has changed something that this one may have in memory: one call at a time. It must not block or write to
	// the store. A store that one process owns never calls it. Default: nothing.
	OnForeign func(Foreign)
	// Node says who this process is among the daemons that share the store; nil: it runs no handlers, and holds no leases.
	Node *Node
	// WantRuns reports whether anybody reads Commit.Runs now; nil: nobody.
	WantRuns func() bool
	// StatementTimeout is how long one user statement may take, and all user statements of one transaction together. Default 50ms.
	StatementTimeout time.Duration
	// MaxData is the largest data of an event, in bytes. It bounds the values in user statements.
	// Default [DefaultMaxData].
	MaxData int
	// Unattended says that this process runs no handlers. A new handler begins at the first event that such a process accepted since the last
	// Register.
	Unattended bool
	// Warn is called with notes for people: corrections and skipped checks when the store is opened, and problems while it runs. Default: nothing.
	Warn func(note string)
	// Now returns the time that is stored; nil: time.Now.
	Now func() time.Time
}

// The default and the largest possible limit of an event's data, in bytes.
const (
	DefaultMaxData = 1 << 20
	LargestMaxData = 64 << 20
)
