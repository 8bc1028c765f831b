package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

// Unfinished is a handler with the number of events and runs that wait for it.
type Unfinished struct {
	Name     string `json:"name"`
	Waiting  int64  `json:"waiting"`           // events without a run
	AtMost   bool   `json:"at_most,omitempty"` // Waiting is an upper bound
	Running  int    `json:"running"`
	Retrying int    `json:"retrying"`
	Dead     int    `json:"dead"`
}

func unfinished(name string, b store.Backlog) Unfinished {
	return Unfinished{Name: name, Waiting: b.Waiting, AtMost: b.AtMost, Running: b.Running, Retrying: b.Retrying, Dead: b.Dead}
}

// String returns a phrase such as "7 events wait, 2 runs are not settled".
func (u Unfinished) String() string {
	text := ""
	switch {
	case u.Waiting == 1 && !u.AtMost:
		text = "1 event waits"
	case u.Waiting > 0 && u.AtMost:
		text = fmt.Sprintf("at most %d events wait", u.Waiting)
	case u.Waiting > 0:
		text = fmt.Sprintf("%d events wait", u.Waiting)
	}
	if n := u.Running + u.Retrying; n > 0 {
		if text != "" {
			text += ", "
		}
		if n == 1 {
			text += "1 run is not settled"
		} else {
			text += fmt.Sprintf("%d runs are not settled", n)
		}
	}
	if text == "" {
		return "nothing waits"
	}
	return text
}

// Leaving returns the active handlers that are not in handlers and have unfinished work.
func Leaving(ctx context.Context, s store.Store, handlers []*Handler) ([]Unfinished, error) {
	known, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	stay := map[string]bool{}
	for _, h := range handlers {
		stay[h.Name], stay[h.Was] = true, true
	}
	var list []Unfinished
	for _, c := range known {
		if c.State != store.Active || stay[c.Name] {
			continue
		}
		b, err := s.Backlog(ctx, c, 0)
		if err != nil {
			return nil, err
		}
		if !b.Empty() {
			list = append(list, unfinished(c.Name, b))
		}
	}
	return list, nil
}

// countAheadAsWaiting corrects a count of the store's: a run whose attempt is only claimed ahead is a waiting event.
func (r *Runner) countAheadAsWaiting(ctx context.Context, u *Unfinished) {
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
	left    []Unfinished
	paused  []Unfinished // returned late
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
	if done.left, err = Leaving(ctx, r.o.Store, handlers); err != nil {
		return done, err
	}
	for i := range done.left {
		r.countAheadAsWaiting(ctx, &done.left[i])
	}
	for _, u := range done.left {
		e, err := r.o.Emitter.Notice(events.TypeHandlerLeft, "", about(u))
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
		u := unfinished(c.Name, b)
		done.paused = append(done.paused, u)
		if err == nil && j >= 0 && before[j].State == store.Left && !before[j].Paused {
			err = r.tellPaused(ctx, u, before[j].Left)
		}
		if err != nil { // the wiring has changed all the same
			r.o.Log.Error("could not count what waits for a paused handler", "handler", c.Name, "error", err)
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

func about(u Unfinished) map[string]any {
	data := map[string]any{"handler": u.Name, "waiting": u.Waiting, "running": u.Running, "retrying": u.Retrying, "dead": u.Dead}
	if u.AtMost {
		data["at_most"] = true
	}
	return data
}

func (r *Runner) tellPaused(ctx context.Context, u Unfinished, left time.Time) error {
	data := about(u)
	if !left.IsZero() {
		data["left_at"] = left.UTC().Format(time.RFC3339)
	}
	e, err := r.o.Emitter.Notice(events.TypeHandlerPaused, "", data)
	if err == nil {
		_, err = r.o.Emitter.Accept(ctx, []*events.Event{e})
	}
	return err
}

// Skipped counts the events and runs that a handler won't handle.
type Skipped struct {
	Done   bool  `json:"-"`                 // false: nothing was done, because the handler is not paused
	Events int64 `json:"skipped_events"`    // waiting events that won't be handled
	AtMost bool  `json:"at_most,omitempty"` // Events is an upper bound
	Runs   int   `json:"dropped_runs"`
}

// ErrHasLeft is the error of [Runner.Resume] for a handler that is not in the wiring.
var ErrHasLeft = errors.New("it is not in the wiring file: put it back there first")

// ErrLeaving is the error of [Runner.Forget] for a handler that has left and still has running attempts.
var ErrLeaving = errors.New("it still has running attempts: try again when they have ended")

// resumeHandler is the part of [Runner.Resume] in the store.
func resumeHandler(ctx context.Context, s store.Store, em *emitter.Emitter, name string, fromNow bool) (Skipped, error) {
	var done Skipped
	var head int64
	var evs []*events.Event
	c, err := lookUp(ctx, s, name)
	if err != nil {
		return done, err
	}
	if c.State == store.Left {
		return done, fmt.Errorf("handler %q: %w", name, ErrHasLeft)
	}
	if fromNow && c.Paused {
		if head, err = s.Head(ctx); err != nil {
			return done, err
		}
		if evs, err = done.skip(ctx, s, em, c, head, "resume --from now"); err != nil {
			return done, err
		}
	}
	done.Done, err = s.Resume(ctx, name, head, evs)
	return done, err
}

// forgetHandler is the part of [Runner.Forget] in the store.
func forgetHandler(ctx context.Context, s store.Store, em *emitter.Emitter, name string) (Skipped, error) {
	done := Skipped{Done: true}
	c, err := lookUp(ctx, s, name)
	if err != nil {
		return done, err
	}
	var evs []*events.Event
	if c.State == store.Left {
		if evs, err = done.skip(ctx, s, em, c, 0, "forget"); err != nil {
			return done, err
		}
	}
	return done, s.Forget(ctx, name, evs)
}

func lookUp(ctx context.Context, s store.Store, name string) (store.Consumer, error) {
	known, err := s.Handlers(ctx)
	if err != nil {
		return store.Consumer{}, err
	}
	i := slices.IndexFunc(known, func(c store.Consumer) bool { return c.Name == name && c.State != store.Forgotten })
	if i < 0 {
		return store.Consumer{}, fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
	}
	return known[i], nil
}

// skip counts the events and runs up to a sequence (0: the head) that are skipped, and returns the event that reports them.
func (d *Skipped) skip(ctx context.Context, s store.Store, em *emitter.Emitter, c store.Consumer, upTo int64, why string) ([]*events.Event, error) {
	b, err := s.Backlog(ctx, c, upTo)
	if err != nil {
		return nil, err
	}
	d.Events, d.AtMost, d.Runs = b.Waiting, b.AtMost, b.Running+b.Retrying
	if why == "forget" {
		d.Runs += b.Dead
	}
	if d.Events == 0 && d.Runs == 0 {
		return nil, nil
	}
	data := map[string]any{"handler": c.Name, "events": d.Events, "runs": d.Runs, "after": c.LowWater, "why": why}
	if d.AtMost {
		data["at_most"] = true
	}
	e, err := em.Notice(events.TypeHandlerSkipped, "", data)
	return []*events.Event{e}, err
}

// Resume lets a paused handler continue where it stopped. With fromNow, the handler skips its waiting events and its unsettled runs are dropped; the
// event evrun.handler.skipped has the numbers. The errors are [store.ErrNotFound] and [ErrHasLeft].
func (r *Runner) Resume(ctx context.Context, name string, fromNow bool) (Skipped, error) {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	done, err := resumeHandler(ctx, r.o.Store, r.o.Emitter, name, fromNow)
	if m := r.wired.Load().members[name]; err == nil && done.Done && m != nil {
		select {
		case m.resumed <- struct{}{}:
		default: // it has not noticed the resumption yet
		}
	}
	return done, err
}

// Forget deletes the mark of a handler that has left, and drops its unsettled and dead runs; the event evrun.handler.skipped has the numbers. The
// errors are [store.ErrNotFound], [store.ErrActive] and [ErrLeaving].
func (r *Runner) Forget(ctx context.Context, name string) (Skipped, error) {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	if len(r.leaving[name]) > 0 && r.wired.Load().members[name] == nil {
		return Skipped{}, fmt.Errorf("handler %q: %w", name, ErrLeaving)
	}
	return forgetHandler(ctx, r.o.Store, r.o.Emitter, name)
}
