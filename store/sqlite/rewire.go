package sqlite

import (
	"context"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/reads"
)

// Rewire implements [store.Store].
func (s *Store) Rewire(ctx context.Context, w store.Wiring) ([]store.Consumer, error) {
	r := &registering{handlers: w.Handlers}
	if w.Handlers != nil && s.w != nil { // a store that is read-only says so below
		var err error
		if r.plan, err = reads.PlanRegister(ctx, s.Reader, w.Handlers); err != nil {
			return nil, fmt.Errorf("register handlers: %w", err)
		}
	}
	weight := len(w.Handlers) + len(w.Marks) + len(w.Gone) + len(w.Events)
	for _, m := range w.Migrations {
		weight += len(m.Statements)
	}
	o := newOp(weight, payload(w.Events), func(t *txn) error {
		if err := t.migrate(ctx, w.Migrations, w.Within); err != nil {
			return t.check(err)
		}
		if w.Handlers != nil {
			if err := t.register(r); err != nil {
				return t.check(fmt.Errorf("register handlers: %w", err))
			}
		}
		if err := t.moveSchedules(w.Marks); err != nil {
			return err
		}
		if err := t.forgetSchedules(w.Gone); err != nil {
			return err
		}
		return t.emit(w.Events)
	})
	if len(w.Migrations) > 0 {
		o.turn = holding
	}
	if err := s.w.submit(ctx, o); err != nil {
		return nil, err
	}
	return r.consumers, nil
}

// migrate creates the handlers' own tables, within a time; 0: without a limit.
func (t *txn) migrate(ctx context.Context, list []store.Migration, within time.Duration) error {
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, within, errSlowMigration(within))
		defer cancel()
	}
	for _, m := range list {
		if err := t.migrateOne(ctx, m); err != nil {
			return fmt.Errorf("handler %s: migrate: %w", m.Handler, err)
		}
	}
	return nil
}

func errSlowMigration(within time.Duration) error {
	return fmt.Errorf("%w: migrations have %v in all", store.ErrTimeout, within)
}

// migrateOne runs those of a handler's statements that never ran.
func (t *txn) migrateOne(ctx context.Context, m store.Migration) error {
	record, err := t.w.prepared(`INSERT INTO user_migrations (statement, handler, applied_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	defined := false
	for i, st := range m.Statements {
		n, err := record.Exec(st.Key, m.Handler, t.now)
		if err != nil {
			return err
		}
		if n == 0 {
			continue // it ran already
		}
		if st.Defines {
			defined, t.defined = true, true // before it runs: a rollback undoes what it began
		}
		if _, err := t.w.user.Exec(ctx, guard.Limit{}, st, nil); err != nil {
			return fmt.Errorf("statement %d: %w", i+1, err)
		}
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("statement %d: %w", i+1, err)
		}
	}
	if !defined {
		return nil
	}
	if err := t.w.user.SchemaChanged(); err != nil {
		return err
	}
	if err := t.w.user.CheckReferences(); err != nil {
		return err
	}
	return t.w.user.CheckTriggers()
}
