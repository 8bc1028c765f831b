// Package erase takes a person's data out of the store: the action of a batch on a selection of events.
//
// The selection picks events. Their data goes, and that of everything they caused: what their runs published, replays and edited copies, and so on, since these
// carry copies. What caused them stays, unless it is selected, too. An event goes only together with all that carries its data: while a run on any of these has
// not ended, or waits for its handler, all of them are left alone, because an attempt that goes on could write the data again.
//
// The selection is itself about the person, so the batch and the audit trail don't have it. Who is interrupted selects again: what was erased fits no condition
// on its data any more, and copies go before the events that lead to them. At the end, and also if nothing was left to erase, the store's files are scrubbed.
//
// No goroutines.
package erase

import (
	"context"
	"slices"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/batches"
)

// pageSize is how many events one transaction empties.
const pageSize = 200

// Name is the name of the action.
const Name = "erase"

// Action is the action of a batch.
func Action(s store.Store) batches.Action {
	return batches.Action{
		Name: Name, Events: true, Private: true, Size: pageSize,
		Finish:  func(ctx context.Context) error { return s.Scrub(ctx) }, // s is nil where no store is needed, so s.Scrub would panic
		Prepare: func(context.Context, *batches.Request) (func(*events.Event) bool, error) { return erasable, nil },
		More: func(ctx context.Context, page batches.Page) (int, error) {
			all, err := s.Copies(ctx, sequencesOf(page))
			return len(all) - page.Len(), err
		},
		Do: func(ctx context.Context, _ batches.Work, page batches.Page, step store.Step) (int, error) {
			return do(ctx, s, page, step)
		},
	}
}

// erasable reports whether there is something to erase. The audit trail says who did what, and not about whom.
func erasable(e *events.Event) bool {
	return e.ErasedAt.IsZero() && !strings.HasPrefix(e.Type, events.AuditPrefix)
}

func sequencesOf(page batches.Page) []int64 {
	list := make([]int64, len(page.Events))
	for i, e := range page.Events {
		list[i] = e.Sequence
	}
	return list
}

// do erases a page: first the copies, a few in each transaction, and in the last one the selected events.
func do(ctx context.Context, s store.Store, page batches.Page, step store.Step) (int, error) {
	selected := sequencesOf(page)
	all, err := s.Copies(ctx, selected)
	if err != nil {
		return 0, err
	}
	open, err := openOf(ctx, s, all)
	if err != nil {
		return 0, err
	}
	var copies []int64
	for i := len(all) - 1; i >= 0; i-- { // the last ones first
		if c := all[i]; !open[c.Sequence] && c.From != 0 {
			copies = append(copies, c.Sequence)
		}
	}
	for part := range slices.Chunk(copies, pageSize) {
		if _, err := s.Erase(ctx, part, nil); err != nil {
			return 0, err
		}
	}
	selected = slices.DeleteFunc(selected, func(sequence int64) bool { return open[sequence] })
	step.Changed = len(selected)
	if _, err := s.Erase(ctx, selected, &step); err != nil {
		return 0, err
	}
	return len(selected), nil
}

// openOf returns the events that are left alone: those with runs that have not ended or wait, and those that these have their data from.
func openOf(ctx context.Context, s store.Store, all []store.Copy) (map[int64]bool, error) {
	open := map[int64]bool{}
	sequences := make([]int64, len(all))
	for i, c := range all {
		sequences[i] = c.Sequence
		if c.Open {
			open[c.Sequence] = true
		}
	}
	handlers, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range handlers {
		for part := range slices.Chunk(sequences, pageSize) {
			waiting, err := store.WaitingRuns(ctx, s, h, store.WaitingQuery{Sequences: part, Limit: len(part)})
			if err != nil {
				return nil, err
			}
			for _, r := range waiting {
				open[r.Sequence] = true
			}
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if c := all[i]; open[c.Sequence] && c.From != 0 {
			open[c.From] = true
		}
	}
	return open, nil
}
