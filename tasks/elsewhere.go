package tasks

import (
	"context"

	"evrun/store"
)

// hold asks for slots of a handler, unless it runs on other daemons alone.
func (r *Runner) hold(ctx context.Context, h *Handler, known store.Consumer, d store.Division) (store.Lease, error) {
	if n := r.o.Node; n != nil && !h.RunsOn(n.Name, n.Labels) {
		return elsewhere{}, nil
	}
	return r.o.Store.Hold(ctx, known, d)
}

// elsewhere is a lease of a handler that runs on other daemons: it never has a slot.
type elsewhere struct{}

func (elsewhere) C() <-chan struct{}      { return nil }
func (elsewhere) Take() store.LeaseChange { return store.LeaseChange{} }
func (elsewhere) Give(store.Slots)        {}
func (elsewhere) Close()                  {}
