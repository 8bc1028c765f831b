package store

import "errors"

// The errors that callers branch on. Drivers wrap them with details, and translate their own errors by code, never by text.
var (
	ErrNotFound = errors.New("not found")
	// ErrConflict: a row with this unique key already exists.
	ErrConflict = errors.New("already exists")
	// ErrActive: the wiring has this handler.
	ErrActive = errors.New("the handler is active")
	// ErrNotActive: the wiring does not have the handler that an event is for.
	ErrNotActive = errors.New("no such handler is active")
	// ErrClash: the journal has another event with the (source, id) of one that evrun makes itself.
	ErrClash = errors.New("the journal already has another event with this source and id")
	// ErrErased: the event's data was erased.
	ErrErased = errors.New("its data was erased")
	// ErrStatement: a user statement fails, and would fail again with the same values.
	ErrStatement = errors.New("the statement failed")
	// ErrTimeout: a user statement was stopped because it took too long; nothing of it was written.
	ErrTimeout = errors.New("the statement took too long")
	// ErrFull: no space left; nothing was written, and writes succeed again once there is space.
	ErrFull = errors.New("no space left on the disk")
	// ErrBusy: another program holds the database; nothing was written, try again.
	ErrBusy = errors.New("the database is busy: another program holds it, or it does not answer")
	// ErrLocked: another evrun has the store open for writing.
	ErrLocked = errors.New("the store is in use by another evrun")
	// ErrBroken: a write or a sync failed, so what is on disk is unknown until the store is opened again.
	ErrBroken = errors.New("the store failed while writing")
	// ErrReplaced: another program removed or replaced a file of the store while it was open; further writes would be lost.
	ErrReplaced = errors.New("the store's file was removed or replaced")
	// ErrClosed: the store is closed, or closing.
	ErrClosed = errors.New("the store is closed")
	// ErrReadOnly: the file or its directory can't be written.
	ErrReadOnly = errors.New("the store can't be written")
	// ErrNewer: a newer evrun made this database.
	ErrNewer = errors.New("the store was written by a newer evrun")
	// ErrOlder: an older evrun wrote this database, and none of this version has opened it for writing since, which brings it up to date.
	ErrOlder = errors.New("the store was written by an older evrun: evrun serve brings it up to date")
	// ErrMoved: the store was moved elsewhere, or is only partly there.
	ErrMoved = errors.New("the store is not in use here")
	// ErrNotStore: the file is not a database, or not one of evrun.
	ErrNotStore = errors.New("not an evrun database")
)

// OpenError says why a store on a server can't be opened. If that may pass, it is [ErrBusy], too.
type OpenError struct {
	Err    error
	Hint   string // what to do
	Passes bool   // the server is not there: nothing that must be changed here is known
}

// Error implements error.
func (e *OpenError) Error() string { return e.Err.Error() }

// Unwrap makes it [ErrBusy] as well, if it passes.
func (e *OpenError) Unwrap() []error {
	if e.Passes {
		return []error{e.Err, ErrBusy}
	}
	return []error{e.Err}
}
