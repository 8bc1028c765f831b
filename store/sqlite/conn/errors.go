package conn

import (
	"database/sql"
	"errors"
	"fmt"
	"io"

	driverpkg "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"evrun/store"
)

// Translate wraps the driver's errors in the store's, by their codes. The driver's text stays for the log.
func Translate(err error) error {
	var e *driverpkg.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	var kind error
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		kind = store.ErrFull
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		kind = store.ErrBusy
	case lib.SQLITE_CONSTRAINT:
		switch e.Code() {
		case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
			kind = store.ErrConflict
		default:
			return err
		}
	case lib.SQLITE_NOTADB:
		kind = store.ErrNotStore
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		kind = store.ErrReadOnly
	case lib.SQLITE_IOERR:
		// The -shm file can't grow: a full disk says so too when it is opened. In a commit it comes after the log was written;
		// a rollback leaves frames there that only a crash would bring back, whole, and that the next commit overwrites.
		if kind = store.ErrBroken; e.Code() == lib.SQLITE_IOERR_SHMSIZE {
			kind = store.ErrFull
		}
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOMEM, lib.SQLITE_INTERNAL, lib.SQLITE_PROTOCOL:
		kind = store.ErrBroken
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", kind, err)
}

// Aborts reports whether err concerns the whole transaction, not just the statement that met it.
func Aborts(err error) bool {
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy) || errors.Is(err, store.ErrBroken) ||
		errors.Is(err, store.ErrReadOnly)
}

// NoRows reports whether a query found nothing.
func NoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) || errors.Is(err, io.EOF) }
