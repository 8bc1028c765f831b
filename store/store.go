// Package store says what evrun stores and what a store promises; the drivers below it (store/sqlite) do it.
//
// A store holds the journal of accepted events, the marks of the handlers and their runs, the users, and the marks of the
// schedules, all in one database, so that a run's effect, its state and the events it emits commit together or not at all.
//
// Promises that every store keeps, and that package storetest checks:
//
//   - A call that returns nil has its writes on disk.
//   - A pair (source, id) is accepted once; sequences only grow, and follow the order of acceptance, also when events are
//     deleted.
//   - Committed events and runs are handed to [Options.OnCommit] in order of commit, each once, before the call that
//     wrote them returns.
//   - All methods are safe for concurrent use.
//
// Times are UTC, in microseconds.
package store

import "context"

// Store is an open database. Every method that writes waits for Run, and returns [ErrFull] or [ErrBusy] when nothing could
// be written now (try again later), [ErrBroken] after an I/O error (what was written is unknown until the next start), and
// [ErrClosed] once Run has ended. A context ends the wait for a place in the writer's queue; a write that got one is
// waited for.
type Store interface {
	Journal
	Handlers
	Runs
	Users
	Schedules
	Statements

	// Ping waits until the writer has come to it, as a write would, and writes nothing. Unlike a write, it ends with its context.
	Ping(ctx context.Context) error

	// Rewire puts a wiring in the place of the one before, in one transaction: all of it, or nothing. It returns its handlers as
	// Register does.
	//
	// Migrations run first. They may do what [Tx.Exec] allows, and create, alter and drop what isn't the store's own; nothing
	// that they make may write to the store's own tables, reference them, or be made on them. Their errors are as in Exec,
	// with the handler's name; [ErrTimeout] when they took longer than [Wiring.Within]. The end of a context ends them, too.
	Rewire(ctx context.Context, w Wiring) ([]Consumer, error)

	// Run is the writer: it commits what the other methods write. When ctx ends, it commits what is waiting and returns nil;
	// after an I/O error, when the store can promise nothing any more, it returns that error: stop, and start anew. So it does
	// within seconds when the store's files are removed or replaced ([ErrReplaced]).
	Run(ctx context.Context) error
	// Close closes the database; Run must have ended.
	Close() error
}
