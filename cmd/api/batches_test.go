package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/store"
	"evrun/tasks/batches"
	"evrun/tasks/search"
)

func batchOf(action string, sel search.Selection) api.BatchRequest {
	return api.BatchRequest{Request: batches.Request{Action: action, Selection: sel, All: sel.All()}}
}

func silent(api.Batch) {}

// There are more dead runs than one page has, and they die again at once: each is retried once.
func TestManyDeadRunsAreRetriedAndDropped(t *testing.T) {
	const n = batches.PageSize + 50
	d := serve(t, dying("h"), dying("other"))
	d.emit("a.b", n)
	d.dead("h", 1, n)
	d.dead("other", 1, n)
	retry := batchOf("retry", search.Selection{Handler: "h"})
	preview, err := d.PreviewBatch(t.Context(), retry)
	if err != nil || preview.Count != n || len(preview.Runs) != batches.SampleSize || preview.Runs[0].State != "dead" {
		t.Fatalf("preview %+v, %v", preview, err)
	}
	retry.Fingerprint = preview.Fingerprint
	var seen []api.Batch
	done, err := d.RunBatch(t.Context(), retry, func(b api.Batch) { seen = append(seen, b) })
	if err != nil || done.State != api.BatchEnded || done.Changed != n || done.Done != n || done.LeftAlone != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if len(seen) == 0 || seen[0].ID != done.ID || seen[0].State != api.BatchRunning || seen[0].Total != n || seen[0].Done != 0 {
		t.Errorf("progress %+v", seen)
	}
	d.dead("h", 2, n)
	d.dead("other", 1, n)
	for _, sel := range []search.Selection{{Handler: "h"}, {}} {
		if done, err = d.RunBatch(t.Context(), batchOf("drop", sel), silent); done.Changed != n || err != nil {
			t.Fatalf("dropped %+v, %v", done, err)
		}
	}
	if runs, err := d.store.Runs(t.Context(), store.RunQuery{State: store.Dead}); len(runs) > 0 || err != nil {
		t.Errorf("%d runs are left, %v", len(runs), err)
	}
	list, err := d.Batches(t.Context())
	if err != nil || len(list) != 3 || list[2].Action != "retry" || !strings.Contains(string(list[2].Request), `"selection":{"handler":"h"}`) || list[2].By == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if one, err := d.Batch(t.Context(), list[2].ID); err != nil || one.State != api.BatchEnded || one.EndedAt == nil {
		t.Errorf("%+v, %v", one, err)
	}
}

func TestASelectionThatHasChangedIsAConflictWithTheNewCount(t *testing.T) {
	d := serve(t, dying("h"))
	d.emit("a.b", 3)
	ids := d.dead("h", 1, 3)
	request := batchOf("drop", search.Selection{Handler: "h"})
	preview, err := d.PreviewBatch(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.DropRun(t.Context(), ids[0].ID); err != nil {
		t.Fatal(err)
	}
	request.Fingerprint = preview.Fingerprint
	var p *api.Problem
	if _, err := d.RunBatch(t.Context(), request, silent); !errors.As(err, &p) || p.Status != http.StatusConflict || p.Preview == nil || p.Preview.Count != 2 {
		t.Fatalf("%v", err)
	}
	request.Fingerprint = p.Preview.Fingerprint
	if done, err := d.RunBatch(t.Context(), request, silent); done.Changed != 2 || err != nil {
		t.Errorf("%+v, %v", done, err)
	}
	done, err := d.RunBatch(t.Context(), batchOf("drop", search.Selection{Handler: "h"}), silent)
	if err != nil || done.ID != "" || done.State != api.BatchEnded || done.Total != 0 {
		t.Errorf("nothing to do: %+v, %v", done, err)
	}
}

// A client that leaves stops its batch, which another one continues.
func TestABatchStopsWhenItsClientLeaves(t *testing.T) {
	const n = batches.PageSize + 1
	d := serve(t, dying("h"))
	d.emit("a.b", n)
	d.dead("h", 1, n)
	ctx, leave := context.WithCancel(t.Context())
	batch, err := d.RunBatch(ctx, batchOf("retry", search.Selection{Handler: "h"}), func(api.Batch) { leave() })
	if !errors.Is(err, context.Canceled) || batch.ID == "" {
		t.Fatalf("%+v, %v", batch, err)
	}
	for batch.State == api.BatchRunning { // until the server has noticed
		if batch, err = d.Batch(t.Context(), batch.ID); err != nil {
			t.Fatal(err)
		}
	}
	if batch.State == api.BatchStopped {
		if batch.Done%batches.PageSize != 0 && batch.Done != n {
			t.Errorf("it was stopped within a page: %+v", batch)
		}
		if batch, err = d.RunBatch(t.Context(), api.BatchRequest{Resume: batch.ID}, silent); err != nil {
			t.Fatal(err)
		}
	}
	if batch.State != api.BatchEnded || batch.Changed != n {
		t.Errorf("%+v", batch)
	}
	d.dead("h", 2, n)
	var p *api.Problem
	if _, err := d.RunBatch(t.Context(), api.BatchRequest{Resume: batch.ID}, silent); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("resumed after its end: %v", err)
	}
	wrong := api.BatchRequest{Request: batches.Request{Action: "drop"}, Resume: batch.ID}
	if _, err := d.RunBatch(t.Context(), wrong, silent); !errors.As(err, &p) || p.Status != http.StatusConflict || !strings.Contains(p.Detail, "another action: retry") {
		t.Errorf("resumed by another action: %v", err)
	}
	if _, err := d.RunBatch(t.Context(), api.BatchRequest{Resume: "nonsense"}, silent); !errors.As(err, &p) || p.Status != http.StatusNotFound {
		t.Errorf("resumed an unknown one: %v", err)
	}
}

// A detached batch goes on when its client leaves, and stops by request.
func TestADetachedBatchGoesOnWhenItsClientLeaves(t *testing.T) {
	const n = batches.PageSize + 1
	d := serve(t, dying("h"))
	d.emit("a.b", n)
	d.dead("h", 1, n)
	request := batchOf("retry", search.Selection{Handler: "h"})
	request.Detach = true
	ctx, leave := context.WithCancel(t.Context())
	batch, err := d.RunBatch(ctx, request, func(api.Batch) { leave() })
	if !errors.Is(err, context.Canceled) || batch.ID == "" {
		t.Fatalf("%+v, %v", batch, err)
	}
	for batch.State == api.BatchRunning {
		if batch, err = d.Batch(t.Context(), batch.ID); err != nil {
			t.Fatal(err)
		}
	}
	if batch.State != api.BatchEnded || batch.Changed != n {
		t.Errorf("%+v", batch)
	}
	d.dead("h", 2, n)
	request.Action = "drop"
	stopped, err := d.RunBatch(t.Context(), request, func(b api.Batch) {
		if b.Done == 0 {
			if _, err := d.StopBatch(t.Context(), b.ID); err != nil {
				t.Error(err)
			}
		}
	})
	var p *api.Problem
	switch {
	case err == nil: // it had ended before
	case !errors.As(err, &p) || p.Status != http.StatusConflict || !strings.Contains(p.Detail, "stopped by request") || stopped.State != api.BatchStopped:
		t.Errorf("%+v, %v", stopped, err)
	default:
		if stopped, err = d.RunBatch(t.Context(), api.BatchRequest{Resume: stopped.ID}, silent); err != nil {
			t.Error(err)
		}
	}
	if stopped.State != api.BatchEnded || stopped.Changed != n {
		t.Errorf("%+v", stopped)
	}
}

func TestAWrongBatchIsRefused(t *testing.T) {
	d := serve(t, dying("h"))
	d.emit("a.b", 1)
	id := d.dead("h", 1, 1)[0].ID
	for body, want := range map[string]string{
		``:                                  "the body must be a JSON object",
		`[]`:                                "the body must be a JSON object",
		`{"action":"retry"} {}`:             "",
		`{"action":"retry","handler":"h"}`:  `unknown field`,
		`{"action":"retry"}`:                "say which",
		`{"action":"retry","selection":{}}`: "say which",
		`{"action":"burn","all":true}`:      "must be one of retry, cancel, drop, edit, replay, rerun and erase",
		`{"action":"retry","all":true,"selection":{"handler":"h"}}`:                        "leave all out",
		`{"action":"retry","selection":{"handler":"h","state":["skipped"]}}`:               "it must be one of dead, retrying, cancelled",
		`{"action":"retry","selection":{"handler":"h","state":["x"]}}`:                     "not a state of a run",
		`{"action":"retry","selection":{"event":"nowhere"}}`:                               "not found",
		`{"action":"retry","selection":{"where":"data.x =="}}`:                             "where: ",
		`{"action":"retry","selection":{"handler":"h"},"fingerprint":"1-2"}`:               "not that of a preview",
		`{"action":"retry","selection":{"since":"yesterday"}}`:                             "parsing time",
		`{"action":"retry","dry_run":true,"selection":{"where":"run.x == 1"}}`:             "a run has no",
		`{"action":"drop","selection":{"handler":"h"},"to":"h"}`:                           "drop has none",
		`{"action":"drop","selection":{"type":["` + strings.Repeat("a.", 100) + `a..b"]}}`: "type: ",
	} {
		res, answer := d.call("POST", "/v1/batches", "application/json", body)
		var p api.Problem
		if err := json.Unmarshal([]byte(answer), &p); err != nil || res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusNotFound ||
			!strings.Contains(p.Detail, want) {
			t.Errorf("%s: %d %s; want %s", body, res.StatusCode, answer, want)
		}
	}
	if r := d.dead("h", 1, 1)[0]; r.ID != id {
		t.Errorf("the run is %+v", r)
	}
	if list, err := d.Batches(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
