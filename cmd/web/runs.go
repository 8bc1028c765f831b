package web

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/alike"
	"evrun/tasks/control"
	"evrun/tasks/search"
	"evrun/tasks/summary"
)

var runsPage = page{pattern: "GET /runs", right: "read", nav: "runs", title: "Runs", template: "runs", load: loadRuns}

const runsAtOnce = 50

// runList is the runs, or what filters select of them.
type runList struct {
	found[api.Run]
	Selection search.Selection
	Filtered  bool
	First     bool // it begins with the newest event
	States    []stateChip
	Handlers  []control.HandlerStatus
	Types     []string
	Batches   []batchView // those that run, are stopped, or have just ended
}

// stateChip is a state to filter by. Count is known where handlers count such runs anyway.
type stateChip struct {
	Name  string
	Count int
	Known bool
}

func loadRuns(q *request) (any, error) {
	sel, wrong := q.selection()
	list := runList{Selection: sel, Filtered: !sel.All(), First: q.query.Get("after") == "" && q.query.Get("order") != "oldest"}
	var err error
	if list.Handlers, err = q.api.Handlers(q.Context()); err != nil {
		return nil, err
	}
	list.States = chips(list.Handlers, sel)
	types, err := q.api.Types(q.Context(), "", typesShown)
	if err != nil {
		return nil, err
	}
	for _, t := range types.Types {
		list.Types = append(list.Types, t.Type)
	}
	batches, err := q.api.Batches(q.Context())
	if err != nil {
		return nil, err
	}
	list.Batches = batchesLately(batches, q.now)
	if list.Wrong = wrong; wrong != "" {
		return list, nil
	}
	list.found, err = searched(q, runsAtOnce, func(p api.Paging) ([]api.Run, api.PageInfo, error) {
		return q.api.Runs(q.Context(), sel, p)
	})
	return list, err
}

// chips are all states. What handlers count by themselves is known, unless other filters narrow it down.
func chips(handlers []control.HandlerStatus, sel search.Selection) (list []stateChip) {
	other := sel
	other.States, other.Handler = nil, ""
	counts := map[string]int{}
	for i := range handlers {
		h := &handlers[i]
		if sel.Handler != "" && sel.Handler != h.Name {
			continue
		}
		counts["running"] += h.Running
		counts["retrying"] += h.Retrying
		counts["dead"] += h.Dead
	}
	for _, name := range []string{"dead", "retrying", "running", "waiting", "succeeded", "skipped", "dropped", "cancelled"} {
		chip := stateChip{Name: name}
		if n, known := counts[name]; known && other.All() {
			chip.Count, chip.Known = n, true
		}
		list = append(list, chip)
	}
	return list
}

// Enough reports whether the page is full, so that what comes next is another page and not more of the search.
func (l runList) Enough() bool { return len(l.Items) >= runsAtOnce }

// Chosen reports whether the runs are filtered by a state, and by it alone.
func (l runList) Chosen(state string) bool {
	return len(l.Selection.States) == 1 && l.Selection.States[0] == state
}

// Batch is the selection as the body of a batch has it, in JSON.
func (l runList) Batch() (string, error) {
	text, err := events.MarshalJSON(l.Selection)
	return string(text), err
}

// Counted are the parameters of GET /v1/runs/summary for the selection.
func (l runList) Counted() string {
	v := url.Values{"limit": {"200"}}
	for name, list := range map[string][]string{"type": l.Selection.Types, "state": l.Selection.States, "label": l.Selection.Labels} {
		v[name] = list
	}
	for name, text := range map[string]string{"handler": l.Selection.Handler, "source": l.Selection.Source, "where": l.Selection.Where, "event": l.Selection.Event, "chain": l.Selection.Chain} {
		if text != "" {
			v.Set(name, text)
		}
	}
	for name, t := range map[string]time.Time{"since": l.Selection.Since, "until": l.Selection.Until} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return v.Encode()
}

var runPage = page{pattern: "GET /runs/{id}", right: "read", nav: "runs", title: "Run", template: "run", load: loadRun}

// runView is one run.
type runView struct {
	api.RunDetails
	May runActions
}

func loadRun(q *request) (any, error) {
	run, err := q.api.Run(q.Context(), q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	q.title = "Run " + runID(run.ID)
	slices.SortStableFunc(run.Attempts, func(a, b api.Attempt) int { return cmp.Compare(b.Attempt, a.Attempt) })
	return runView{RunDetails: run, May: actionsOn(run.State)}, nil
}

// Alike is the query of the runs in this state whose errors differ from this one's in numbers and names alone.
func (r runView) Alike() string {
	group := summary.Group{Error: alike.Text(r.Error)}
	return url.Values{"state": {r.State}, "where": {group.Where()}}.Encode()
}

// ReplayBody is the body of a replay of the run's event by its handler.
func (r runView) ReplayBody() string { return replayBody(r.Sequence, r.Handler) }
