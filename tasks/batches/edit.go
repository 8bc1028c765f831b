package batches

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
)

// OfEdits returns the action "edit": each run ends, and an event with changed data, for its handler alone, takes its place. The options are a
// [control.Edit]. Runs that can't be edited stay as they are: the data would not change, or not fit the schema of its type, or their handler has left.
func OfEdits(runs control.Runs) Action {
	return Action{Name: "edit", Usual: []store.RunState{store.Dead}, States: control.Retryable,
		Prepare: func(_ context.Context, r *Request) (func(*events.Event) bool, error) {
			_, err := editOf(r.Options)
			return nil, err
		},
		Do: func(ctx context.Context, w Work, page Page, step store.Step) (int, error) {
			edit, err := editOf(w.Options)
			if err != nil {
				return 0, err
			}
			known, err := runs.Store.Handlers(ctx)
			if err != nil {
				return 0, err
			}
			active := map[string]bool{}
			for _, c := range known {
				active[c.Name] = c.State == store.Active
			}
			of, err := eventsOf(ctx, runs.Store, page.Runs)
			if err != nil {
				return 0, err
			}
			var edited []control.Edited
			for _, run := range page.Runs {
				if !active[run.Handler] {
					continue // no event can be for it
				}
				e, err := runs.EditOf(of[run.Sequence], run, edit)
				switch {
				case cantEdit(err):
				case err != nil:
					return 0, err
				default:
					edited = append(edited, e)
				}
			}
			changed, err := runs.Resend(ctx, store.Change{By: w.By, Why: w.Why, Step: &step}, edited...)
			return len(changed), err
		}}
}

// eventsOf reads the events of runs, by their sequences, as far as they are stored.
func eventsOf(ctx context.Context, s store.Store, runs []store.Run) (map[int64]*events.Event, error) {
	sequences := make([]int64, len(runs))
	for i := range runs {
		sequences[i] = runs[i].Sequence
	}
	found, err := store.EventsOf(ctx, s, sequences)
	of := make(map[int64]*events.Event, len(found))
	for _, e := range found {
		of[e.Sequence] = e
	}
	return of, err
}

func editOf(options json.RawMessage) (edit control.Edit, err error) {
	d := json.NewDecoder(bytes.NewReader(options))
	d.DisallowUnknownFields()
	if err := d.Decode(&edit); err != nil || edit.Data == nil && len(edit.Set) == 0 {
		return edit, wrong("options: data, or set: a list of fields, each with a path and a value")
	}
	return edit, nil
}

// cantEdit reports whether an error concerns only the run that was to be edited.
func cantEdit(err error) bool {
	var state *control.StateError
	var refused *emitter.RefusedError
	return errors.As(err, &state) || errors.As(err, &refused) || errors.Is(err, control.ErrNoEdit) || errors.Is(err, store.ErrNotFound)
}
