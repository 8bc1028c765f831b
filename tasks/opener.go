package tasks

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
)

// Opener is an [Action] that has to get something ready before its handler's first event, and to let go of it at the end.
type Opener interface {
	// Open is called by [Runner.Run] before the handler takes events. An error keeps the runner from starting.
	Open(ctx context.Context, handler string, s store.Store) error
	// Close is called after Open, when all attempts have ended.
	Close() error
}

// openActions opens the handlers' actions; close undoes it.
func (r *Runner) openActions(ctx context.Context) (close func() error, err error) {
	var opened []Opener
	close = func() error {
		var errs []error
		for _, o := range opened {
			errs = append(errs, o.Close())
		}
		return errors.Join(errs...)
	}
	for _, h := range r.o.Handlers {
		o, ok := h.Action.(Opener)
		if !ok {
			continue
		}
		if err := o.Open(ctx, h.Name, r.o.Store); err != nil {
			return close, fmt.Errorf("handler %s: %w", h.Name, err)
		}
		opened = append(opened, o)
	}
	return close, nil
}
