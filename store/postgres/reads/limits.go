package reads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store"
	"evrun/store/postgres/conn"
)

const (
	// readTimeout is how long one query may take on the server.
	readTimeout = 5 * time.Second
	// answerTimeout is how long a query waits for a connection and its answer, also if the server or the network has stopped.
	answerTimeout = readTimeout + 3*time.Second
	// connectTimeout is how long a connection may take to be made.
	connectTimeout = 3 * time.Second
	// pingTimeout is how long an idle connection may take to show that it still works.
	pingTimeout = time.Second
)

var (
	errReadTimeout = fmt.Errorf("%w: a read of evrun's own is ended after %v", store.ErrBusy, readTimeout)
	errNoAnswer    = fmt.Errorf("%w: there was no answer in %v", store.ErrBusy, answerTimeout)
)

// explain translates an error of a query, whose context is ctx. What may pass is [store.ErrBusy]: the server is away, or has too much to do.
func explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return errNoAnswer
	case ctx.Err() != nil:
		return err
	case conn.Code(err) == conn.QueryCanceled:
		return errReadTimeout
	case passes(err):
		return fmt.Errorf("%w: %w", store.ErrBusy, conn.Tidy(err))
	}
	return err
}

// passes reports whether the same query may succeed later.
func passes(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// broken connections, rollbacks (on a standby), resources, locks, operators, the system
		return len(e.Code) == 5 && strings.Contains("08 40 53 55 57 58", e.Code[:2])
	}
	_, network := errors.AsType[net.Error](err)
	return network || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
