package web

import (
	"fmt"
	"slices"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/search"
)

var livePage = page{pattern: "GET /live", right: "read", nav: "live", title: "Live", template: "live", load: loadLive}

// The sizes of the page. The script keeps more rows than the server renders.
const (
	liveShown = 50
	chipsOf   = 200 // newest runs that are looked through for those of the events shown
)

// liveList is the end of the journal, or of the changed runs, where the script goes on.
type liveList struct {
	Runs   bool // runs are shown, and no events: the filters select by what only runs have
	Events found[*events.Event]
	Found  found[api.Run] // if Runs

	After    int64 // the stream continues after this seq
	Chips    map[int64][]api.Run
	Types    []string
	Handlers []string
	States   []string // that a stream can select
	Wrong    string
	Filtered bool
}

func loadLive(q *request) (any, error) {
	sel := search.Selection{Types: q.all("type"), Source: q.query.Get("source"), Where: q.query.Get("where"), Chain: q.query.Get("chain"),
		Handler: q.query.Get("handler"), States: q.all("state"), Labels: q.all("label")}
	list := liveList{Filtered: !sel.All(), States: search.StateNames()[1:]} // a run that waits has no record
	list.Runs = sel.CheckEvents() != nil && sel.CheckRuns() == nil
	if err := list.suggest(q); err != nil {
		return nil, err
	}
	status, err := q.api.Status(q.Context())
	if err != nil {
		return nil, err
	}
	list.After = status.Head
	if list.Runs {
		list.Found, err = searched(q, liveShown, func(p api.Paging) ([]api.Run, api.PageInfo, error) { return q.api.Runs(q.Context(), sel, p) })
		list.Wrong = list.Found.Wrong
		return list, err
	}
	list.Events, err = searched(q, liveShown, func(p api.Paging) ([]*events.Event, api.PageInfo, error) { return q.api.Events(q.Context(), sel, p) })
	if list.Wrong = list.Events.Wrong; err != nil || list.Wrong != "" || len(list.Events.Items) == 0 {
		return list, err
	}
	list.After = max(list.After, list.Events.Items[0].Sequence)
	runs, _, err := q.api.Runs(q.Context(), sel, api.Paging{Limit: chipsOf})
	list.Chips = map[int64][]api.Run{}
	for _, r := range runs {
		list.Chips[r.Sequence] = append(list.Chips[r.Sequence], r)
	}
	return list, err
}

// suggest fills what the fields offer.
func (l *liveList) suggest(q *request) error {
	types, err := q.api.Types(q.Context(), "", typesShown)
	if err != nil {
		return err
	}
	for _, t := range types.Types {
		l.Types = append(l.Types, t.Type)
	}
	handlers, err := q.api.Handlers(q.Context())
	if err != nil {
		return err
	}
	for _, h := range handlers {
		l.Handlers = append(l.Handlers, h.Name)
	}
	slices.Sort(l.Handlers)
	return nil
}

// Others is how many runs of an event have no chip of their own.
func (l liveList) Others(seq int64) string {
	if n := len(l.Chips[seq]) - chipsShown; n > 0 {
		return fmt.Sprintf("+%d", n)
	}
	return ""
}

const chipsShown = 6

// First are the runs of an event that have a chip.
func (l liveList) First(seq int64) []api.Run {
	runs := l.Chips[seq]
	return runs[:min(len(runs), chipsShown)]
}
