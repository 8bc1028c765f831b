package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

func batchSteps(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	b := must(s.StartBatch(ctx, store.Batch{ID: "one", Action: "replay", Details: []byte(`{"type":["a.*"]}`), By: "ada", Total: 5}, []*events.Event{event("a.b", "started")}))(t)
	equal(t, "started", b.StartedAt.IsZero(), false)
	equal(t, "stored", must(s.Batch(ctx, "one"))(t).StartedAt, b.StartedAt)
	first := store.Step{Batch: "one", From: "", To: "3", Done: 3}
	receipts := must(s.AdvanceBatch(ctx, first, []*events.Event{event("a.b", "1"), event("a.b", "started"), event("a.b", "2")}))(t)
	equal(t, "known", receipts[1].Duplicate, true)
	moved := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrBatchMoved) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := s.AdvanceBatch(ctx, first, []*events.Event{event("a.b", "again")})
	moved("the same step again", err)
	moved("an end from another place", s.EndBatch(ctx, "one", "", []*events.Event{event("a.b", "again")}))
	_, err = s.AdvanceBatch(ctx, store.Step{Batch: "two"}, nil)
	moved("a step of an unknown batch", err)
	equal(t, "events", must(s.Head(ctx))(t), 3)
	if err := s.EndBatch(ctx, "one", "3", []*events.Event{event("a.b", "ended")}); err != nil {
		t.Error(err)
	}
	moved("a second end", s.EndBatch(ctx, "one", "3", nil))
	_, err = s.AdvanceBatch(ctx, store.Step{Batch: "one", From: "3", To: "5", Done: 2}, nil)
	moved("a step after the end", err)
	b = must(s.Batch(ctx, "one"))(t)
	b.StartedAt, b.ChangedAt = time.Time{}, time.Time{}
	equal(t, "ended", b.EndedAt.IsZero(), false)
	b.EndedAt = time.Time{}
	equal(t, "batch", fmt.Sprintf("%+v", b),
		fmt.Sprintf("%+v", store.Batch{ID: "one", Action: "replay", Details: []byte(`{"type":["a.*"]}`), By: "ada", Total: 5, Cursor: "3", Done: 3, Changed: 2}))
	if _, err := s.Batch(ctx, "two"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.StartBatch(ctx, store.Batch{ID: "one"}, nil); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the same id again: %v", err)
	}
}

func batchOfRuns(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e1, e2 := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e1, e2)
	settle(t, s, outside(e1, h.ID, 1, store.Dead), outside(e2, h.ID, 1, store.Dead))
	must(s.StartBatch(ctx, store.Batch{ID: "b", Total: 2}, nil))(t)
	page := func(e *events.Event) store.RunQuery {
		return store.RunQuery{IDs: []string{store.RunID(e.Sequence, "h", s.ID())}}
	}
	first := &store.Step{Batch: "b", To: "1", Done: 1}
	equal(t, "retried", len(must(s.Retry(ctx, store.Change{Query: page(e1), Step: first}))(t)), 1)
	if _, err := s.Retry(ctx, store.Change{Query: page(e2), Step: first}); !errors.Is(err, store.ErrBatchMoved) {
		t.Errorf("a step of another page: %v", err)
	}
	equal(t, "dead", len(runs(t, s, store.RunQuery{State: store.Dead})), 1)
	stale := runs(t, s, store.RunQuery{State: store.Dead})
	equal(t, "retried, as they were read", len(must(s.Retry(ctx, store.Change{Query: store.RunQuery{State: store.Dead}, Runs: stale}))(t)), 1)
	equal(t, "retried again", len(must(s.Retry(ctx, store.Change{Query: store.RunQuery{State: store.Dead}, Runs: stale}))(t)), 0)
	settle(t, s, outside(e2, h.ID, 2, store.Dead))
	equal(t, "left alone", len(must(s.Retry(ctx, store.Change{Query: page(e1), Step: &store.Step{Batch: "b", From: "1", To: "2", Done: 1}}))(t)), 0)
	equal(t, "dropped", len(must(s.Drop(ctx, store.Change{Query: page(e2), Step: &store.Step{Batch: "b", From: "2", To: "3", Done: 1}}))(t)), 1)
	b := must(s.Batch(ctx, "b"))(t)
	equal(t, "cursor", b.Cursor, "3")
	equal(t, "done", b.Done, 3)
	equal(t, "changed", b.Changed, 2)
}

// batchRace has several callers do the same steps.
func batchRace(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	must(s.StartBatch(ctx, store.Batch{ID: "b", Total: 100}, nil))(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				step := store.Step{Batch: "b", From: fmt.Sprint(i), To: fmt.Sprint(i + 1), Done: 1}
				if i == 0 {
					step.From = ""
				}
				e := event("a.b", events.NewID())
				if _, err := s.AdvanceBatch(ctx, step, []*events.Event{e}); err != nil && !errors.Is(err, store.ErrBatchMoved) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b := must(s.Batch(ctx, "b"))(t)
	equal(t, "done", b.Done, 100)
	equal(t, "changed", b.Changed, 100)
	equal(t, "events", must(s.Head(ctx))(t), 100)
}

func batchesAreFew(t *testing.T, d Driver) {
	clock := at
	s := d.Open(t, store.Options{Now: func() time.Time { return clock }})
	must(s.StartBatch(ctx, store.Batch{ID: "old"}, nil))(t)
	must(s.StartBatch(ctx, store.Batch{ID: "moves"}, nil))(t)
	clock = clock.Add(store.KeepBatches)
	must(s.AdvanceBatch(ctx, store.Step{Batch: "moves", To: "1"}, nil))(t)
	clock = clock.Add(time.Second)
	for i := range store.MaxBatches - 1 {
		clock = clock.Add(time.Microsecond)
		must(s.StartBatch(ctx, store.Batch{ID: fmt.Sprint(i)}, nil))(t)
	}
	list := must(s.Batches(ctx))(t)
	equal(t, "batches", len(list), store.MaxBatches)
	equal(t, "the latest", list[0].ID, fmt.Sprint(store.MaxBatches-2))
	equal(t, "the earliest", list[len(list)-1].ID, "moves")
	must(s.StartBatch(ctx, store.Batch{ID: "last"}, nil))(t)
	list = must(s.Batches(ctx))(t)
	equal(t, "batches", len(list), store.MaxBatches)
	equal(t, "the earliest", list[len(list)-1].ID, "0")
}
