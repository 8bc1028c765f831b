package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/store"
)

// A run is offered what the API does to it in its state.
func TestActionsFitTheStateOfARun(t *testing.T) {
	for state, want := range map[store.RunState]string{
		store.Waiting: "cancel", store.Running: "cancel", store.Retrying: "retry cancel", store.Succeeded: "again", store.Skipped: "again", store.Dead: "retry drop again",
		store.Dropped: "again", store.Cancelled: "retry again",
	} {
		may := actionsOn(state.String())
		var got []string
		for _, a := range []struct {
			name string
			may  bool
		}{{"retry", may.Retry}, {"cancel", may.Cancel}, {"drop", may.Drop}, {"again", may.Again}} {
			if a.may {
				got = append(got, a.name)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("a run that is %s: %s, want %s", state, text, want)
		}
		if may.Again != state.Ended() {
			t.Errorf("%s: ended %v", state, may.Again)
		}
	}
	for action, want := range map[string]string{"retry": "dead retrying cancelled", "cancel": "running retrying waiting", "drop": "dead running retrying", "rerun": "succeeded skipped dead dropped cancelled"} {
		if got := (runList{}).Fits(action); got != want {
			t.Errorf("%s is for %s, want %s", action, got, want)
		}
	}
}

// A link leads to a page that exists, and a button to a route that exists.
func TestProblemsLeadToWhereTheyAreMended(t *testing.T) {
	mux := http.NewServeMux()
	for _, p := range pages {
		mux.Handle(p.pattern, http.NotFoundHandler())
	}
	page := func(path string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := mux.Handler(r)
		return pattern
	}
	for what := range titles {
		p := problemOf(&api.Status{}, api.Trouble{What: what, Name: "a/b", Do: "evrun schedules resume a/b"})
		for _, path := range []string{p.Path, p.About} {
			if path != "" && page(path) == "" {
				t.Errorf("%s leads to %s, which is no page", what, path)
			}
		}
		if p.Resume != "" && !slices.ContainsFunc(api.Routes, func(r api.Route) bool { return r.Pattern == "POST /v1/"+p.Resume+"/{name}/resume" }) {
			t.Errorf("%s: %s can't be resumed", what, p.Resume)
		}
	}
	if p := problemOf(&api.Status{}, api.Trouble{What: api.TroubleReload}); p.Path != "/wiring/files?of=disk" || page(p.Path) != filesPage.pattern {
		t.Errorf("a refused wiring file leads to %s", p.Path)
	}
	for do, want := range map[string]string{"evrun schedules resume x": "schedules /schedules/x", "evrun handlers resume x": "handlers /handlers/x", "": " /handlers/x"} {
		if p := problemOf(&api.Status{}, api.Trouble{What: api.TroublePaused, Name: "x", Do: do}); p.Resume+" "+p.Path != want {
			t.Errorf("%q: %s %s, want %s", do, p.Resume, p.Path, want)
		}
	}
	for _, n := range []neighbour{{Kind: "hook", Name: "a/b"}, {Kind: "schedule", Name: "a/b"}, {Kind: "handler", Name: "a/b"}} {
		if page(n.Path()) == "" {
			t.Errorf("the %s leads to %s, which is no page", n.Kind, n.Path())
		}
	}
	if got := page(neighbour{Kind: "hook", Name: "x"}.Path()); got != hookPage.pattern {
		t.Errorf("a hook leads to %s", got)
	}
}
