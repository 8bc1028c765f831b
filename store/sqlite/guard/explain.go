package guard

import (
	"errors"
	"fmt"
	"strings"

	driverpkg "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// explain wraps an error of a user statement in one of package store's. Errors of the whole database are translated as for evrun's own statements.
// All others belong to the statement, which would fail again.
func (u *Statements) explain(err error) error {
	var e *driverpkg.Error
	switch {
	case err == nil:
		return nil
	case u.guard.denied != "":
		return fmt.Errorf("%w: %s", store.ErrStatement, u.guard.denied)
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_BUSY, lib.SQLITE_IOERR, lib.SQLITE_INTERNAL, lib.SQLITE_PROTOCOL, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN,
		lib.SQLITE_PERM, lib.SQLITE_NOTADB:
		return conn.Translate(err)
	case lib.SQLITE_CORRUPT:
		if e.Code() != lib.SQLITE_CORRUPT_VTAB { // the error of one virtual table
			return conn.Translate(err)
		}
	case lib.SQLITE_CONSTRAINT:
		if kind := conn.Translate(err); errors.Is(kind, store.ErrConflict) {
			return fmt.Errorf("%w: %s", store.ErrConflict, message(e))
		}
	}
	text := message(e)
	switch {
	case e.Code() == lib.SQLITE_TOOBIG && u.guard.bound.function == fullText:
		text = fmt.Sprintf("a value is larger than %s, the limit for a statement that writes this fts5 table, since SQLite can't be stopped while it "+
			"indexes a text; index a part of it, as with substr(), in a statement of its own", sizeText(u.guard.bound.length))
	case e.Code() == lib.SQLITE_TOOBIG && u.guard.bound.length > 0:
		text = fmt.Sprintf("a value is larger than %s, the limit for a statement that calls %s like this, since SQLite can't be stopped within that function; "+
			"leave the function out, or keep such values out of the statement", sizeText(u.guard.bound.length), u.guard.bound.function)
	case e.Code() == lib.SQLITE_TOOBIG:
		text = fmt.Sprintf("a value is larger than %s, the limit for all statements: twice server.max_event and 1 MiB", sizeText(u.value))
	case strings.HasPrefix(text, "LIKE or GLOB pattern too complex"):
		text = fmt.Sprintf("the pattern of a LIKE or GLOB is longer than %d bytes, its limit; instr() finds a longer text", maxPattern)
	}
	return fmt.Errorf("%w: %s", store.ErrStatement, text)
}

func sizeText(bytes int) string {
	if bytes >= 1<<20 && bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// message is SQLite's message, without the text and the number of the error's code that the driver puts around it.
func message(e *driverpkg.Error) string {
	text := strings.TrimSuffix(e.Error(), fmt.Sprintf(" (%d)", e.Code()))
	for _, frame := range []string{"SQL logic error: ", "constraint failed: "} {
		text = strings.TrimPrefix(text, frame)
	}
	if strings.HasPrefix(text, "no such table: ") || strings.HasPrefix(text, "no such column: ") {
		text += " (migrate makes tables at start)"
	}
	return text
}
