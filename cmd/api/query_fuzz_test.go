package api

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"evrun/cmd/api/query"
	"evrun/tasks/search"
)

// FuzzQuery decodes a query as that of each route, and makes of it what the route makes. Nothing panics; a refusal is one of the query; what is
// taken is within the bounds of pages, and decodes to the same value again.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"type=order.*,user.>&state=dead&label=team=a&where=data.n+>+1&limit=5&order=oldest&after=x&since=2026-11-27T08:00:00Z",
		"wait=30s&matches=1&source=/s&id=b&line=7", "attempt=all&follow=true", "last=1&runs=1&after=12", "ext=a=b&time=2026-11-27T08:00:00.5%2B01:00",
		"next=1000000", "limit=-1", "limit=99999999999999999999", "wait=1d&wait=2d", "%zz", "a;b", "&&=&=x", "type=", "where=%00", "state=dead,,", "dry_run=2", "from=now",
	} {
		f.Add(seed)
	}
	var types []reflect.Type
	for _, r := range Routes {
		if r.query != nil {
			types = append(types, r.query)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, typ := range types {
			first, second := reflect.New(typ), reflect.New(typ)
			err := query.Decode(raw, first.Interface())
			var wrong *query.Error
			if err != nil {
				if !errors.As(err, &wrong) || wrong.Message == "" || wrong.Parameter != "" && !strings.HasPrefix(err.Error(), wrong.Parameter+": ") {
					t.Errorf("%s: %v", typ, err)
				}
				continue
			}
			if err := query.Decode(raw, second.Interface()); err != nil || !reflect.DeepEqual(first.Elem().Interface(), second.Elem().Interface()) {
				t.Errorf("%s: %v, and then %v (%v)", typ, first.Elem(), second.Elem(), err)
			}
			feed(t, first.Elem().Interface())
		}
	})
}

// feed gives a decoded query to what it is for.
func feed(t *testing.T, q any) {
	var page search.Query
	var selected search.Selection
	var err error
	switch q := q.(type) {
	case runsQuery:
		selected = q.selection()
		err = selected.CheckRuns()
		q.page(&page)
	case eventsQuery:
		selected = q.selection()
		err = selected.CheckEvents()
		q.page(&page)
	case streamQuery:
		selected = q.selection()
		err = selected.CheckRuns()
		page.Limit = min(q.Limit, maxPage)
		if q.After.Number < 0 {
			t.Errorf("%+v begins before the journal", q)
		}
	default:
		return
	}
	var wrong *search.SelectionError
	if err != nil && !errors.As(err, &wrong) {
		t.Errorf("%+v: %v", q, err)
	}
	if page.Limit < 1 || page.Limit > maxPage {
		t.Errorf("%+v has a page of %d", q, page.Limit)
	}
}
