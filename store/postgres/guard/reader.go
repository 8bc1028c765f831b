package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/conn"
)

const (
	// readers is how many read-only statements run at a time.
	readers = 2
	// readTimeout limits such a statement if its context has no deadline.
	readTimeout = 5 * time.Second
)

// Reader runs statements that only read, on connections of its own, which it opens at their first use. Safe for concurrent use.
type Reader struct {
	connect func(context.Context) (*pgx.Conn, error)
	free    chan *Statements // nil: not open
}

// NewReader makes a Reader.
func NewReader(connect func(context.Context) (*pgx.Conn, error)) *Reader {
	r := &Reader{connect: connect, free: make(chan *Statements, readers)}
	for range readers {
		r.free <- nil
	}
	return r
}

// Read implements [store.Statements].
func (r *Reader) Read(ctx context.Context, s *store.Statement, args []any) (out store.Result, err error) {
	if !s.Reads {
		return out, refused(s.Verb + " does more than read")
	}
	var u *Statements
	select {
	case u = <-r.free:
	case <-ctx.Done():
		return out, context.Cause(ctx)
	}
	defer func() {
		if err != nil && u != nil && u.c.IsClosed() {
			u = nil
		}
		r.free <- u
	}()
	limit := readTimeout
	if end, ok := ctx.Deadline(); ok {
		limit = max(time.Until(end), time.Millisecond)
	}
	for tries := 0; ; tries++ {
		fresh := u == nil
		if fresh {
			made, err := r.connect(ctx)
			if err != nil {
				return out, err
			}
			if u, err = New(ctx, made); err != nil {
				return out, errors.Join(err, made.Close(context.WithoutCancel(ctx)))
			}
		}
		if out, err = u.read(ctx, limit, s, args); err == nil || belongs(err) || ctx.Err() != nil || fresh || !u.c.IsClosed() {
			break
		}
		u = nil // the connection broke since its last use
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return out, fmt.Errorf("%w: %w", store.ErrTimeout, cause)
		}
		return out, cause
	}
	return out, err
}

// read runs a statement in a transaction that can't write. It is checked in one that can, since the check makes a function for a moment: what was looked at
// stays as it is until the transaction ends, so it goes on as one that reads.
func (u *Statements) read(ctx context.Context, limit time.Duration, s *store.Statement, args []any) (out store.Result, err error) {
	for tries := 0; ; tries++ {
		out, err = u.readOnce(ctx, limit, s, args)
		if !stale(err) || tries > 0 {
			return out, err
		}
	}
}

func (u *Statements) readOnce(ctx context.Context, limit time.Duration, s *store.Statement, args []any) (out store.Result, err error) {
	if _, err := u.c.PgConn().Exec(ctx, `BEGIN READ WRITE`).ReadAll(); err != nil {
		return out, err
	}
	defer func() {
		if u.c.IsClosed() {
			return
		}
		_, ended := u.c.PgConn().Exec(context.WithoutCancel(ctx), `ROLLBACK`).ReadAll()
		err = errors.Join(err, ended)
	}()
	if err := u.begin(ctx); err != nil {
		return out, err
	}
	if _, err := u.statement(ctx, s, true); err != nil {
		return out, err
	}
	if _, err := u.c.PgConn().Exec(ctx, `SET TRANSACTION READ ONLY`).ReadAll(); err != nil {
		return out, err
	}
	u.reading = true
	out, err = u.exec(ctx, limit, false, s, args)
	u.reading = false
	if conn.Code(err) == conn.ReadOnlyTransaction {
		return out, refused("it does more than read")
	}
	return out, err
}

// Close waits for the running statements.
func (r *Reader) Close() error {
	var errs []error
	for range readers {
		if u := <-r.free; u != nil {
			errs = append(errs, u.c.Close(context.Background()))
		}
	}
	return errors.Join(errs...)
}
