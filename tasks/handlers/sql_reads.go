package handlers

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/tasks"
)

// sqlReads is the kind sql on evrun's own database with a statement that only reads: it runs beside the writer and
// blocks no other handler. It sees the database as of its start, and others may write before its run is settled. The run and its events
// are still settled exactly once.
type sqlReads struct {
	s *sql
}

func (r *sqlReads) written() tasks.Action { return r.s }

// Migrations implements [tasks.Migrator].
func (r *sqlReads) Migrations() []*store.Statement { return r.s.Migrations() }

// Read implements [tasks.Reading].
func (r *sqlReads) Read(ctx context.Context, in store.Store, d *tasks.Delivery) (any, error) {
	args, err := r.s.args(d)
	if err != nil {
		return nil, err
	}
	rows, err := in.Read(ctx, r.s.statement, args)
	if errors.Is(err, store.ErrTimeout) {
		err = fmt.Errorf("%w; the handler's timeout can give it longer", err)
	}
	return r.s.result(rows, err)
}

// Prepare evaluates the parameters, for checks of the inputs. Its effect does what Read does, in a transaction.
func (r *sqlReads) Prepare(d *tasks.Delivery) (tasks.Effect, error) { return r.s.Prepare(d) }
