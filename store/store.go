// Package store declares what evrun stores and what every store promises. The drivers below it (store/sqlite) implement it.
//
// A store holds the journal of accepted events, the marks of the handlers and their runs, the users, and the marks of the
// schedules, all in one database, so that a run's effect, its state and the events it emits commit together or not at all.
//
// Promises that every store keeps, and that package storetest checks:
//
//   - A call that returns nil has its writes on disk.
//   - A pair (source, id) is accepted once. Sequences only grow and follow the order of acceptance, even when events are deleted.
//   - [Options.OnCommit] gets committed events and runs in order of commit, each once, before the call that wrote them returns.
//   - All methods are safe for concurrent use.
//
// Times are UTC, in microseconds.
package store

import "context"

// Store is an open database. Every method that writes waits for Run, and returns [ErrFull] or [ErrBusy] when nothing can be written now (try again
// later), [ErrBroken] after an I/O error (what was written is unknown until the next start), and [ErrClosed] once Run has ended. A context ends the
// wait for a place in the writer's queue, but not the wait for a write that is already in the queue.
type Store interface {
	Journal
	Handlers
	Runs
	Users
	Schedules
	Statements
	Batches
	Retention
	Backups
	Erasing
	Tokens
	Leases

	// Ping waits for its turn in the writer's queue, and writes nothing. Unlike a write, it ends with its context.
	Ping(ctx context.Context) error

	// Rewire replaces the wiring in one atomic transaction. It returns the handlers as Register does.
	//
	// Migrations run first. They may do what [Tx.Exec] allows, and create, alter and drop tables that aren't the store's own; they must not create
	// anything that writes to, references or belongs to the store's own tables, such as a trigger, a foreign key or an index. Their errors are as in
	// Exec, with the handler's name, and [ErrTimeout] if they took longer than [Wiring.Within]. When ctx ends, they are stopped.
	Rewire(ctx context.Context, w Wiring) ([]Consumer, error)

	// Run is the writer: it commits the writes of the other methods. When ctx ends, it commits the waiting writes and returns nil. After an I/O error
	// it returns that error, and the store keeps no promises any more: stop and start again. If the store's files are removed or replaced, it returns
	// [ErrReplaced] within seconds.
	Run(ctx context.Context) error
	// Close closes the database; Run must have ended.
	Close() error
}
