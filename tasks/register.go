package tasks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
)

// countAheadAsWaiting corrects a count of the store's: a run whose attempt is only claimed ahead is a waiting event.
func (r *Runner) countAheadAsWaiting(ctx context.Context, u *control.Unfinished) {
	if m := r.wired.Load().members[u.Name]; m != nil {
		s, _ := m.status(ctx)
		ahead := min(s.ahead, u.Running)
		u.Running -= ahead
		u.Waiting += int64(ahead)
	}
}

// registration is the result of registering a wiring: its handlers, those that leave and those that return.
type registration struct {
	known   []store.Consumer // those of the wiring, in its order
	left    []control.Unfinished
	paused  []control.Unfinished // returned late
	unknown []UnknownWas
}

// UnknownWas is a handler whose was names a handler that the store has never had.
type UnknownWas struct {
	Handler string `json:"handler"`
	Was     string `json:"was"`
}

// register puts a wiring into the store, and publishes and logs the handlers that leave or return with unfinished work. After an error nothing has
// changed.
func (r *Runner) register(ctx context.Context, handlers []*Handler, w store.Wiring) (done registration, err error) {
	before, err := r.o.Store.Handlers(ctx)
	if err != nil {
		return done, err
	}
	if done.left, err = control.Leaving(ctx, r.o.Store, controlled(handlers)); err != nil {
		return done, err
	}
	for i := range done.left {
		r.countAheadAsWaiting(ctx, &done.left[i])
	}
	for _, u := range done.left {
		e, err := r.o.Emitter.Notice(events.TypeHandlerLeft, "", u.Data())
		if err != nil {
			return done, err
		}
		w.Events = append(w.Events, e)
	}
	if done.known, err = r.o.Store.Rewire(ctx, w); err != nil {
		return done, err
	}
	for _, u := range done.left {
		r.o.Log.Warn("a handler has left the wiring with work to do; put it back within an hour, or let another one take over with was: "+u.Name,
			"handler", u.Name, "waiting", u.Waiting, "running", u.Running, "retrying", u.Retrying)
	}
	for i, c := range done.known {
		j := slices.IndexFunc(before, func(b store.Consumer) bool { return b.Name == c.Name })
		if r.unknownWas(handlers[i], c, before) {
			done.unknown = append(done.unknown, UnknownWas{c.Name, handlers[i].Was})
		}
		if !c.Paused {
			continue
		}
		b, err := r.o.Store.Backlog(ctx, c, 0)
		u := control.UnfinishedOf(c.Name, b)
		u.Pause = control.PauseOf(c.Pause)
		done.paused = append(done.paused, u)
		if err == nil && j >= 0 && before[j].State == store.Left && !before[j].Paused {
			err = r.tellPaused(ctx, u, before[j].Left)
		}
		if err != nil { // the wiring has changed all the same
			r.o.Log.Error("could not count what waits for a paused handler", "handler", c.Name, "error", err)
		}
		if !c.Pause.At.IsZero() {
			r.o.Log.Warn("a handler is paused; evrun handlers resume "+c.Name+" continues it", "handler", c.Name, "by", c.Pause.By, "why", c.Pause.Why,
				"since", c.Pause.At.Format(time.RFC3339), "waiting", u.Waiting, "retrying", u.Retrying)
			continue
		}
		r.o.Log.Warn("a handler returned after more than an hour and is paused; evrun handlers resume "+c.Name+" continues it",
			"handler", c.Name, "waiting", u.Waiting, "running", u.Running, "retrying", u.Retrying)
	}
	return done, nil
}

// unknownWas logs the result of a handler's was, and reports whether was names a handler that never existed.
func (r *Runner) unknownWas(h *Handler, c store.Consumer, before []store.Consumer) bool {
	switch {
	case h.Was == "":
	case c.Took:
		r.tellTook(h, c)
	case !slices.ContainsFunc(before, func(b store.Consumer) bool { return b.Name == h.Was }):
		r.o.Log.Warn("this store has never had a handler of the name in was: is it misspelt?", "handler", c.Name, "was", h.Was)
		return true
	}
	return false
}

func (r *Runner) tellTook(h *Handler, c store.Consumer) {
	r.o.Log.Info("a handler has taken over the place and the runs of another one", "handler", h.Name, "was", h.Was, "after", c.LowWater)
}

func (r *Runner) tellPaused(ctx context.Context, u control.Unfinished, left time.Time) error {
	data := u.Data()
	if !left.IsZero() {
		data["left_at"] = left.UTC().Format(time.RFC3339)
	}
	e, err := r.o.Emitter.Notice(events.TypeHandlerPaused, "", data)
	if err == nil {
		_, err = r.o.Emitter.Accept(ctx, []*events.Event{e})
	}
	return err
}

// Resume lets a paused handler continue where it stopped. With fromNow, the handler skips its waiting events and its unsettled runs are dropped; the
// event evrun.handler.skipped has the numbers. The errors are [store.ErrNotFound] and [control.ErrHasLeft].
func (r *Runner) Resume(ctx context.Context, name string, fromNow bool) (control.Skipped, error) {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	done, err := control.Resume(ctx, r.o.Store, r.o.Emitter, name, fromNow)
	if m := r.wired.Load().members[name]; err == nil && done.Done && m != nil {
		m.lookAgain()
	}
	return done, err
}

// Forget deletes the mark of a handler that has left, and drops its unsettled and dead runs; the event evrun.handler.skipped has the numbers. The
// errors are [store.ErrNotFound], [store.ErrActive] and [control.ErrLeaving].
func (r *Runner) Forget(ctx context.Context, name string) (control.Skipped, error) {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	if len(r.leaving[name]) > 0 && r.wired.Load().members[name] == nil {
		return control.Skipped{}, fmt.Errorf("handler %q: %w", name, control.ErrLeaving)
	}
	return control.Forget(ctx, r.o.Store, r.o.Emitter, name)
}
