package web

import (
	"cmp"
	"html/template"
	"maps"
	"slices"
	"strings"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/tasks/control"
	"evrun/tasks/search"
)

var (
	handlersPage = page{pattern: "GET /handlers", right: access.Read, nav: "handlers", title: "Handlers", template: "handlers", load: loadHandlers}
	handlerPage  = page{pattern: "GET /handlers/{name}", right: access.Read, nav: "handlers", title: "Handler", template: "handler", load: loadHandler}
)

// health is how a handler is, in a word and the class of its colour.
type health struct{ Word, Class string }

// healths are from the best to the worst.
var healths = []health{
	{"ok", "succeeded"}, {"new", "new"}, {"left", "left"}, {"disabled", "paused"}, {"paused", "paused"}, {"retrying", "retrying"}, {"no answer", "dead"}, {"dead runs", "dead"},
}

func (h health) worse() int { return slices.Index(healths, h) }

func healthOf(h *control.HandlerStatus) health {
	word := "ok"
	switch {
	case h.Dead > 0:
		word = "dead runs"
	case h.Silent:
		word = "no answer"
	case h.State != control.StateActive:
		word = h.State
	case h.Retrying > 0:
		word = "retrying"
	}
	return healths[max(0, slices.IndexFunc(healths, func(h health) bool { return h.Word == word }))]
}

// handlerRow is a handler in a list.
type handlerRow struct {
	control.HandlerStatus
	Health health
	Spark  template.HTML
	Total  int64 // runs that ended in the time of the sparkline
	Failed int64 // attempts
	Minute int64 // runs that ended in the last minute
	Waits  int64 // events
}

func handlerRows(all []control.HandlerStatus, a api.Activity) []handlerRow {
	active := map[string]*shape.HandlerActivity{}
	for _, h := range a.Handlers {
		active[h.Name] = h
	}
	rows := make([]handlerRow, len(all))
	for i := range all {
		row := handlerRow{HandlerStatus: all[i], Health: healthOf(&all[i])}
		ended, failed := make([]int64, sparkBars), make([]int64, sparkBars)
		if h := active[row.Name]; h != nil {
			ended, failed = padded(h.Ended, sparkBars), padded(h.Failed, sparkBars)
		}
		for k := range ended {
			row.Total, row.Failed = row.Total+ended[k], row.Failed+failed[k]
		}
		row.Minute = ended[sparkBars-1] + ended[sparkBars-2]
		if row.Rate != nil {
			row.Minute = int64(*row.Rate)
		}
		if row.Waiting != nil {
			row.Waits = *row.Waiting
		}
		row.Spark = sparkline(ended, failed)
		rows[i] = row
	}
	return rows
}

// handlerList is all handlers, or those that fit the filters.
type handlerList struct {
	Rows    []handlerRow
	All     int
	Search  string
	State   string
	States  []string // that handlers are in
	Label   string
	Labels  []string // KEY=VALUE, of the handlers
	Ordered string
}

func loadHandlers(q *request) (any, error) {
	all, err := q.api.Handlers(q.Context())
	if err != nil {
		return nil, err
	}
	a, err := lately(q)
	if err != nil {
		return nil, err
	}
	l := handlerList{All: len(all), Search: strings.TrimSpace(q.query.Get("search")), State: q.query.Get("health"), Label: q.query.Get("label"), Ordered: q.query.Get("order")}
	healths, labels := map[string]bool{}, map[string]bool{}
	for _, row := range handlerRows(all, a) {
		healths[row.Health.Word] = true
		for k, v := range row.Labels {
			labels[k+"="+v] = true
		}
		if l.fits(&row) {
			l.Rows = append(l.Rows, row)
		}
	}
	l.States, l.Labels = slices.Sorted(maps.Keys(healths)), slices.Sorted(maps.Keys(labels))
	switch l.Ordered {
	case "activity":
		slices.SortStableFunc(l.Rows, func(a, b handlerRow) int { return cmp.Compare(b.Total, a.Total) })
	case "health":
		slices.SortStableFunc(l.Rows, func(a, b handlerRow) int { return cmp.Compare(b.Health.worse(), a.Health.worse()) })
	}
	return l, nil
}

// fits reports whether the filters let a handler through.
func (l *handlerList) fits(h *handlerRow) bool {
	if l.State != "" && h.Health.Word != l.State {
		return false
	}
	if key, value, ok := strings.Cut(l.Label, "="); ok && h.Labels[key] != value {
		return false
	}
	if l.Search == "" {
		return true
	}
	text := strings.ToLower(strings.Join(append([]string{h.Name, h.Kind, h.Description}, h.On...), "\n"))
	return strings.Contains(text, strings.ToLower(l.Search))
}

// handlerView is one handler, with what it did lately.
type handlerView struct {
	control.HandlerStatus
	Health  health
	Figures figures
	Plots   plots
	Runs    []api.Run
	Wired   *surroundings // nil: it is not in the wiring
}

// runsShown is how many of a handler's last runs its page shows.
const runsShown = 10

func loadHandler(q *request) (any, error) {
	name := q.PathValue("name")
	status, err := q.api.Handler(q.Context(), name)
	if err != nil {
		return nil, err
	}
	q.title = name
	v := handlerView{HandlerStatus: status, Health: healthOf(&status), Plots: plotsOf(q, name, handlerSpans)}
	if status.State != control.StateLeft {
		if v.Figures, err = figuresOf(q, name); err != nil {
			return nil, err
		}
	}
	wiring, err := q.api.Wiring(q.Context())
	if err = withoutDaemon(err); err != nil {
		return nil, err
	}
	v.Wired = around(&wiring, name)
	if v.Runs, _, err = q.api.Runs(q.Context(), search.Selection{Handler: name}, api.Paging{Limit: runsShown}); err != nil {
		return nil, err
	}
	return v, nil
}

// Waits is how many events wait, in words.
func (v handlerView) Waits() string {
	u := v.Unfinished()
	return u.String()
}
