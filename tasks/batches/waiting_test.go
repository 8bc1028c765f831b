package batches_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/batches"
	"evrun/tasks/search"
)

// waiting adds events that no handler has handled yet, with the numbers from first to last in their data.
func (r *rig) waiting(first, last int) {
	r.Helper()
	var evs []*events.Event
	for n := first; n <= last; n++ {
		evs = append(evs, &events.Event{Type: fmt.Sprintf("a.%d", n%2), Source: "/test", Data: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	if _, err := r.em.Emit(r.Context(), evs...); err != nil {
		r.Fatal(err)
	}
}

// Runs that have not begun are cancelled with those that have, of each handler, and a cancelled one never begins.
func TestACancelTakesRunsThatWait(t *testing.T) {
	r := newRig(t)
	on := []events.Pattern{events.MustPattern("a.*")}
	must(r.store.Register(t.Context(), []store.Registration{{Name: "h", On: on}, {Name: "two", On: on, FromStart: true}}, nil))
	r.dead(1, 7)
	must(r.store.Retry(t.Context(), store.Change{}))
	r.waiting(8, batches.PageSize+20)
	b := r.batches()
	for _, test := range []struct {
		selection search.Selection
		want      int
	}{
		{search.Selection{Handler: "h", States: []string{"retrying"}, Where: "data.n == 1"}, 1},
		{search.Selection{Handler: "h", States: []string{"waiting"}, Event: "8"}, 1},
		{search.Selection{Types: []string{"a.1"}, Handler: "two", Where: `data.n <= 100 and run.state == "waiting"`}, 46},
		{search.Selection{Handler: "two", Source: "/nowhere"}, 0},
		{search.Selection{Handler: "h"}, batches.PageSize + 18}, // with those that are retrying
		{search.Selection{}, batches.PageSize + 20 - 46},        // of the other handler, with the first seven events
		{search.Selection{}, 0},
	} {
		request := batches.Request{Action: "cancel", Selection: test.selection, All: test.selection.All()}
		preview, err := b.Preview(t.Context(), request)
		if err != nil || preview.Count != test.want {
			t.Errorf("%+v: %d, %v; want %d", test.selection, preview.Count, err, test.want)
		}
		request.Fingerprint = preview.Fingerprint
		r.waiting(9000, 9000) // is not in the selection
		done, err := b.Run(t.Context(), request, quiet)
		if err != nil || done.Changed != test.want {
			t.Errorf("%+v: %+v, %v", test.selection, done, err)
		}
		if done, err = b.Run(t.Context(), batches.Request{Action: "cancel", Selection: search.Selection{Where: "data.n == 9000"}}, quiet); err != nil || done.Changed != 2 {
			t.Errorf("the new one: %+v, %v", done, err)
		}
	}
	if c := r.counts(); c != (store.Counts{}) {
		t.Errorf("%+v", c)
	}
}

// A batch that is stopped within the waiting runs continues there.
func TestACancelThatIsStoppedContinuesWithRunsThatWait(t *testing.T) {
	r := newRig(t)
	r.waiting(1, 2*batches.PageSize+1)
	for _, stop := range []int{0, batches.PageSize} {
		ctx, cancel := context.WithCancel(t.Context())
		batch, err := r.batches().Run(ctx, batches.Request{Action: "cancel", Selection: ofH}, func(b store.Batch) error {
			if b.Done == stop {
				return errStop
			}
			return nil
		})
		cancel()
		if !errors.Is(err, errStop) || batch.Done != stop {
			t.Fatalf("%+v, %v", batch, err)
		}
		if stop > 0 {
			break
		}
		if batch, err = r.batches().Resume(t.Context(), batch.ID, quiet); err != nil || batch.Changed != 2*batches.PageSize+1 || batch.Done != batch.Changed {
			t.Errorf("%+v, %v", batch, err)
		}
		r.waiting(1, 2*batches.PageSize+1)
	}
	stopped := must(r.store.Batches(t.Context()))[0]
	done, err := r.batches().Resume(t.Context(), stopped.ID, quiet)
	if err != nil || done.Changed != 2*batches.PageSize+1 || done.Done != done.Changed {
		t.Errorf("%+v, %v", done, err)
	}
}
