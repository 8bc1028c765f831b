// Package conn has what every part of the PostgreSQL driver needs of a connection: how it is made, and what its errors mean.
package conn

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// The codes of errors that the driver branches on: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	UniqueViolation      = "23505"
	DivisionByZero       = "22012" // how a statement of ours ends its transaction when a row is not as expected
	SerializationFailure = "40001"
	DeadlockDetected     = "40P01"
	LockNotAvailable     = "55P03"
	QueryCanceled        = "57014"
)

// Code returns the code of a server's error, or an empty string.
func Code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
