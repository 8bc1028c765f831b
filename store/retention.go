package store

import (
	"context"
	"time"
)

// Retention keeps a store from growing for ever.
//
// What goes is a chain: an event and everything that it caused. It goes whole, and only when nobody needs any of it: all of its events are older than the
// bound, their runs have succeeded, were skipped, cancelled or dropped, and every handler of the wiring has seen them. A handler that left the wiring
// more than [ReturnWithin] ago keeps nothing: what it loses is counted ([Lost]). Users stay. Actions on selections that ended before the bound go, too.
type Retention interface {
	// Prune is a step through the journal: it looks at the next events after the query's After, and deletes the chains that begin there and that nobody
	// needs, in small transactions between other writes. A step that is interrupted has deleted some of these chains, each of them whole, unless it has
	// more than a thousand events: such a chain goes in several transactions, its first event last. Steps run one at a time.
	Prune(ctx context.Context, q PruneQuery) (PruneStep, error)
	// ForgetKeys is a step through the keys of pruned events: it deletes those that were pruned before a time. It begins after a key (nil: the first one)
	// and returns where the next step begins, nil at the end.
	ForgetKeys(ctx context.Context, after []byte, before time.Time) (next []byte, forgotten int64, err error)
	// GiveBack returns at most so many unused pages to the file system, in one transaction, and how many it returned: 0 where the store can't.
	GiveBack(ctx context.Context, pages int64) (int64, error)
	// Pruning returns what is stored about pruning.
	Pruning(ctx context.Context) (Pruning, error)
	// AnnouncePruning stores that pruning was announced, unless it was before.
	AnnouncePruning(ctx context.Context) error
	// Sizes returns how large the store is.
	Sizes(ctx context.Context) (Sizes, error)
}

// PruneQuery is a step of pruning.
type PruneQuery struct {
	After int64     // look at the events after this sequence
	UpTo  int64     // and at none after this one; 0: up to the end
	Until time.Time // chains go whose events were all accepted before
	Keys  bool      // keep the (source, id) of the deleted events: they are then still known as accepted, until ForgetKeys
	Bytes int64     // end when at least so many bytes went; 0: no bound
	Look  bool      // delete nothing, only report what would go
}

// PruneStep is what a step of pruning found and did.
type PruneStep struct {
	Pruned
	Lost    []Lost // what handlers that have left lost by it
	Kept    []Kept // chains that are old enough, and were kept
	Reached int64  // the next step begins after this sequence
	End     bool   // nothing after it is old enough, or there is nothing more
	// Next is when the next event was accepted, if that is why the step ended; zero: there is none.
	Next time.Time
}

// Pruned is how much was deleted, or would be.
type Pruned struct {
	Chains int64 `json:"chains"`
	Events int64 `json:"events"`
	Runs   int64 `json:"runs"`
	Bytes  int64 `json:"bytes"` // as far as known: of the deleted texts and rows, not of the file
}

// Add adds another amount.
func (p *Pruned) Add(more Pruned) {
	p.Chains += more.Chains
	p.Events += more.Events
	p.Runs += more.Runs
	p.Bytes += more.Bytes
}

// Lost is what a handler that left the wiring has lost by pruning.
type Lost struct {
	Handler string `json:"handler"`
	Events  int64  `json:"events"` // that it never saw
	Runs    int64  `json:"runs"`   // that were not finished: running, retrying, dead
}

// Kept counts chains that were old enough to go, and were kept for one reason.
type Kept struct {
	Reason  KeepReason `json:"reason"`
	Handler string     `json:"handler,omitempty"` // that needs them, if one does
	Chains  int64      `json:"chains"`
	Events  int64      `json:"events"`
	First   int64      `json:"first,string"` // the sequence of the oldest one
}

// KeepReason says why a chain is kept. A chain with several reasons has the first one that was found.
type KeepReason string

// The reasons.
const (
	KeptRunning  KeepReason = "running"  // a run
	KeptRetrying KeepReason = "retrying" // a run
	KeptDead     KeepReason = "dead"     // a run: until it is retried or dropped
	KeptWaiting  KeepReason = "waiting"  // a handler has yet to see an event
	KeptYoung    KeepReason = "young"    // one of the chain's later events is not old enough
	KeptStart    KeepReason = "start"    // accepted without a daemon: for the handlers that the next start of the daemon has
	KeptBatch    KeepReason = "batch"    // an action on a selection goes on; it keeps everything for that time
)

// Pruning is what a store knows about its pruning.
type Pruning struct {
	// Old says that the store is from a version that pruned nothing. Pruning must then be announced, and begins a day later.
	Old       bool
	Announced time.Time // zero: not yet
	Scanned   int64     // up to this sequence, only chains are left that could not go when they were looked at
	Total     Pruned    // since the store was made
	Last      time.Time // when something was last pruned; zero: never
	Keys      int64     // the number of keys of pruned events
	Lost      []Lost    // by the names of the handlers
}

// AnnouncedFor is how long pruning must have been announced before an old store is pruned.
const AnnouncedFor = 24 * time.Hour

// Begins is when pruning may begin; zero: now.
func (p *Pruning) Begins(now time.Time) time.Time {
	switch {
	case !p.Old:
		return time.Time{}
	case p.Announced.IsZero():
		return now.Add(AnnouncedFor)
	}
	return p.Announced.Add(AnnouncedFor)
}

// Sizes are the sizes of a store, in bytes.
type Sizes struct {
	File     int64     // of the database, once the log is written to it
	WAL      int64     // of the write-ahead log
	Free     int64     // of the file's pages that are not in use: new data goes there first
	Page     int64     // of a page
	Shrinks  bool      // free pages can be given back to the file system
	Oldest   int64     // the sequence of the oldest stored event; 0: none
	OldestAt time.Time // when that was accepted
}

// Used is how many bytes of the file are in use.
func (s *Sizes) Used() int64 { return s.File - s.Free }
