package batches_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"evrun/store"
	"evrun/tasks/batches"
)

func TestAWrongRequestSaysWhatIsWrong(t *testing.T) {
	r := newRig(t)
	r.dead(1, 1)
	b := r.batches()
	for want, request := range map[string]batches.Request{
		`action "delete": must be one of retry, cancel and drop`:                 {Action: "delete", Selection: ofH},
		`say which: type, handler, state, event, … or "all": true`:               {Action: "retry"},
		`"running"; to retry, it must be one of dead, retrying, cancelled`:       {Action: "retry", Selection: batches.Selection{States: []string{"running"}}},
		`"dead"; to cancel, it must be one of`:                                   {Action: "cancel", Selection: batches.Selection{States: []string{"dead"}}},
		`"waiting"; to drop, it must be one of`:                                  {Action: "drop", Selection: batches.Selection{States: []string{"waiting"}}},
		`event: "x" is not the seq of an event`:                                  {Action: "drop", Selection: batches.Selection{Event: "x"}},
		`chain: "0" is not the seq of an event`:                                  {Action: "drop", Selection: batches.Selection{Chain: "0"}},
		`type: pattern "a..b"`:                                                   {Action: "drop", Selection: batches.Selection{Types: []string{"a..b"}}},
		`where: `:                                                                {Action: "drop", Selection: batches.Selection{Where: "data.x =="}},
		`where: a run has no "stat"`:                                             {Action: "drop", Selection: batches.Selection{Where: `run.stat == "dead"`}},
		`to: drop has none`:                                                      {Action: "drop", Selection: ofH, To: "h"},
		`fingerprint "x": it is not that of a preview`:                           {Action: "drop", Selection: ofH, Fingerprint: "x"},
		`the condition or the reason contains a secret of the wiring file: both`: {Action: "cancel", Selection: ofH, Why: "s3cret"},
	} {
		if strings.Contains(want, "secret") {
			b = batches.New(batches.Options{Store: r.store, Emitter: r.em, Actions: batches.OfRuns(counting{r, nil}),
				Redact: func(text string) string { return strings.ReplaceAll(text, "s3cret", "[secret]") }})
		}
		_, err := b.Run(t.Context(), request, quiet)
		if wrong := (*batches.RequestError)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
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
		selection batches.Selection
		want      int
	}{
		{batches.Selection{Where: "data.n % 100 == 0"}, 20},
		{batches.Selection{Where: `run.state == "dead" and data.n < 1000`}, 990}, // ten of them were changed
		{batches.Selection{Event: "1500", Handler: "h"}, 0},                      // it was changed
		{batches.Selection{Event: "1501"}, 1},
		{batches.Selection{Chain: "1502"}, 1},
		{batches.Selection{Types: []string{"b.*"}, All: true}, 0},
		{batches.Selection{All: true}, 988},
		{batches.Selection{All: true}, 0},
	} {
		preview, err := b.Preview(t.Context(), retry(test.selection))
		if err != nil || preview.Count != test.want {
			t.Errorf("%+v: %d, %v; want %d", test.selection, preview.Count, err, test.want)
		}
		request := retry(test.selection)
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
	hostile := retry(batches.Selection{Where: `len(filter(1..100000, {any(1..100000, {# == data.n + 1000000})})) > 0`})
	fails := retry(batches.Selection{Where: `data.n.x.y == 1`})
	preview, err := b.Preview(t.Context(), fails)
	if err != nil || preview.Count != 0 || preview.Failed != 1 || preview.Failure == nil {
		t.Errorf("%d, %d failed: %v, %v", preview.Count, preview.Failed, preview.Failure, err)
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
