package batches_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/audit"
	"evrun/tasks/batches"
	"evrun/tasks/emitter"
	"evrun/tasks/search"
	"evrun/tasks/taskstest"
)

// rig is a store with runs, and counts how often each run is changed.
type rig struct {
	testing.TB
	store *sqlite.Store
	id    store.HandlerID
	em    *emitter.Emitter

	mu      sync.Mutex
	changed map[string]int
}

func newRig(t testing.TB) *rig {
	s, stop := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	t.Cleanup(stop)
	known, err := s.Register(t.Context(), []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("a.*")}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{TB: t, store: s, id: known[0].ID, em: emitter.New(s, 0), changed: map[string]int{}}
}

// dead adds events whose runs are dead, with the numbers from first to last in their data.
func (r *rig) dead(first, last int) {
	r.Helper()
	for from := first; from <= last; from += 1000 {
		var evs []*events.Event
		for n := from; n < from+1000 && n <= last; n++ {
			evs = append(evs, &events.Event{Type: "a.b", Source: "/test", Data: fmt.Appendf(nil, `{"n":%d}`, n)})
		}
		if _, err := r.em.Emit(r.Context(), evs...); err != nil {
			r.Fatal(err)
		}
		var b store.SettleBatch
		for _, e := range evs {
			b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: r.id, Attempt: 1, Started: time.Now(),
				Outcome: store.Outcome{State: store.Dead, Error: "no"}})
		}
		if _, err := r.store.Settle(r.Context(), b); err != nil {
			r.Fatal(err)
		}
	}
}

// batches returns the batches of a new process.
func (r *rig) batches() *batches.Batches {
	stored := &tasks.Stored{Store: r.store, Emitter: r.em}
	return batches.New(batches.Options{Store: r.store, Emitter: r.em, Actions: batches.OfRuns(counting{r, stored})})
}

// counting counts the changes of each run.
type counting struct {
	r *rig
	*tasks.Stored
}

func (c counting) Retry(ctx context.Context, change store.Change) ([]store.Run, error) {
	runs, err := c.Stored.Retry(ctx, change)
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for _, run := range runs {
		c.r.changed[run.ID]++
	}
	return runs, err
}

// once checks that so many runs were changed, each once.
func (r *rig) once(n int) {
	r.Helper()
	if len(r.changed) != n {
		r.Errorf("%d runs were changed, want %d", len(r.changed), n)
	}
	for id, times := range r.changed {
		if times != 1 {
			r.Errorf("run %s was changed %d times", id, times)
		}
	}
}

// counts are the handler's runs by state.
func (r *rig) counts() store.Counts {
	r.Helper()
	counts, err := r.store.Counts(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return counts["h"]
}

// told returns the data of the events of a type.
func (r *rig) told(typ string) (list []map[string]any) {
	r.Helper()
	evs, err := r.store.Events(r.Context(), store.EventQuery{Patterns: []events.Pattern{events.MustPattern(typ)}})
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range evs {
		var data map[string]any
		if err := json.Unmarshal(e.Data, &data); err != nil {
			r.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

func quiet(store.Batch) error { return nil }

func retry(s search.Selection) batches.Request {
	return batches.Request{Action: "retry", Selection: s}
}

var ofH = search.Selection{Handler: "h"}

func TestABatchLooksFirstAndThenDoesEachRunOnce(t *testing.T) {
	const n = batches.PageSize + 234
	r := newRig(t)
	r.dead(1, n)
	b := r.batches()
	ada := audit.With(t.Context(), audit.Actor{UID: 1000, User: "ada"})
	preview, err := b.Preview(ada, retry(ofH))
	if err != nil || preview.Count != n || len(preview.Sample.Runs) != 5 || preview.Sample.Runs[0].Sequence != 1 {
		t.Fatalf("preview of %d, %d shown, %v", preview.Count, len(preview.Sample.Runs), err)
	}
	if list, err := r.store.Batches(ada); len(list) != 0 || err != nil || r.counts().Dead != n {
		t.Errorf("a look has left %v, %v", list, err)
	}
	request := retry(ofH)
	request.Fingerprint = preview.Fingerprint
	var seen []store.Batch
	done, err := b.Run(ada, request, func(b store.Batch) error {
		seen = append(seen, b)
		return nil
	})
	if err != nil || done.EndedAt.IsZero() || done.Total != n || done.Done != n || done.Changed != n || done.By != "ada (uid 1000)" {
		t.Errorf("%+v, %v", done, err)
	}
	if len(seen) != 3 || seen[0].Done != 0 || seen[1].Done != batches.PageSize || seen[2].Done != n {
		t.Errorf("progress %+v", seen)
	}
	r.once(n)
	if got := r.counts(); got != (store.Counts{Retrying: n}) {
		t.Errorf("counts %+v", got)
	}
	if stored, err := r.store.Batch(ada, done.ID); err != nil || stored.Changed != n {
		t.Errorf("stored %+v, %v", stored, err)
	}
	started, ended := r.told(events.TypeAuditBatchStarted), r.told(events.TypeAuditBatchEnded)
	if len(started) != 1 || len(ended) != 1 || len(r.told(events.TypeAuditRunRetried)) != 0 {
		t.Fatalf("audit trail: %v, %v", started, ended)
	}
	if s := started[0]; s["who"] != "ada (uid 1000)" || s["action"] != "retry" || s["total"] != float64(n) || fmt.Sprint(s["selection"]) != "map[handler:h]" || s["batch"] != done.ID {
		t.Errorf("started: %v", s)
	}
	if e := ended[0]; e["changed"] != float64(n) || e["batch"] != done.ID {
		t.Errorf("ended: %v", e)
	}
}

func TestASelectionThatHasChangedIsRefused(t *testing.T) {
	r := newRig(t)
	r.dead(1, 600)
	b := r.batches()
	for what, change := range map[string]func(){
		"a run has died": func() { r.dead(601, 601) },
		"one run has been dropped, another one has died": func() {
			if _, err := r.store.Drop(t.Context(), store.Change{Query: store.RunQuery{Limit: 1}}); err != nil {
				t.Fatal(err)
			}
			r.dead(602, 602)
		},
	} {
		preview, err := b.Preview(t.Context(), retry(ofH))
		if err != nil {
			t.Fatal(err)
		}
		change()
		request := retry(ofH)
		request.Fingerprint = preview.Fingerprint
		var changed *batches.ChangedError
		if _, err = b.Run(t.Context(), request, quiet); !errors.As(err, &changed) || changed.Now.Count != r.counts().Dead || len(changed.Now.Sample.Runs) != 5 {
			t.Errorf("%s: %v", what, err)
		}
		request.Selection.Types = []string{"a.b"}
		if _, err = b.Run(t.Context(), request, quiet); !errors.As(err, &changed) {
			t.Errorf("another selection with this fingerprint: %v", err)
		}
	}
	r.once(0)
	if told := r.told("evrun.audit.>"); len(told) != 0 {
		t.Errorf("audit trail: %v", told)
	}
}

// Runs that go on while the operator looks leave the selection of a cancel; a run that begins to wait meanwhile is not in it.
func TestACancelTakesWhatIsLeftOfItsSelection(t *testing.T) {
	r := newRig(t)
	r.dead(1, 10)
	b := r.batches()
	if _, err := b.Run(t.Context(), retry(ofH), quiet); err != nil {
		t.Fatal(err)
	}
	cancel := batches.Request{Action: "cancel", Selection: search.Selection{Handler: "h", States: []string{"retrying"}}}
	preview, err := b.Preview(t.Context(), cancel)
	if err != nil || preview.Count != 10 {
		t.Fatal(preview.Count, err)
	}
	first := must(r.store.Pending(t.Context(), r.id, store.AllSlots, 1))[0]
	e := must(r.store.Events(t.Context(), store.EventQuery{Sequences: []int64{first.Sequence}}))[0]
	settled := store.Settlement{Event: e, Handler: r.id, Attempt: 2, Started: time.Now(), Outcome: store.Outcome{State: store.Succeeded}}
	must(r.store.Settle(t.Context(), store.SettleBatch{Settlements: []store.Settlement{settled}}))
	r.dead(11, 11)
	must(r.store.Retry(t.Context(), store.Change{}))
	cancel.Fingerprint = preview.Fingerprint
	done, err := b.Run(t.Context(), cancel, quiet)
	if err != nil || done.Total != 9 || done.Changed != 9 {
		t.Errorf("%+v, %v", done, err)
	}
	if got := r.counts(); got != (store.Counts{Retrying: 1}) {
		t.Errorf("counts %+v", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var errStop = errors.New("stop")

// A batch is stopped at each of its borders, by its caller or by the end of its context, and continued by another process.
func TestABatchThatIsStoppedAnywhereContinuesThere(t *testing.T) {
	const pages, n = 3, 2*batches.PageSize + 7
	for stop := range pages + 1 {
		for _, byContext := range []bool{false, true} {
			t.Run(fmt.Sprintf("stopped after page %d, by its context: %v", stop, byContext), func(t *testing.T) {
				r := newRig(t)
				r.dead(1, n)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls := 0
				batch, err := r.batches().Run(ctx, retry(ofH), func(store.Batch) error {
					if calls++; calls-1 < stop {
						return nil
					}
					if byContext {
						cancel()
						return nil
					}
					return errStop
				})
				over := stop == pages && byContext // everything was done
				if over != (err == nil) || over == batch.EndedAt.IsZero() {
					t.Fatalf("%+v, %v", batch, err)
				}
				r.once(min(stop*batches.PageSize, n))
				stored := must(r.store.Batch(t.Context(), batch.ID))
				if stored.Changed != len(r.changed) || stored.Done != stored.Changed {
					t.Errorf("stored %+v", stored)
				}
				r.dead(n+1, n+3) // not in the selection
				b := r.batches()
				if batch, err = b.Resume(t.Context(), batch.ID, quiet); !over && (err != nil || batch.EndedAt.IsZero() || batch.Changed != n) {
					t.Errorf("resumed %+v, %v", batch, err)
				}
				r.once(n)
				if _, err := b.Resume(t.Context(), batch.ID, quiet); !errors.Is(err, batches.ErrEnded) {
					t.Errorf("resumed after its end: %v", err)
				}
				if _, err := b.Resume(t.Context(), "nonsense", quiet); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("resumed an unknown one: %v", err)
				}
				if ended := len(r.told(events.TypeAuditBatchEnded)); ended != 1 {
					t.Errorf("%d ends in the audit trail", ended)
				}
			})
		}
	}
}

// Two processes continue the same batch, and two batches have the same selection: nothing is done twice.
func TestNothingIsDoneTwiceByBatchesAtTheSameTime(t *testing.T) {
	r := newRig(t)
	const n = 2*batches.PageSize + 1
	r.dead(1, n)
	stopped, err := r.batches().Run(t.Context(), retry(ofH), func(store.Batch) error { return errStop })
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			_, err := r.batches().Resume(t.Context(), stopped.ID, quiet)
			if err != nil && !errors.Is(err, store.ErrBatchMoved) && !errors.Is(err, batches.ErrEnded) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := r.batches().Run(t.Context(), retry(ofH), quiet); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r.once(n)
	if b := must(r.store.Batch(t.Context(), stopped.ID)); b.EndedAt.IsZero() || b.Done > n {
		t.Errorf("%+v", b)
	}
}

func TestBatchesAtTheSameTimeAreBounded(t *testing.T) {
	r := newRig(t)
	r.dead(1, 2)
	b := r.batches()
	var within func(n int)
	within = func(n int) {
		batch, err := b.Run(t.Context(), retry(ofH), func(batch store.Batch) error {
			if n < batches.MaxRunning && batch.Done == 0 {
				within(n + 1)
			} else if batch.Done == 0 {
				if _, err := b.Run(t.Context(), retry(ofH), quiet); !errors.Is(err, batches.ErrBusy) {
					t.Errorf("one more: %v", err)
				}
				if _, err := b.Resume(t.Context(), batch.ID, quiet); !errors.Is(err, batches.ErrRunning) {
					t.Errorf("a running one: %v", err)
				}
			}
			return nil
		})
		if err != nil || b.Running(batch.ID) {
			t.Error(err)
		}
	}
	within(1)
	r.once(2)
}
