package batches_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"evrun/store"
	"evrun/tasks/batches"
	"evrun/tasks/search"
)

func TestAWrongRequestSaysWhatIsWrong(t *testing.T) {
	r := newRig(t)
	r.dead(1, 1)
	b := r.batches()
	for want, request := range map[string]batches.Request{
		`action "delete": must be one of retry, cancel and drop`:                {Action: "delete", Selection: ofH},
		`say which: type, handler, state, event, … or "all": true`:              {Action: "retry"},
		`state: running; to retry, it must be one of dead, retrying, cancelled`: {Action: "retry", Selection: search.Selection{States: []string{"running"}}},
		`state: dead; to cancel, it must be one of`:                             {Action: "cancel", Selection: search.Selection{States: []string{"dead"}}},
		`state: waiting; to drop, it must be one of`:                            {Action: "drop", Selection: search.Selection{States: []string{"waiting"}}},
		`"x": not found`:                               {Action: "drop", Selection: search.Selection{Event: "x"}},
		`all: the selection says which`:                {Action: "drop", Selection: ofH, All: true},
		`type: pattern "a..b"`:                         {Action: "drop", Selection: search.Selection{Types: []string{"a..b"}}},
		`where: `:                                      {Action: "drop", Selection: search.Selection{Where: "data.x =="}},
		`where: a run has no "stat"`:                   {Action: "drop", Selection: search.Selection{Where: `run.stat == "dead"`}},
		`to: drop has none`:                            {Action: "drop", Selection: ofH, To: "h"},
		`fingerprint "x": it is not that of a preview`: {Action: "drop", Selection: ofH, Fingerprint: "x"},
		`the condition or the reason contains a secret of the wiring file: both`: {Action: "cancel", Selection: ofH, Why: "s3cret"},
	} {
		if strings.Contains(want, "secret") {
			b = batches.New(batches.Options{Store: r.store, Emitter: r.em, Actions: batches.OfRuns(counting{r, nil}),
				Redact: func(text string) string { return strings.ReplaceAll(text, "s3cret", "[secret]") }})
		}
		_, err := b.Run(t.Context(), request, quiet)
		wrong, selection := (*batches.RequestError)(nil), (*search.SelectionError)(nil)
		if !errors.As(err, &wrong) && !errors.As(err, &selection) && !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		b = r.batches()
	}
	if got := r.counts().Dead; got != 1 {
		t.Errorf("%d dead", got)
	}
}

func TestABatchTakesOnlyWhatItsSelectionSays(t *testing.T) {
	r := newRig(t)
	r.dead(1, 2000)
	b := r.batches()
	for _, test := range []struct {
		selection search.Selection
		want      int
	}{
		{search.Selection{Where: "data.n > 1000 and data.n <= 1500"}, 500}, // behind a full page comes one without runs
		{search.Selection{Where: "data.n % 100 == 0"}, 15},
		{search.Selection{Where: `run.state == "dead" and data.n < 1000`}, 990}, // ten of them were changed
		{search.Selection{Event: "1500", Handler: "h"}, 0},                      // it was changed
		{search.Selection{Event: "1511"}, 1},
		{search.Selection{Chain: "1512"}, 1},
		{search.Selection{Types: []string{"b.*"}}, 0},
		{search.Selection{}, 493},
		{search.Selection{}, 0},
	} {
		request := retry(test.selection)
		request.All = test.selection.All()
		preview, err := b.Preview(t.Context(), request)
		if err != nil || preview.Count != test.want {
			t.Errorf("%+v: %d, %v; want %d", test.selection, preview.Count, err, test.want)
		}
		request.Fingerprint = preview.Fingerprint
		done, err := b.Run(t.Context(), request, quiet)
		if err != nil || done.Changed != test.want || (test.want > 0) != (done.ID != "") {
			t.Errorf("%+v: %+v, %v", test.selection, done, err)
		}
	}
	r.once(2000)
}

// A condition that fails, or takes all the time that an expression may have, leaves out the runs, and says why. A look at many can be given up.
func TestAHostileCondition(t *testing.T) {
	r := newRig(t)
	r.dead(1, 1)
	b := r.batches()
	hostile := retry(search.Selection{Where: `len(filter(1..100000, {any(1..100000, {# == data.n + 1000000})})) > 0`})
	fails := retry(search.Selection{Where: `data.n.x.y == 1`})
	preview, err := b.Preview(t.Context(), fails)
	if err != nil || preview.Count != 0 || preview.Failed != 1 || preview.Failure == nil {
		t.Errorf("%d, %d failed: %v, %v", preview.Count, preview.Failed, preview.Failure, err)
	}
	if done, err := b.Run(t.Context(), fails, quiet); err != nil || done.ID != "" || batches.Failed(done) != 1 {
		t.Errorf("a batch with nothing but a run that it left out: %+v, %v", done, err)
	}
	r.dead(2, 2)
	stop := errors.New("stop")
	stopped, err := b.Run(t.Context(), retry(search.Selection{Where: `data.n == 2 || data.n.x.y == 1`}), func(store.Batch) error { return stop })
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if done, err := b.Resume(t.Context(), stopped.ID, quiet); err != nil || done.Changed != 1 || batches.Failed(done) != 1 {
		t.Errorf("a batch that left out a run, and is continued: %+v, %v", done, err)
	}
	preview, err = b.Preview(t.Context(), hostile)
	if err != nil || preview.Count != 0 || preview.Failed != 1 || preview.Failure == nil {
		t.Errorf("%d, %d failed: %v, %v", preview.Count, preview.Failed, preview.Failure, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Run(ctx, hostile, func(store.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a batch that is given up: %v", err)
	}
}
