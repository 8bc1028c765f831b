package reads

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"evrun/store"
)

// readers are the connections for evrun's own queries. No query may last longer than readTimeout, until its rows are closed, because the WAL can't
// start over meanwhile.
type readers struct{ *sql.DB }

var errReadTimeout = fmt.Errorf("%w: a read of evrun's own is ended after %v, since the write-ahead log grows meanwhile", store.ErrTimeout, readTimeout)

// limited is a running query with its time limit.
type limited struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func limit(ctx context.Context) limited {
	ctx, cancel := context.WithTimeoutCause(ctx, readTimeout, errReadTimeout)
	return limited{ctx, cancel}
}

// explain returns errReadTimeout if the time limit caused err, otherwise err.
func (l limited) explain(err error) error {
	if err != nil && errors.Is(context.Cause(l.ctx), errReadTimeout) {
		return errReadTimeout
	}
	return err
}

type readRows struct {
	*sql.Rows
	limited
}

// QueryContext is like that of [sql.DB], with the time limit.
func (r readers) QueryContext(ctx context.Context, query string, args ...any) (*readRows, error) {
	l := limit(ctx)
	found, err := r.DB.QueryContext(l.ctx, query, args...) //nolint:rowserrcheck // the caller asks readRows.Err
	if err != nil {
		l.cancel()
		return nil, l.explain(err)
	}
	return &readRows{found, l}, nil
}

// Close ends the query.
func (r *readRows) Close() error {
	err := r.Rows.Close()
	r.cancel()
	return err
}

// Err is like that of [sql.Rows].
func (r *readRows) Err() error { return r.explain(r.Rows.Err()) }

type readRow struct {
	*sql.Row
	limited
}

// QueryRowContext is like that of [sql.DB], with the time limit.
func (r readers) QueryRowContext(ctx context.Context, query string, args ...any) *readRow {
	l := limit(ctx)
	return &readRow{r.DB.QueryRowContext(l.ctx, query, args...), l}
}

// Scan is like that of [sql.Row].
func (r *readRow) Scan(dest ...any) error {
	err := r.explain(r.Row.Scan(dest...))
	r.cancel()
	return err
}
