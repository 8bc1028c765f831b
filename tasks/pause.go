package tasks

import (
	"context"
	"maps"
	"slices"
	"time"

	"evrun/tasks/control"
)

// Pause pauses a handler until Resume, also over restarts and reloads: its running attempts finish, and nothing new begins once Pause has returned.
// Its events and retries wait. It returns the pause that the handler has now, and false if it was paused already. Errors are those of
// [control.PauseHandler], and [ErrStopping].
//
// The worker stops like that of a handler that leaves, and a new one waits in its place until the handler is resumed.
func (r *Runner) Pause(ctx context.Context, name, why string) (*control.Pause, bool, error) {
	p, paused, old, err := r.pause(ctx, name, why)
	if err != nil || old == nil {
		return p, paused, err
	}
	t := time.NewTimer(askWithin)
	defer t.Stop()
	select {
	case <-old.w.quiet:
	case <-old.ended:
	case <-t.C: // it is stuck: it begins nothing either
	}
	return p, paused, nil
}

// pause pauses a handler, and returns the member that is stopping; nil: it was paused already.
func (r *Runner) pause(ctx context.Context, name, why string) (p *control.Pause, paused bool, old *member, err error) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return nil, false, nil, ctx.Err()
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	if r.stopping {
		return nil, false, nil, ErrStopping
	}
	p, paused, err = control.PauseHandler(ctx, r.o.Store, r.o.Emitter, name, why)
	now := r.wired.Load()
	if old = now.members[name]; err != nil || !paused || old == nil {
		return p, paused, nil, err
	}
	r.setAside(old)
	return p, true, old, nil
}

// setAside ends a member's worker when its attempts have ended, and puts one in its place that waits while the handler is paused. r.wiring is held.
func (r *Runner) setAside(old *member) {
	now, name := r.wired.Load(), old.h.Name
	fresh := newMember(r, old.h)
	fresh.inherits = old.inherits
	next := &wired{handlers: now.handlers, members: maps.Clone(now.members)}
	next.members[name] = fresh
	r.wired.Store(next)
	old.retire()
	r.leaving[name] = append(r.leaving[name], old)
	r.begin(fresh, slices.Clone(r.leaving[name]))
}
