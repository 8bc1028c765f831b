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

// values reads query parameters.
type values struct{ v map[string][]string }

func (v values) Get(name string) string {
	if len(v.v[name]) == 0 {
		return ""
	}
	return v.v[name][0]
}

func (v values) number(name string) (int64, error) {
	text := v.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, problem(http.StatusBadRequest, name+": a whole number, not "+strconv.Quote(text))
	}
	return n, nil
}

// maxPage is how many items a list has at most.
const maxPage = 1000

// limit is the page's size: 1,000 at most, 100 where it isn't given.
func (v values) limit() (int, error) {
	n, err := v.number("limit")
	if n == 0 {
		n = 100
	}
	return int(min(n, maxPage)), err
}

// eventQuery reads what list and stream have in common: type (patterns), after, before, chain (the seq of
// its first event), since (RFC 3339), last, limit.
func eventQuery(r *http.Request) (q store.EventQuery, err error) {
	v := values{r.URL.Query()}
	for _, text := range v.v["type"] {
		p, err := tasks.ParsePattern(text)
		if err != nil {
			return q, problem(http.StatusBadRequest, "type: "+err.Error())
		}
		q.Patterns = append(q.Patterns, p)
	}
	if q.After, err = v.number("after"); err != nil {
		return q, err
	}
	if q.Before, err = v.number("before"); err != nil {
		return q, err
	}
	if q.Limit, err = v.limit(); err != nil {
		return q, err
	}
	q.Last = v.Get("last") == "1" || v.Get("last") == "true"
	if q.Chain, err = v.number("chain"); err != nil {
		return q, err
	}
	if text := v.Get("since"); text != "" {
		var ok bool
		if q.Since, ok = events.ParseTime(text); !ok {
			return q, problem(http.StatusBadRequest, "since: an RFC 3339 time, not "+strconv.Quote(text))
		}
	}
	return q, nil
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
