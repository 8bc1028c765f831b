package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/payload"
)

// Edit is other data for a run: all of it, or some fields.
type Edit struct {
	Data json.RawMessage `json:"data,omitempty"` // JSON; nil: as it was
	Set  []payload.Field `json:"set,omitempty"`  // then these fields change
}

// ErrNoEdit: the edit changes nothing, so there is nothing to send again: a retry does.
var ErrNoEdit = errors.New("the data is the same as before: retry the run as it is, or change something")

// Edited is a run with its data before and after an edit.
type Edited struct {
	Run   store.Run
	Of    *events.Event // the run's event
	Again *events.Event // the event in its place: for the run's handler alone
}

// Edit makes the event that goes in the place of a run's: it is linked to it, and has other data, which must fit the schema of its type now. Nothing is
// written. Errors are a [*StateError], [ErrNoEdit], an [*emitter.RefusedError], or the store's.
func (r Runs) Edit(ctx context.Context, run store.Run, edit Edit) (Edited, error) {
	found, err := store.EventsOf(ctx, r.Store, []int64{run.Sequence})
	if err != nil {
		return Edited{Run: run}, err
	}
	var of *events.Event
	if len(found) > 0 {
		of = found[0]
	}
	return r.EditOf(of, run, edit)
}

// EditOf is [Runs.Edit] for a caller that has read the run's event; nil: it was deleted.
func (r Runs) EditOf(of *events.Event, run store.Run, edit Edit) (Edited, error) {
	e := Edited{Run: run, Of: of}
	switch {
	case !slices.Contains(Retryable, run.State):
		return e, &StateError{run, "edited"}
	case of == nil:
		return e, fmt.Errorf("the event #%d of run %s: %w", run.Sequence, run.ID, store.ErrNotFound)
	}
	var err error
	data := e.Of.Data
	if edit.Data != nil {
		var line bytes.Buffer
		if err := json.Compact(&line, edit.Data); err != nil {
			return e, &emitter.RefusedError{Msg: fmt.Sprintf("data: %v", err)}
		}
		data = line.Bytes()
	}
	if len(edit.Set) > 0 {
		if edit.Data == nil && !e.Of.IsJSON() {
			return e, &emitter.RefusedError{Msg: fmt.Sprintf("run %s: the data of its event is %s, so it has no fields; give all of it", run.ID, e.Of.DataContentType)}
		}
		if data, err = payload.Set(data, edit.Set); err != nil {
			return e, &emitter.RefusedError{Msg: fmt.Sprintf("run %s: %v", run.ID, err)}
		}
	}
	if string(data) == string(e.Of.Data) {
		return e, fmt.Errorf("run %s: %w", run.ID, ErrNoEdit)
	}
	e.Again, err = r.Emitter.Correct(e.Of, run.Handler, run.ID, data)
	return e, err
}

// Resend ends edited runs as dropped and accepts the events in their places, in one transaction. It returns the runs: one that is in another state
// meanwhile is not among them.
func (r Runs) Resend(ctx context.Context, c store.Change, edited ...Edited) ([]store.Run, error) {
	with := make(map[string]*events.Event, len(edited))
	for _, e := range edited {
		with[e.Run.ID] = e.Again
	}
	return r.Do.Resend(ctx, c, with)
}

// ResendOne is Resend for one run, which leaves an event in the audit trail.
func (r Runs) ResendOne(ctx context.Context, e Edited) (store.Run, error) {
	who, err := audit.Event(ctx, r.Emitter, events.TypeAuditRunEdited, map[string]any{"run": e.Run.ID, "event": e.Again.ID, "source": e.Again.Source, "count": 1})
	if err != nil {
		return store.Run{}, err
	}
	runs, err := r.Resend(ctx, store.Change{By: audit.From(ctx).String(), Events: []*events.Event{who}}, e)
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) == 0 {
		run, err := Find(ctx, r.Store, e.Run.ID)
		if err != nil {
			return run, err
		}
		return run, &StateError{run, "edited"}
	}
	return runs[0], nil
}
