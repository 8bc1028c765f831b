package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
)

// Skipped counts the events and runs that a handler won't handle.
type Skipped struct {
	Done   bool  `json:"-"`                 // false: nothing was done, because the handler is not paused
	Events int64 `json:"skipped_events"`    // waiting events that won't be handled
	AtMost bool  `json:"at_most,omitempty"` // Events is an upper bound
	Runs   int   `json:"dropped_runs"`
}

// ErrHasLeft is the error of [Resume] for a handler that is not in the wiring.
var ErrHasLeft = errors.New("it is not in the wiring file: put it back there first")

// ErrLeaving is the error of the runner's Forget for a handler that has left and still has running attempts.
var ErrLeaving = errors.New("it still has running attempts: try again when they have ended")

// ErrDisabled is the error of [Resume] for a handler that the wiring disables.
var ErrDisabled = errors.New("it is disabled in the wiring file: remove \"enabled: false\" there")

// PauseHandler pauses a handler in the name of the context's actor, in the store: its worker must be told. why is the reason in the operator's words, or
// empty. It returns the pause that the handler has now, and false if it was paused already. The errors are [store.ErrNotFound] and [ErrHasLeft].
func PauseHandler(ctx context.Context, s store.Store, em *emitter.Emitter, name, why string) (*Pause, bool, error) {
	c, err := lookUp(ctx, s, name)
	if err != nil {
		return nil, false, err
	}
	if c.State == store.Left {
		return nil, false, fmt.Errorf("handler %q: %w", name, ErrHasLeft)
	}
	data := map[string]any{"handler": name}
	if why != "" {
		data["reason"] = why
	}
	e, err := audit.Event(ctx, em, events.TypeAuditHandlerPaused, data)
	if err != nil {
		return nil, false, err
	}
	paused, err := s.Pause(ctx, name, store.Pause{By: audit.From(ctx).String(), Why: why}, []*events.Event{e})
	if err != nil {
		return nil, false, err
	}
	c, err = lookUp(ctx, s, name)
	return PauseOf(c.Pause), paused, err
}

// Resume lets a paused handler continue where it stopped, in the store: its worker must be told. With fromNow, the handler skips its waiting events and
// its unsettled runs are dropped; the event evrun.handler.skipped has the numbers. The errors are [store.ErrNotFound], [ErrHasLeft] and [ErrDisabled].
func Resume(ctx context.Context, s store.Store, em *emitter.Emitter, name string, fromNow bool) (Skipped, error) {
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
	if !c.Paused && !c.Disabled.IsZero() {
		return done, fmt.Errorf("handler %q: %w", name, ErrDisabled)
	}
	if fromNow && c.Paused {
		if head, err = s.Head(ctx); err != nil {
			return done, err
		}
		if evs, err = done.skip(ctx, s, em, c, head, "resume --from now"); err != nil {
			return done, err
		}
	}
	e, err := done.audit(ctx, em, events.TypeAuditHandlerResumed, name)
	if err != nil {
		return done, err
	}
	done.Done, err = s.Resume(ctx, name, head, append(evs, e))
	return done, err
}

// Forget deletes the mark of a handler that has left, and drops its unsettled and dead runs; the event evrun.handler.skipped has the numbers. The
// errors are [store.ErrNotFound] and [store.ErrActive].
func Forget(ctx context.Context, s store.Store, em *emitter.Emitter, name string) (Skipped, error) {
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
	e, err := done.audit(ctx, em, events.TypeAuditHandlerForgotten, name)
	if err != nil {
		return done, err
	}
	return done, s.Forget(ctx, name, append(evs, e))
}

// audit makes the event that records an action on a handler.
func (d *Skipped) audit(ctx context.Context, em *emitter.Emitter, typ, name string) (*events.Event, error) {
	data := map[string]any{"handler": name}
	if d.Events > 0 || d.Runs > 0 {
		data["skipped_events"], data["dropped_runs"] = d.Events, d.Runs
	}
	if d.AtMost {
		data["at_most"] = true
	}
	return audit.Event(ctx, em, typ, data)
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
