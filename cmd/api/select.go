package api

import (
	"evrun/cmd/api/query"
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

// selecting are the parameters that select events.
type selecting struct {
	Types  []string   `key:"type" doc:"A type or a pattern; several, or with commas." example:"order.*"`
	Source string     `key:"source" doc:"Events of this source."`
	Since  query.Time `key:"since" doc:"Events from this time on, in RFC 3339."`
	Until  query.Time `key:"until" doc:"Events before this time, in RFC 3339."`
	Where  string     `key:"where" doc:"A condition." example:"data.total > 100"`
	Event  string     `key:"event" doc:"One event, by its seq or id."`
	Chain  string     `key:"chain" doc:"The chain of this event, by its seq or id."`
}

func (q selecting) selection() search.Selection {
	return search.Selection{Types: q.Types, Source: q.Source, Since: q.Since.Time, Until: q.Until.Time, Where: q.Where, Event: q.Event, Chain: q.Chain}
}

// labeled is the parameter that selects by labels.
type labeled struct {
	Labels []string `key:"label" doc:"KEY=VALUE or KEY: only what has this label, and of runs those whose handler has it; several must all match." example:"team=billing"`
}

// because is the parameter of what people do by hand.
type because struct {
	Reason string `key:"reason" doc:"In your words, for the audit trail."`
}

// maxPage is how many items a list has at most.
const maxPage = 1000

// sized is how many items a page has.
type sized struct {
	Limit int `key:"limit" min:"1" default:"100" doc:"How many; more than 1,000 are 1,000."`
}

// paging is which page of a list is asked for.
type paging struct {
	After string `key:"after" doc:"The next of the page before."`
	sized
	Order string `key:"order" enum:"newest,oldest" default:"newest" doc:"Which come first."`
}

// page adds the page to a query.
func (p paging) page(q *search.Query) {
	q.After, q.Limit, q.Oldest = p.After, min(p.Limit, maxPage), p.Order == "oldest"
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
