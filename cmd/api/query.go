package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// parameters reads the parameters of a request. err is the first one that is wrong.
type parameters struct {
	url.Values
	err error
}

func parametersOf(r *http.Request) *parameters { return &parameters{Values: r.URL.Query()} }

func (p *parameters) wrong(detail string) {
	if p.err == nil {
		p.err = problem(http.StatusBadRequest, detail)
	}
}

// number reads a number of 0 or more; 0 if it is absent.
func (p *parameters) number(name string) int64 {
	text := p.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		p.wrong(name + ": a whole number, not " + strconv.Quote(text))
		return 0
	}
	return n
}

// yes reports whether a switch is on.
func (p *parameters) yes(name string) bool { return p.Get(name) == "1" || p.Get(name) == "true" }

// maxPage is how many items a list has at most.
const maxPage = 1000

// limit is the size of a page: at most maxPage, and 100 if it is absent.
func (p *parameters) limit() int {
	n := p.number("limit")
	if n == 0 {
		n = 100
	}
	return int(min(n, maxPage))
}

// eventQuery reads the parameters that lists and streams of events share: type (patterns), after, before, chain (the seq of
// its first event), since (RFC 3339), last and limit.
func eventQuery(r *http.Request) (store.EventQuery, error) {
	p := parametersOf(r)
	q := store.EventQuery{After: p.number("after"), Before: p.number("before"), Chain: p.number("chain"), Limit: p.limit(), Last: p.yes("last")}
	for _, text := range p.Values["type"] {
		pattern, err := tasks.ParsePattern(text)
		if err != nil {
			p.wrong("type: " + err.Error())
		}
		q.Patterns = append(q.Patterns, pattern)
	}
	if text := p.Get("since"); text != "" {
		var ok bool
		if q.Since, ok = events.ParseTime(text); !ok {
			p.wrong("since: an RFC 3339 time, not " + strconv.Quote(text))
		}
	}
	return q, p.err
}

// eventParameters is the inverse of eventQuery.
func eventParameters(q store.EventQuery) url.Values {
	v := url.Values{}
	for _, p := range q.Patterns {
		v.Add("type", p.String())
	}
	setNumber(v, "after", q.After)
	setNumber(v, "before", q.Before)
	setNumber(v, "chain", q.Chain)
	setNumber(v, "limit", int64(q.Limit))
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Last {
		v.Set("last", "1")
	}
	return v
}

// set sets a parameter that is not empty.
func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// setNumber sets a parameter that is not 0.
func setNumber(v url.Values, name string, n int64) {
	if n != 0 {
		v.Set(name, strconv.FormatInt(n, 10))
	}
}
