package store

import (
	"time"

	"evrun/events"
)

// Commit has the events and runs that one transaction of the store has written.
type Commit struct {
	Events []*events.Event
	Runs   []Run // changed runs, when a reader wants them (see Options.WantRuns)
}

// Options for opening a store.
type Options struct {
	// OnCommit is called by the writer after each commit that accepted events or changed runs. It must not block, and may
	// keep the slices. Default: nothing.
	OnCommit func(Commit)
	// WantRuns reports whether anybody reads Commit.Runs now; nil: never.
	WantRuns func() bool
	// StatementTimeout is how long one user statement may take in a transaction, and all of them in one. Default 50ms.
	StatementTimeout time.Duration
	// MaxData is the largest data of an event, in bytes. It bounds the values in user statements.
	// Default [DefaultMaxData].
	MaxData int
	// Unattended says that this process runs no handlers: a new one begins at the first event that such a process accepted since
	// the last Register.
	Unattended bool
	// Warn is called with a note for people: what was corrected when the store was opened, which checks were left out, and what is
	// wrong while it runs. Default: nothing.
	Warn func(note string)
	// Now gives the time that is stored; nil: time.Now.
	Now func() time.Time
}

// How large an event's data may be, in bytes, unless the settings say otherwise, and at the most.
const (
	DefaultMaxData = 1 << 20
	LargestMaxData = 64 << 20
)
