package tasks

import (
	"context"
	"slices"
	"sync"

	"evrun/store"
)

// mostForeign is how many runs that others have changed are kept until the runner looks; beyond, the workers read all.
const mostForeign = 8192

// foreign collects what other processes have changed.
type foreign struct {
	mu   sync.Mutex
	what store.Foreign
	wake chan struct{} // of one token
}

// Foreign takes up what another process has changed in the store: see [store.Options.OnForeign]. It does not block.
func (r *Runner) Foreign(f store.Foreign) {
	r.foreign.mu.Lock()
	defer r.foreign.mu.Unlock()
	w := &r.foreign.what
	w.Handlers, w.All = w.Handlers || f.Handlers, w.All || f.All
	if w.Runs = append(w.Runs, f.Runs...); len(w.Runs) > mostForeign {
		w.Runs, w.All = nil, true
	}
	select {
	case r.foreign.wake <- struct{}{}:
	default:
	}
}

// follow does what Foreign was told, until ctx ends.
func (r *Runner) follow(ctx context.Context) {
	for {
		select {
		case <-r.foreign.wake:
		case <-ctx.Done():
			return
		}
		r.foreign.mu.Lock()
		f := r.foreign.what
		r.foreign.what = store.Foreign{}
		r.foreign.mu.Unlock()
		for _, m := range r.members() {
			if f.All {
				m.w.changed.Reread()
			} else if runs := slices.DeleteFunc(slices.Clone(f.Runs), func(run store.Run) bool { return run.Handler != m.h.Name }); len(runs) > 0 {
				m.w.changed.Tell(runs)
			}
		}
		for (f.Handlers || f.All) && !r.lookAtHandlers(ctx) && pause(ctx, storeRetryEvery) {
		}
	}
}

// lookAtHandlers stops the workers of handlers that were paused elsewhere, and has those that wait look again. It returns false if the store can't be read.
func (r *Runner) lookAtHandlers(ctx context.Context) bool {
	known, err := r.o.Store.Handlers(ctx)
	if err != nil {
		return false
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	for _, c := range known {
		m := r.wired.Load().members[c.Name]
		switch {
		case m == nil || r.stopping:
		case !m.hasBegun():
			m.lookAgain()
		case c.Paused:
			r.o.Log.Info("a handler was paused at another daemon", "handler", c.Name, "by", c.Pause.By, "why", c.Pause.Why)
			r.setAside(m)
		}
	}
	return true
}
