package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"evrun/cmd/api"
	"evrun/store"
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

func TestOnlyDeadRunsAreChanged(t *testing.T) {
	d := serve(t, dying("h"))
	d.emit("a.b", 1)
	id := d.dead("h", 1, 1)[0].ID
	if _, err := d.DropRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	var p *api.Problem
	if _, err := d.DropRun(t.Context(), id); err != nil {
		t.Errorf("dropped again: %v", err)
	}
	if _, err := d.RetryRun(t.Context(), id); !errors.As(err, &p) || p.Status != 409 {
		t.Errorf("retried after it was dropped: %v", err)
	}
	if _, err := d.DropRun(t.Context(), "99-"+id[2:]); !errors.As(err, &p) || p.Status != 404 {
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
	if _, err := d.DropRun(t.Context(), done); !errors.As(err, &p) || p.Status != 409 {
		t.Errorf("a run that succeeded is dropped: %v", err)
	}
	if _, err := d.RetryRun(t.Context(), done); !errors.As(err, &p) || p.Status != 409 {
		t.Errorf("a run that succeeded is retried: %v", err)
	}
}
