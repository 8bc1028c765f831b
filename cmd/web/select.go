package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/input"
	"evrun/tasks/search"
)

// selection reads the parameters that select events or runs, named as in the API. Times may be written as on the command line, such as 2h. wrong says
// what can't be read, in words; then nothing should be asked for.
func (q *request) selection() (sel search.Selection, wrong string) {
	sel = search.Selection{
		Types: q.all("type"), Source: q.query.Get("source"), Where: q.query.Get("where"), Event: q.query.Get("event"), Chain: q.query.Get("chain"),
		Handler: q.query.Get("handler"), States: q.all("state"), Labels: q.all("label"),
	}
	for _, bound := range []struct {
		name string
		to   *time.Time
	}{{"since", &sel.Since}, {"until", &sel.Until}} {
		text := q.query.Get(bound.name)
		if text == "" {
			continue
		}
		t, ok := input.ParseTime(text, time.Local, q.now)
		if !ok {
			return sel, fmt.Sprintf("%s %q: %s", bound.name, text, input.HowTimes)
		}
		*bound.to = t
	}
	return sel, ""
}

// all are the values of a parameter that are not empty: a form sends its empty fields, too.
func (q *request) all(name string) (list []string) {
	for _, text := range q.query[name] {
		if text != "" {
			list = append(list, text)
		}
	}
	return list
}

// refused is the problem of a request that the user can write in another way; the page shows it beside the fields. Other errors are not.
func refused(err error) (wrong string, ok bool) {
	var p *api.Problem
	if errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusNotFound || p.Status == http.StatusUnprocessableEntity) {
		return p.Detail, true
	}
	return "", false
}

// searchFor is how long a page waits for a search before it shows how far that came: mostly for one step, which takes 50 ms at most. Then its script searches on.
const searchFor = 40 * time.Millisecond

// found is what a search found so far, and how it goes on.
type found[T any] struct {
	Items []T
	api.PageInfo
	Wrong string // the search can't be done, and why
}

// searched asks for pages until there are enough items, nothing is left, or the page has waited long enough.
func searched[T any](q *request, limit int, ask func(api.Paging) ([]T, api.PageInfo, error)) (f found[T], err error) {
	p := api.Paging{After: q.query.Get("after"), Oldest: q.query.Get("order") == "oldest"}
	for began := time.Now(); ; {
		p.Limit = limit - len(f.Items)
		items, info, err := ask(p)
		if wrong, ok := refused(err); ok {
			f.Wrong = wrong
			return f, nil
		} else if err != nil {
			return f, err
		}
		f.Items = append(f.Items, items...)
		info.Scanned += f.Scanned
		info.Failed += f.Failed
		if info.Failure == "" {
			info.Failure = f.Failure
		}
		f.PageInfo = info
		if p.After = info.Next; p.After == "" || len(f.Items) >= limit || time.Since(began) > searchFor {
			return f, nil
		}
	}
}

// Percent is how much of the journal was searched.
func (f found[T]) Percent() string {
	percent := min(max(f.Progress*100, 0), 100)
	if percent < 10 {
		return strconv.FormatFloat(percent, 'f', 1, 64)
	}
	return strconv.Itoa(int(percent))
}
