package postgres

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/registry"
	"evrun/store/postgres/schema"
)

// Register implements [store.Handlers].
func (s *Store) Register(ctx context.Context, handlers []store.Registration, evs []*events.Event) ([]store.Consumer, error) {
	if handlers == nil {
		handlers = []store.Registration{}
	}
	return s.Rewire(ctx, store.Wiring{Handlers: handlers, Events: evs})
}

// Rewire implements [store.Store].
func (s *Store) Rewire(ctx context.Context, w store.Wiring) (consumers []store.Consumer, err error) {
	idle, err := s.idle(ctx, w.Handlers)
	if err != nil {
		return nil, fmt.Errorf("register handlers: %w", err)
	}
	err = s.change(ctx, func(t *txn) error {
		if err := t.migrate(w); err != nil {
			return err
		}
		if w.Handlers != nil {
			if consumers, err = t.register(w.Handlers, idle); err != nil {
				return fmt.Errorf("register handlers: %w", err)
			}
		}
		if err := t.moveSchedules(w.Marks); err != nil {
			return err
		}
		if err := t.forgetSchedules(w.Gone); err != nil {
			return err
		}
		t.tell(store.Foreign{Schedules: len(w.Marks)+len(w.Gone) > 0})
		t.emit(w.Events)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.wired(consumers, w.Handlers != nil)
	return consumers, nil
}

// idle returns those of the handlers that have left and have no work to do.
func (s *Store) idle(ctx context.Context, list []store.Registration) (map[string]bool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	known, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	left := map[string]store.Consumer{}
	for _, c := range known {
		if c.State == store.Left {
			left[c.Name] = c
		}
	}
	idle := map[string]bool{}
	for _, r := range list {
		if c, ok := left[r.Name]; ok && !r.FromMark {
			b, err := s.Backlog(ctx, c, 0)
			if err != nil {
				return nil, err
			}
			idle[r.Name] = b.Empty()
		}
	}
	return idle, nil
}

// register tells other daemons only what they don't know: those whose handlers wait for others register again whenever they are told of a change.
func (t *txn) register(list []store.Registration, idle map[string]bool) ([]store.Consumer, error) {
	// Another daemon may be taking over many runs.
	if _, err := t.exec(`SET LOCAL lock_timeout = 0`); err != nil {
		return nil, err
	}
	c, err := t.handlers()
	if err != nil {
		return nil, err
	}
	if _, err := t.exec(`SET LOCAL lock_timeout = '5s'`); err != nil { // as in sessionSettings
		return nil, err
	}
	consumers, err := c.Register(list, idle)
	t.tell(store.Foreign{Handlers: c.Changed()})
	return consumers, err
}

// handlers begins a change of the handlers. It may take as long as it needs: with a limit, what changes very many runs might never be done.
func (t *txn) handlers() (*registry.Change, error) {
	if _, err := t.exec(`SET LOCAL statement_timeout = 0`); err != nil {
		return nil, err
	}
	return registry.Begin(part{t}, t.now, t.s.self())
}

// changeHandlers makes a change of the handlers that accepts events if it changes anything.
func (s *Store) changeHandlers(ctx context.Context, what string, evs []*events.Event, do func(*registry.Change) (bool, error)) (changed bool, err error) {
	err = s.change(ctx, func(t *txn) error {
		c, err := t.handlers()
		if err != nil {
			return err
		}
		if changed, err = do(c); err != nil || !changed {
			return err
		}
		t.tell(store.Foreign{Handlers: true})
		t.emit(evs)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return changed, nil
}

// Pause implements [store.Handlers].
func (s *Store) Pause(ctx context.Context, name string, p store.Pause, evs []*events.Event) (bool, error) {
	return s.changeHandlers(ctx, "pause", evs, func(c *registry.Change) (bool, error) { return c.Pause(name, schema.Text(p.By), schema.Text(p.Why)) })
}

// Resume implements [store.Handlers].
func (s *Store) Resume(ctx context.Context, name string, skipTo int64, evs []*events.Event) (bool, error) {
	return s.changeHandlers(ctx, "resume", evs, func(c *registry.Change) (bool, error) { return c.Resume(name, skipTo) })
}

// Forget implements [store.Handlers].
func (s *Store) Forget(ctx context.Context, name string, evs []*events.Event) error {
	_, err := s.changeHandlers(ctx, "forget", evs, func(c *registry.Change) (bool, error) { return true, c.Forget(name) })
	return err
}
