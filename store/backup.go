package store

import (
	"context"
	"time"
)

// Backups copies the database while it is used. The error of a store that is not in a file is [errors.ErrUnsupported], with what to do instead.
type Backups interface {
	// Backup copies the database to the file at path, which must be empty and writable, and returns the sequence of the last event in the copy. The
	// copy has everything that was committed up to then, and nothing else. Writes go on meanwhile. report gets the bytes that are copied, and all that
	// there are; nil: nobody asks. When ctx ends, its error is returned. After an error the file is of no use. The caller checks and syncs it.
	Backup(ctx context.Context, path string, report func(done, all int64)) (sequence int64, err error)
}

// Contents is what a file of a store has, or a backup of one.
type Contents struct {
	ID       string // the store's, see [Journal]
	Schema   int    // the version of its tables
	Sequence int64  // the journal's head
	Events   int64
	Bytes    int64
	// First and Last are when the first and the last stored event were accepted; zero: none is stored.
	First, Last time.Time
}
