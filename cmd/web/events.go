package web

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/search"
)

var eventsPage = page{pattern: "GET /events", right: "read", nav: "events", title: "Events", template: "events", load: loadEvents}

// The sizes of the page.
const (
	eventsShown = 50
	typesShown  = 200 // that the field for types suggests
	briefData   = 240 // characters of the data of an event in a list
)

// eventList is the journal, or what filters select of it.
type eventList struct {
	found[*events.Event]
	Types    []string
	Filtered bool
	Anywhere string // a condition that looks for what was written in all data, where that is no condition
	First    bool   // it begins with the newest event
}

func loadEvents(q *request) (any, error) {
	sel, wrong := q.selection()
	list := eventList{Filtered: !sel.All(), First: q.query.Get("after") == "" && q.query.Get("order") != "oldest"}
	types, err := q.api.Types(q.Context(), "", typesShown)
	if err != nil {
		return nil, err
	}
	for _, t := range types.Types {
		list.Types = append(list.Types, t.Type)
	}
	if list.Wrong = wrong; wrong != "" {
		return list, nil
	}
	list.found, err = searched(q, eventsShown, func(p api.Paging) ([]*events.Event, api.PageInfo, error) {
		return q.api.Events(q.Context(), sel, p)
	})
	if err == nil && list.Next != "" && !list.Enough() {
		err = list.measure(q)
	}
	if text := strings.TrimSpace(sel.Where); list.Wrong != "" && text != "" && sel.CheckEvents() != nil {
		list.Anywhere = "toJSON(data) contains " + compact(strings.Trim(text, `"'`))
	}
	return list, err
}

// measure finds how much of the journal was searched: its next place and its last event say so.
func (l *eventList) measure(q *request) error {
	last, _, err := q.api.Events(q.Context(), search.Selection{}, api.Paging{Limit: 1})
	if err != nil || len(last) == 0 {
		return err
	}
	place, _, _ := strings.Cut(l.Next, "~")
	if at, err := strconv.ParseInt(place, 10, 64); err == nil {
		l.Progress = float64(at) / float64(max(last[0].Sequence, 1))
		if q.query.Get("order") != "oldest" {
			l.Progress = 1 - l.Progress
		}
	}
	return nil
}

// Enough reports whether the page is full, so that what comes next is another page and not more of the search.
func (l eventList) Enough() bool { return len(l.Items) >= eventsShown }

// brief is the beginning of an event's data, on one line.
func brief(e *events.Event) string {
	switch {
	case !e.ErasedAt.IsZero():
		return "(erased)"
	case len(e.Data) == 0:
		return ""
	}
	text := e.Data[:min(len(e.Data), 8*briefData)]
	var line bytes.Buffer
	if len(text) == len(e.Data) && e.IsJSON() && json.Compact(&line, text) == nil {
		text = line.Bytes()
	}
	s := events.EscapeControl(strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "�")), " "))
	if utf8.RuneCountInString(s) > briefData {
		s = string([]rune(s)[:briefData]) + "…"
	}
	return s
}

// ownSource is how evrun's own sources begin: with the id of the store.
var ownSource = regexp.MustCompile(`^/evrun/[a-z2-7]{8}/`)

// shortSource is a source without what all of evrun's own have in common: handlers/save-user.
func shortSource(source string) string { return ownSource.ReplaceAllString(source, "") }
