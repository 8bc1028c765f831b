package api

import (
	"net/http"
	"strconv"

	"evrun/tasks/control"
	"evrun/tasks/search"
)

// Paging is which page of a list is wanted.
type Paging struct {
	After  string // the Next of the page before; empty: the first page
	Limit  int    // at most 1,000; 0: 100
	Oldest bool   // the oldest event first, instead of the newest
}

// PageHeader has the [PageInfo] of a page in NDJSON.
const PageHeader = "Evrun-Page"

// selectionOf reads the parameters that select events or runs: type and state (several, or lists with commas), handler, label, source, since, until,
// where, event and chain.
func selectionOf(r *http.Request) (search.Selection, error) {
	p := parametersOf(r)
	sel := search.Selection{
		Types: p.Values["type"], Handler: p.Get("handler"), Labels: p.Values["label"], States: p.Values["state"], Source: p.Get("source"), Where: p.Get("where"),
		Event: p.Get("event"), Chain: p.Get("chain"), Since: p.time("since"), Until: p.time("until"),
	}
	return sel, p.err
}

// noHandlers is the name of no handler.
const noHandlers = "-"

// labeled replaces the labels of a selection by the names of the wired handlers that have them. If there are none, nothing is selected, and hint says
// why.
func (s *Server) labeled(sel *search.Selection) (hint string) {
	if len(sel.Labels) == 0 {
		return ""
	}
	chosen, hint := control.ByLabels(s.o.Wired(), sel.Labels)
	for _, h := range chosen {
		sel.Handlers = append(sel.Handlers, h.Name)
	}
	if len(chosen) == 0 {
		sel.Handlers = []string{noHandlers}
	}
	sel.Labels = nil
	return hint
}

// paged adds the page that the parameters after, limit and order (newest, the default, or oldest) ask for.
func paged(r *http.Request, q *search.Query) error {
	p := parametersOf(r)
	q.After, q.Limit = p.Get("after"), p.limit()
	switch order := p.Get("order"); order {
	case "oldest":
		q.Oldest = true
	case "", "newest":
	default:
		p.wrong("order: newest or oldest, not " + strconv.Quote(order))
	}
	return p.err
}
