package reads

import (
	"context"
	"errors"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/schema"
)

const (
	// userReaders is how many read-only user statements run at a time.
	userReaders = 2
	// readTimeout limits such a statement if its context has no deadline.
	readTimeout = 5 * time.Second
)

// userReads holds the connections for read-only user statements. They are separate from [readers], which evrun's own queries need, and are
// opened at their first use.
type userReads struct {
	path  string
	value int
	limit guard.Limit
	free  chan *guard.Statements // nil: not opened yet
}

func newUserReads(path string, value int) *userReads {
	r := &userReads{path: path, value: value, limit: guard.Limit{Wall: readTimeout}, free: make(chan *guard.Statements, userReaders)}
	for range userReaders {
		r.free <- nil
	}
	return r
}

// Read implements [store.Statements].
func (r *Reader) Read(ctx context.Context, st *store.Statement, args []any) (store.Result, error) {
	if !st.Reads {
		return store.Result{}, fmt.Errorf("%w: %s does more than read", store.ErrStatement, st.Verb)
	}
	if r.user == nil {
		return store.Result{}, store.ErrReadOnly
	}
	return r.user.exec(ctx, st, args)
}

func (r *userReads) exec(ctx context.Context, s *store.Statement, args []any) (store.Result, error) {
	var u *guard.Statements
	select {
	case u = <-r.free:
	case <-ctx.Done():
		return store.Result{}, context.Cause(ctx)
	}
	defer func() { r.free <- u }()
	if u == nil {
		c, err := conn.Open(conn.Reader(r.path))
		if err != nil {
			return store.Result{}, err
		}
		own, err := schema.Own(c)
		if err != nil {
			return store.Result{}, errors.Join(err, c.Close())
		}
		if u, err = guard.New(c, own, r.value); err != nil {
			return store.Result{}, errors.Join(err, c.Close())
		}
	}
	if err := u.Refresh(); err != nil {
		return store.Result{}, err
	}
	limit := r.limit
	if _, ok := ctx.Deadline(); ok {
		limit.Wall = 0
	}
	return u.Exec(ctx, limit, s, args)
}

// Close waits for the running statements.
func (r *userReads) Close() error {
	var errs []error
	for range userReaders {
		if u := <-r.free; u != nil {
			errs = append(errs, u.Close(), u.Conn().Close())
		}
	}
	return errors.Join(errs...)
}
