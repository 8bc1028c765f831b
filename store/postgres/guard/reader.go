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
	readers = conn.UserReads
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

// read runs a statement in a transaction that can't write, and keeps out no migration: one that makes its tables others can do no harm there.
func (u *Statements) read(ctx context.Context, limit time.Duration, s *store.Statement, args []any) (out store.Result, err error) {
	for tries := 0; ; tries++ {
		// The check makes a function for a moment.
		err = u.transaction(ctx, `BEGIN READ WRITE`, func() error {
			err := u.begin(ctx, ``)
			if err == nil {
				_, err = u.statement(ctx, s, true)
			}
			return err
		})
		if err != nil {
			return out, err
		}
		err = u.transaction(ctx, `BEGIN READ ONLY`, func() (err error) {
			u.reading = true
			defer func() { u.reading = false }()
			out, err = u.exec(ctx, limit, false, s, args)
			return err
		})
		switch {
		case stale(err) && tries == 0:
			continue
		case conn.Code(err) == conn.ReadOnlyTransaction:
			return out, refused("it does more than read")
		}
		return out, err
	}
}

// transaction does something in a transaction, which it takes back.
func (u *Statements) transaction(ctx context.Context, begin string, do func() error) error {
	if _, err := u.c.PgConn().Exec(ctx, begin).ReadAll(); err != nil {
		return err
	}
	err := do()
	if u.c.IsClosed() {
		return err
	}
	_, ended := u.c.PgConn().Exec(context.WithoutCancel(ctx), `ROLLBACK`).ReadAll()
	return errors.Join(err, ended)
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
