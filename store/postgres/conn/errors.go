// Package conn has what every part of the PostgreSQL driver needs of a connection: how it is made, and what its errors mean.
package conn

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The codes of errors that the driver branches on: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	UniqueViolation       = "23505"
	ForeignKeyViolation   = "23503"
	DivisionByZero        = "22012" // how a statement of ours ends its transaction when a row is not as expected
	SerializationFailure  = "40001"
	DeadlockDetected      = "40P01"
	LockNotAvailable      = "55P03"
	QueryCanceled         = "57014"
	DiskFull              = "53100"
	InsufficientPrivilege = "42501"
	ReadOnlyTransaction   = "25006" // the server has become a standby
)

// Errors that pass by themselves.
var (
	// ErrAway: the connection broke, or could not be made.
	ErrAway = errors.New("the database does not answer")
	// ErrHindered: another transaction was in the way.
	ErrHindered = errors.New("other transactions were in the way")
)

// Code returns the code of a server's error, or an empty string.
func Code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Hindered reports whether a transaction failed because of another one, so that it may succeed when it is repeated.
func Hindered(err error) bool {
	switch Code(err) {
	case SerializationFailure, DeadlockDetected, LockNotAvailable:
		return true
	}
	return errors.Is(err, ErrHindered)
}

// Away reports whether a transaction failed because the server is not there, or is one that can't be written.
func Away(err error) bool {
	code := Code(err)
	return errors.Is(err, ErrAway) || code == ReadOnlyTransaction || strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || code == "53300"
}

// Overloaded reports whether the server refused a statement for a reason of its own: it has no memory or space, its files can't be read, or an operator or a
// time limit has ended the statement. The same statement may succeed later.
func Overloaded(err error) bool {
	code := Code(err)
	return code == QueryCanceled || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58")
}

// Lost reports whether an error means that the connection is of no use any more: it broke, or the server ended the session or is about to.
func Lost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "08")
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
