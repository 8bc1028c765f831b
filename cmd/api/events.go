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
	"evrun/tasks/search"
)

// eventsQuery selects a page of events.
type eventsQuery struct {
	selecting
	paging
}

// eventName says how the name of an event in the path is meant.
type eventName struct {
	Exact  bool   `key:"exact" doc:"The name is an id, also if it looks like a seq."`
	Source string `key:"source" doc:"The name is the id of an event of this source."`
}

// listEvents answers with a page of the journal, newest first unless the parameters say otherwise: a JSON object or, if Accept names it, NDJSON or a
// batch of CloudEvents, with the page's info in a header.
func (s *Server) listEvents(w http.ResponseWriter, r *http.Request, asked eventsQuery) error {
	sel := asked.selection()
	q, err := sel.Events(r.Context(), s.o.Store)
	if err != nil {
		return err
	}
	asked.page(&q)
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
func (s *Server) getEvent(w http.ResponseWriter, r *http.Request, q eventName) error {
	e, err := s.findEvent(r.Context(), r.PathValue("id"), q.Source, q.Exact)
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
