package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

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
	if r.Header.Get("Accept") == lineType {
		before, between, after, contentType = "", "\n", "\n", lineType
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

// Events returns a page of the journal, by the query's After, Before, Since, Patterns, Chain, Last and Limit (at most 1,000; 0: 100).
// A page with much data ends before its limit: only an empty page is the end.
func (c *Client) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	lines, err := c.EventLines(ctx, q)
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	page := make([]*events.Event, len(lines))
	for i, line := range lines {
		page[i] = new(events.Event)
		if err := page[i].UnmarshalJSON(line); err != nil {
			return nil, fmt.Errorf("the daemon's answer: %w", err)
		}
	}
	return page, nil
}

// EventLines is Events without decoding: the JSON text of each event, on one line.
func (c *Client) EventLines(ctx context.Context, q store.EventQuery) ([]json.RawMessage, error) {
	res, err := c.do(ctx, http.MethodGet, "/v1/events?"+eventParameters(q).Encode(), body{}, "Accept", lineType)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if res.ContentLength > 0 {
		text.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	if _, err := text.ReadFrom(res.Body); err != nil {
		return nil, err
	}
	lines := make([]json.RawMessage, 0, max(q.Limit, 0))
	for line := range bytes.Lines(text.Bytes()) {
		if line = bytes.TrimSuffix(line, []byte("\n")); !blank(line) {
			lines = append(lines, json.RawMessage(line))
		}
	}
	return lines, nil
}

// Event returns the event with this id: the latest, if several sources use it. The error is a *[Problem] with status 404 if it does not
// exist.
func (c *Client) Event(ctx context.Context, id string) (*events.Event, error) {
	return request[*events.Event](ctx, c, http.MethodGet, "/v1/events/"+segment(id), body{})
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
