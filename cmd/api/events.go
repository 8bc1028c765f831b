package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"evrun/cmd/api/cloudevents"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/search"
)

// listEvents answers with a page of the journal, newest first unless the parameters say otherwise: a JSON object or, if Accept names it, NDJSON or a
// batch of CloudEvents, with the page's info in a header.
func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) error {
	sel, err := selectionOf(r)
	if err != nil {
		return err
	}
	q, err := sel.Events(r.Context(), s.o.Store)
	if err == nil {
		err = paged(r, &q)
	}
	if err != nil {
		return err
	}
	page, err := search.Events(r.Context(), s.o.Store, q)
	if err != nil {
		return err
	}
	info, err := events.MarshalJSON(shape.PageInfoOf(page))
	if err != nil {
		return err
	}
	before, between, after, contentType := `{"events":[`, ",", "],"+string(info[1:])+"\n", "application/json"
	switch accept := r.Header.Get("Accept"); accept {
	case ndjson.Type:
		before, between, after, contentType = "", "\n", "\n", accept
		w.Header().Set(PageHeader, string(info))
	case cloudevents.BatchType:
		before, after, contentType = "[", "]\n", accept
		w.Header().Set(PageHeader, string(info))
	}
	buffer := listTexts.Get().(*[]byte)
	defer listTexts.Put(buffer)
	text := append((*buffer)[:0], before...)
	for i, e := range page.Items {
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

// getEvent answers with an event, by its seq or its id; with ?exact=true or ?source= (an id is unique within its source), by its id alone.
func (s *Server) getEvent(w http.ResponseWriter, r *http.Request) error {
	p := parametersOf(r)
	e, err := s.findEvent(r.Context(), r.PathValue("id"), p.Get("source"), p.yes("exact"))
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

func (s *Server) findEvent(ctx context.Context, name, source string, exact bool) (*events.Event, error) {
	switch {
	case source == "" && exact:
		return s.o.Store.Event(ctx, name)
	case source == "":
		return search.EventOf(ctx, s.o.Store, name)
	}
	found, err := s.o.Store.Events(ctx, store.EventQuery{ID: name, Source: source, Limit: 1})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("event %q of the source %q: %w", name, source, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// eventQuery reads where a stream begins, and what it has: type (patterns), after, since (RFC 3339), last and limit.
func eventQuery(r *http.Request) (store.EventQuery, error) {
	p := parametersOf(r)
	q := store.EventQuery{After: p.number("after"), Limit: p.limit(), Last: p.yes("last")}
	for _, text := range p.Values["type"] {
		pattern, err := emitter.ParsePattern(text)
		if err != nil {
			p.wrong("type: " + err.Error())
		}
		q.Patterns = append(q.Patterns, pattern)
	}
	q.Since = p.time("since")
	return q, p.err
}
