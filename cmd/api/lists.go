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

	"evrun/events"
	"evrun/store"
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

// list is an answer with a list under a name.
func list[T any](name string, items []T) map[string]any {
	if items == nil {
		items = []T{}
	}
	return map[string]any{name: items}
}

// shaped converts each item of a list.
func shaped[T, Shape any](list []T, of func(T) Shape) []Shape {
	out := make([]Shape, len(list))
	for i, item := range list {
		out[i] = of(item)
	}
	return out
}

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

func (s *Server) listUsers(r *http.Request) (any, error) {
	p := parametersOf(r)
	after, limit := p.number("after"), p.limit()
	if p.err != nil {
		return nil, p.err
	}
	users, err := s.o.Store.ListUsers(r.Context(), after, limit)
	return list("users", shaped(users, UserOf)), err
}

func (s *Server) getUser(r *http.Request) (any, error) {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	return UserOf(u), err
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

// Users returns at most limit users (at most 1,000; 0: 100) with an id greater than after, in order of id.
func (c *Client) Users(ctx context.Context, after int64, limit int) ([]User, error) {
	v := url.Values{}
	setNumber(v, "after", after)
	setNumber(v, "limit", int64(limit))
	list, err := request[struct{ Users []User }](ctx, c, http.MethodGet, "/v1/users?"+v.Encode(), body{})
	return list.Users, err
}

// User returns the user with this e-mail address or id. The error is a *[Problem] with status 404 if it does not exist.
func (c *Client) User(ctx context.Context, key string) (User, error) {
	return request[User](ctx, c, http.MethodGet, "/v1/users/"+segment(key), body{})
}
