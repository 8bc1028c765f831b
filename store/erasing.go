package store

import "context"

// Erasing takes personal data out of a store. What stays of an event is its sequence, id, source, type, times and place in its chain, so that nothing
// else changes: it is still known as accepted.
type Erasing interface {
	// Copies returns events (those that exist) and all that may carry copies of their data: what their runs published, what repeats them, and so on.
	// An event that carries copies comes after the one that it has them from.
	Copies(ctx context.Context, sequences []int64) ([]Copy, error)
	// Erase empties events, in one transaction with the step of a batch, which may be nil: their data, subject and other attributes, the errors, reasons
	// and outputs of their runs, and the users that they inserted or whose e-mail address is their subject. Runs that could be repeated are dropped. An
	// event with a run that has not ended is left as it is. What is freed is overwritten.
	Erase(ctx context.Context, sequences []int64, step *Step) (Erased, error)
	// Scrub removes from the store's files what was deleted before: it overwrites or gives back unused space, and empties the write-ahead log. The error
	// is [ErrBusy] if a program that reads the store keeps it from that.
	Scrub(ctx context.Context) error
}

// Copy is an event that carries data.
type Copy struct {
	Sequence int64
	From     int64 // the event that it has the data from; 0: it was asked for
	Open     bool  // a run on it has not ended, or it was accepted for handlers that are not known yet
}

// Erased counts what Erase has emptied.
type Erased struct {
	Events, Runs, Outputs, Users int
}
