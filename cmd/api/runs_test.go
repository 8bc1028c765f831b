package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"evrun/cmd/api"
	"evrun/store"
	"evrun/tasks/search"
)

func TestRunsAreListedInPages(t *testing.T) {
	d := serve(t, dying("h"), dying("other"))
	d.emit("a.b", 5)
	d.dead("h", 1, 5)
	d.dead("other", 1, 5)
	seen := map[string]bool{}
	for path, pages := "/v1/runs?limit=3", 0; path != ""; pages++ {
		_, body := d.call("GET", path, "", "")
		var page struct {
			Runs []api.Run
			Next string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || pages > 4 {
			t.Fatalf("page %d: %s (%v)", pages, body, err)
		}
		for _, r := range page.Runs {
			if seen[r.ID] {
				t.Errorf("%s is listed twice", r.ID)
			}
			seen[r.ID] = true
		}
		if path = ""; page.Next != "" {
			path = "/v1/runs?limit=3&after=" + page.Next
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d runs", len(seen))
	}
	for query, n := range map[string]int{"handler=h": 5, "event=a.b3": 2, "event=1&handler=h": 1, "event=%232&type=a.*": 2, "type=b.b": 0, "type=a.b3,a.b": 10, "state=dead,retrying": 10, "state=running&state=skipped": 0} {
		_, body := d.call("GET", "/v1/runs?"+query, "", "")
		var page struct{ Runs []api.Run }
		if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Runs) != n || page.Runs == nil {
			t.Errorf("%s: %s (%v)", query, body, err)
		}
	}
}

func TestRunIsShownWithItsAttempts(t *testing.T) {
	d := serve(t, dying("h"))
	d.emit("a.b", 1)
	id := d.dead("h", 1, 1)[0].ID
	_, body := d.call("GET", "/v1/runs/"+id, "", "")
	var r api.RunDetails
	if err := json.Unmarshal([]byte(body), &r); err != nil || r.ID != id || r.State != "dead" || len(r.Attempts) != 1 || r.Attempts[0].Error != "broken" {
		t.Errorf("%s (%v)", body, err)
	}
}

// There are more dead runs than one page has.
func TestManyDeadRunsAreRetriedAndDropped(t *testing.T) {
	const n = 550
	d := serve(t, dying("h"), dying("other"))
	d.emit("a.b", n)
	d.dead("h", 1, n)
	d.dead("other", 1, n)
	if got, err := d.RetryRuns(t.Context(), search.Selection{Handler: "h"}); got != n || err != nil {
		t.Fatalf("retried %d, %v", got, err)
	}
	d.dead("h", 2, n) // each once, though all of them die again
	d.dead("other", 1, n)
	if got, err := d.DropRuns(t.Context(), search.Selection{Handler: "h"}); got != n || err != nil {
		t.Fatalf("dropped %d, %v", got, err)
	}
	if got, err := d.DropRuns(t.Context(), search.Selection{}); got != n || err != nil {
		t.Fatalf("dropped %d, %v", got, err)
	}
	if runs, err := d.store.Runs(t.Context(), store.RunQuery{State: store.Dead}); len(runs) > 0 || err != nil {
		t.Errorf("%d runs are left, %v", len(runs), err)
	}
}

func TestSelectionToChangeMustBeSaid(t *testing.T) {
	d := serve(t, dying("h"))
	d.emit("a.b", 1)
	id := d.dead("h", 1, 1)[0].ID
	for _, query := range []string{"", "?state=dead", "?all=no", "?handler=h&state=skipped", "?event=nowhere", "?event=1&where=true"} {
		for method, path := range map[string]string{"POST": "/v1/runs/retry", "DELETE": "/v1/runs"} {
			if res, body := d.call(method, path+query, "", ""); res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s%s: %d %s", method, path, query, res.StatusCode, body)
			}
		}
	}
	if r := d.dead("h", 1, 1)[0]; r.ID != id {
		t.Errorf("the run is %+v", r)
	}
}

func TestOnlyDeadRunsAreChanged(t *testing.T) {
	d := serve(t, dying("h"))
	d.emit("a.b", 1)
	id := d.dead("h", 1, 1)[0].ID
	if err := d.DropRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	var p *api.Problem
	if err := d.DropRun(t.Context(), id); err != nil {
		t.Errorf("dropped again: %v", err)
	}
	if _, err := d.RetryRun(t.Context(), id); !errors.As(err, &p) || p.Status != 409 {
		t.Errorf("retried after it was dropped: %v", err)
	}
	if err := d.DropRun(t.Context(), "99-"+id[2:]); !errors.As(err, &p) || p.Status != 404 {
		t.Errorf("a run that never was is dropped: %v", err)
	}
	e, err := d.store.Event(t.Context(), "a.b0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.store.Register(t.Context(), []store.Registration{{Name: "waits"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.store.Settle(t.Context(), store.SettleBatch{Settlements: []store.Settlement{{
		Event: e, Handler: c[0].ID, Attempt: 1, Started: e.Time, Outcome: store.Outcome{State: store.Succeeded}}}})
	if err != nil {
		t.Fatal(err)
	}
	done := fmt.Sprintf("%d-waits-%s", e.Sequence, d.store.ID())
	if err := d.DropRun(t.Context(), done); !errors.As(err, &p) || p.Status != 409 {
		t.Errorf("a run that succeeded is dropped: %v", err)
	}
	if _, err := d.RetryRun(t.Context(), done); !errors.As(err, &p) || p.Status != 409 {
		t.Errorf("a run that succeeded is retried: %v", err)
	}
}
