package tasks

import (
	"context"
	"fmt"
	"slices"

	"evrun/store"
	"evrun/tasks/emitter"
)

// Stored answers the questions of a [Runner] without a daemon, from a wiring and the store.
type Stored struct {
	Store    store.Store // nil: no store exists yet, because no daemon has run
	Emitter  *emitter.Emitter
	Handlers []*Handler
}

// HandlerStatuses is like [Runner.HandlerStatuses].
func (s *Stored) HandlerStatuses(ctx context.Context) ([]HandlerStatus, error) {
	if s.Store != nil {
		return handlerStatuses(ctx, s.Store, s.Handlers, true, func(string) (workerStatus, bool) { return workerStatus{}, false })
	}
	list := make([]HandlerStatus, len(s.Handlers))
	for i, h := range s.Handlers {
		list[i] = HandlerStatus{Name: h.Name, State: StateNew, Kind: h.Kind, On: patternNames(h.On)}
	}
	return list, nil
}

// Resume is like [Runner.Resume].
func (s *Stored) Resume(ctx context.Context, name string, fromNow bool) (Skipped, error) {
	if s.Store == nil {
		return Skipped{}, store.ErrNotFound
	}
	return resumeHandler(ctx, s.Store, s.Emitter, name, fromNow)
}

// Forget is like [Runner.Forget], and refuses every handler that is in the wiring, even if no daemon has run it.
func (s *Stored) Forget(ctx context.Context, name string) (Skipped, error) {
	switch {
	case s.Store == nil:
		return Skipped{}, store.ErrNotFound
	case slices.ContainsFunc(s.Handlers, func(h *Handler) bool { return h.Name == name }):
		return Skipped{}, fmt.Errorf("handler %q: %w", name, store.ErrActive)
	}
	return forgetHandler(ctx, s.Store, s.Emitter, name)
}

// Retry is like [Runner.Retry]: the runs are due at once, and wait for a daemon.
func (s *Stored) Retry(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	return s.Store.Retry(ctx, q)
}
