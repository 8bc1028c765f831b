package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

// listEvents answers with a page of the journal: a JSON object, or NDJSON if Accept names it.
func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) error {
	q, err := eventQuery(r)
	if err != nil {
		return err
	}
	evs, err := s.o.Store.Events(r.Context(), q)
	if err != nil {
		return err
	}
	before, between, after, contentType := `{"events":[`, ",", "]}\n", "application/json"
	if r.Header.Get("Accept") == ndjson.Type {
		before, between, after, contentType = "", "\n", "\n", ndjson.Type
	}
	buffer := listTexts.Get().(*[]byte)
	defer listTexts.Put(buffer)
	text := append((*buffer)[:0], before...)
	for i, e := range evs {
		if i > 0 {
			text = append(text, between...)
		}
		if text, err = e.AppendJSON(text); err != nil {
			return err
		}
	}
	text = append(text, after...)
	*buffer = text
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, err = w.Write(text)
	return err
}

// listTexts has buffers for the answers of listEvents: one who lists the journal asks for page after page.
var listTexts = sync.Pool{New: func() any { return new([]byte) }}

// getEvent answers with the event that has this id: from ?source=, or from the source that used the id last.
func (s *Server) getEvent(w http.ResponseWriter, r *http.Request) error {
	e, err := s.findEvent(r.Context(), r.PathValue("id"), r.URL.Query().Get("source"))
	if err != nil {
		return err
	}
	text, err := e.AppendJSON(nil)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/cloudevents+json")
	_, err = w.Write(append(text, '\n'))
	return err
}

func (s *Server) findEvent(ctx context.Context, id, source string) (*events.Event, error) {
	if source == "" {
		return s.o.Store.Event(ctx, id)
	}
	found, err := s.o.Store.Events(ctx, store.EventQuery{ID: id, Source: source, Limit: 1})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("event %q of the source %q: %w", id, source, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// eventQuery reads the parameters that lists and streams of events share: type (patterns), after, before, chain (the seq of
// its first event), since (RFC 3339), last and limit.
func eventQuery(r *http.Request) (store.EventQuery, error) {
	p := parametersOf(r)
	q := store.EventQuery{After: p.number("after"), Before: p.number("before"), Chain: p.number("chain"), Limit: p.limit(), Last: p.yes("last")}
	for _, text := range p.Values["type"] {
		pattern, err := emitter.ParsePattern(text)
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
