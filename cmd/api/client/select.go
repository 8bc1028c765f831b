package client

import (
	"net/url"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/tasks/search"
)

// selectionValues are the parameters of a selection and a page.
func selectionValues(sel search.Selection, p api.Paging) url.Values {
	v := url.Values{}
	for _, list := range []struct {
		name  string
		texts []string
	}{{"type", sel.Types}, {"state", sel.States}, {"label", sel.Labels}} {
		for _, text := range list.texts {
			v.Add(list.name, text)
		}
	}
	set(v, "handler", sel.Handler)
	set(v, "source", sel.Source)
	set(v, "where", sel.Where)
	set(v, "event", sel.Event)
	set(v, "chain", sel.Chain)
	set(v, "after", p.After)
	if !sel.Since.IsZero() {
		v.Set("since", sel.Since.UTC().Format(time.RFC3339Nano))
	}
	if !sel.Until.IsZero() {
		v.Set("until", sel.Until.UTC().Format(time.RFC3339Nano))
	}
	if p.Limit != 0 {
		v.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.Oldest {
		v.Set("order", "oldest")
	}
	return v
}
