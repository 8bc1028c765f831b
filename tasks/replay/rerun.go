package replay

import (
	"context"
	"errors"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/batches"
)

// rerunSize is how many runs a page of [Replayer.RunsAgain] has: their events, with all their data, are in memory.
const rerunSize = 100

// Repeatable are the states of runs that [Replayer.RunsAgain] takes: those that have ended.
var Repeatable = []store.RunState{store.Succeeded, store.Skipped, store.Dead, store.Dropped, store.Cancelled}

// RunsAgain is the action "rerun" of batches: it repeats the events of the selected runs, each for the handler of its run, also if that was done before.
// Runs whose handler has left, or whose event was deleted or erased, or is of a type that the handler does not get any more, are left alone.
func (r *Replayer) RunsAgain() batches.Action {
	return batches.Action{Name: "rerun", Usual: Repeatable, States: Repeatable, Size: rerunSize, Do: r.rerun}
}

// rerun repeats the events of a page of runs. A reload may have renamed a handler meanwhile: then it tries again.
func (r *Replayer) rerun(ctx context.Context, w batches.Work, page batches.Page, step store.Step) (changed int, err error) {
	for range 2 {
		if changed, err = r.again(ctx, w, page, step); !errors.Is(err, store.ErrNotActive) {
			break
		}
	}
	return changed, err
}

func (r *Replayer) again(ctx context.Context, w batches.Work, page batches.Page, step store.Step) (changed int, err error) {
	sequences := make([]int64, 0, len(page.Runs))
	for i := range page.Runs {
		sequences = append(sequences, page.Runs[i].Sequence)
	}
	list, err := store.EventsOf(ctx, r.Store, sequences)
	if err != nil {
		return 0, err
	}
	of := make(map[int64]*events.Event, len(list))
	for _, e := range list {
		of[e.Sequence] = e
	}
	handlers := map[string]*store.Consumer{} // nil: it has left
	var evs []*events.Event
	for i := range page.Runs {
		run := &page.Runs[i]
		c, known := handlers[run.Handler]
		if !known {
			found, err := r.Handler(ctx, run.Handler)
			switch {
			case err == nil:
				c = &found
			case !errors.Is(err, store.ErrNotActive) && !errors.Is(err, store.ErrNotFound):
				return 0, err
			}
			handlers[run.Handler] = c
		}
		e := of[run.Sequence]
		if c == nil || e == nil || !e.ErasedAt.IsZero() || !events.Selects(c.On, e.Type) {
			continue
		}
		again, err := r.Emitter.Repeat(e, c.Name, idOf(e.Sequence, c.Name, w.Batch))
		if err != nil {
			return 0, fmt.Errorf("event #%d: %w", e.Sequence, err)
		}
		evs = append(evs, again)
	}
	return r.publish(ctx, step, evs)
}
