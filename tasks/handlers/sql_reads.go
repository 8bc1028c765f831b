package handlers

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/tasks"
)

// sqlReads is the kind sql on evrun's own database with a statement that only reads: it runs beside the writer, and holds up
// nobody. It sees the database as it was when it began; by the time its run is settled, others may have written. The run, and
// the events that follow from what was read, are still settled exactly once.
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

// Prepare evaluates the parameters, for who wants to know whether that goes well: its effect is what Read does, in a transaction.
func (r *sqlReads) Prepare(d *tasks.Delivery) (tasks.Effect, error) { return r.s.Prepare(d) }
