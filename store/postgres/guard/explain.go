package guard

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store"
)

// belongs reports whether an error belongs to a statement: the transaction goes on.
func belongs(err error) bool {
	return errors.Is(err, store.ErrStatement) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrTimeout)
}

// ours are the classes and codes of errors that don't belong to a statement: the connection, the server, its resources, and conflicts of whole transactions.
// See https://www.postgresql.org/docs/current/errcodes-appendix.html
var ours = []string{"08", "25006", "25P02", "25P03", "40001", "40P01", "53", "55P03", "57P", "58"}

// explain wraps an error of the server in one of package store's, if it belongs to the statement, which would fail again. All others are returned as they are.
func explain(err error) error {
	var e *pgconn.PgError
	if err == nil || belongs(err) || !errors.As(err, &e) {
		return err
	}
	for _, code := range ours {
		if strings.HasPrefix(e.Code, code) {
			return err
		}
	}
	text := e.Message
	switch e.Code {
	case "23505", "23P01":
		return fmt.Errorf("%w: %s", store.ErrConflict, text)
	case "57014":
		return fmt.Errorf("%w: %s", store.ErrTimeout, text)
	case "42P01", "42703":
		text += " (migrate makes tables at start)"
	case "42P18":
		text += "; say its type, as in :name::text"
	case "0A000":
		if strings.Contains(text, "unquoted SQL function body") {
			text = "only SELECT, VALUES, INSERT, UPDATE, DELETE and MERGE are allowed"
		}
	default:
		if e.Hint != "" && strings.HasPrefix(e.Code, "42") {
			text += " (" + e.Hint + ")"
		}
	}
	return fmt.Errorf("%w: %s", store.ErrStatement, text)
}
