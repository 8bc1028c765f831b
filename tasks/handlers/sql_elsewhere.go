package handlers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"evrun/store"
	"evrun/tasks"
)

// sqlElsewhere is the kind sql on another SQLite file: an outside handler. The first event opens the
// file, and the next one tries again if that failed, so a locked or missing file does not keep the daemon from starting. The migrations
// run then, too: a refused wiring changes nothing in other files.
type sqlElsewhere struct {
	s       *sql
	path    string
	open    func(path string, create bool) (store.Database, error)
	timeout time.Duration // of the statement, with the wait for its turn and for locks, when its handler has none

	mu sync.Mutex
	db store.Database // nil while it is not open
}

const elsewhereTimeout = 30 * time.Second

func (e *sqlElsewhere) written() tasks.Action { return e.s }

// Open implements [tasks.Opener].
func (e *sqlElsewhere) Open(s tasks.Surroundings) { e.open = s.OpenDatabase }

// Do runs the statement, as a transaction of its own.
func (e *sqlElsewhere) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	args, err := e.s.args(d)
	if err != nil {
		return nil, err
	}
	db, err := e.database(ctx)
	if err != nil {
		return e.s.result(store.Result{}, err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.timeout, fmt.Errorf("%w: more than %v; the handler's timeout can give it longer", store.ErrTimeout, e.timeout))
		defer cancel()
	}
	r, err := db.Exec(ctx, e.s.statement, args)
	return e.s.result(r, err)
}

// database opens the file and runs the migrations, the first time.
func (e *sqlElsewhere) database(ctx context.Context) (store.Database, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db != nil {
		return e.db, nil
	}
	if e.open == nil {
		return nil, errors.New("dsn: no other databases can be opened here")
	}
	db, err := e.open(e.path, len(e.s.migrations) > 0)
	if err != nil {
		return nil, err
	}
	if len(e.s.migrations) > 0 {
		if err := db.Migrate(ctx, e.s.migrations); err != nil {
			return nil, errors.Join(fmt.Errorf("migrate: %w", err), db.Close())
		}
	}
	e.db = db
	return db, nil
}

// Close closes the file.
func (e *sqlElsewhere) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db == nil {
		return nil
	}
	db := e.db
	e.db = nil
	return db.Close()
}
