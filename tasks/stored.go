package tasks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
)

// Stored answers the questions of a [Runner] without a daemon, from a wiring and the store.
type Stored struct {
	Store    store.Store // nil: no store exists yet, because no daemon has run
	Emitter  *emitter.Emitter
	Handlers []*Handler
}

// HandlerStatuses is like [Runner.HandlerStatuses].
func (s *Stored) HandlerStatuses(ctx context.Context) ([]control.HandlerStatus, error) {
	return control.Statuses(ctx, s.Store, controlled(s.Handlers), true, time.Time{}, func(string) (control.Live, bool) { return control.Live{}, false })
}

// Resume is like [Runner.Resume].
func (s *Stored) Resume(ctx context.Context, name string, fromNow bool) (control.Skipped, error) {
	if s.Store == nil {
		return control.Skipped{}, store.ErrNotFound
	}
	return control.Resume(ctx, s.Store, s.Emitter, name, fromNow)
}

// Pause is like [Runner.Pause].
func (s *Stored) Pause(ctx context.Context, name, why string) (*control.Pause, bool, error) {
	if s.Store == nil {
		return nil, false, store.ErrNotFound
	}
	return control.PauseHandler(ctx, s.Store, s.Emitter, name, why)
}

// Forget is like [Runner.Forget], and refuses every handler that is in the wiring, even if no daemon has run it.
func (s *Stored) Forget(ctx context.Context, name string) (control.Skipped, error) {
	switch {
	case s.Store == nil:
		return control.Skipped{}, store.ErrNotFound
	case slices.ContainsFunc(s.Handlers, func(h *Handler) bool { return h.Name == name }):
		return control.Skipped{}, fmt.Errorf("handler %q: %w", name, store.ErrActive)
	}
	return control.Forget(ctx, s.Store, s.Emitter, name)
}

// Retry is like [Runner.Retry]: the runs are due at once, and wait for a daemon.
func (s *Stored) Retry(ctx context.Context, c store.Change) ([]store.Run, error) {
	return s.Store.Retry(ctx, c)
}

// Cancel is like [Runner.Cancel]. Nothing runs: a run that is still running was interrupted by a kill, and ends at once.
func (s *Stored) Cancel(ctx context.Context, c store.Change) ([]store.Run, error) {
	return s.Store.Cancel(ctx, c)
}

// Drop is like [Runner.Drop].
func (s *Stored) Drop(ctx context.Context, c store.Change) ([]store.Run, error) {
	return s.Store.Drop(ctx, c)
}

// Resend is like [Runner.Resend].
func (s *Stored) Resend(ctx context.Context, c store.Change, with map[string]*events.Event) ([]store.Run, error) {
	return s.Store.Resend(ctx, c, with)
}
