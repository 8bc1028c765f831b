package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"

	"evrun/events"
	"evrun/store"
)

// listEvents answers with a page of the journal: a JSON object, or NDJSON where that is accepted.
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
	text := []byte(before)
	for i, e := range evs {
		if i > 0 {
			text = append(text, between...)
		}
		if text, err = e.AppendJSON(text); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", contentType)
	_, err = w.Write(append(text, after...))
	return err
}

func writeList[T any](w http.ResponseWriter, name string, items []T) error {
	if items == nil {
		items = []T{}
	}
	return writeJSON(w, http.StatusOK, map[string]any{name: items})
}

// getEvent answers with the event that has an id, of ?source=, or else of the source that used the id last.
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

func (s *Server) listUsers(w http.ResponseWriter, r *http.Request) error {
	v := values{r.URL.Query()}
	after, err := v.number("after")
	if err != nil {
		return err
	}
	limit, err := v.limit()
	if err != nil {
		return err
	}
	users, err := s.o.Store.ListUsers(r.Context(), after, limit)
	if err != nil {
		return err
	}
	shaped := make([]User, len(users))
	for i, u := range users {
		shaped[i] = UserOf(u)
	}
	return writeList(w, "users", shaped)
}

func (s *Server) getUser(w http.ResponseWriter, r *http.Request) error {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, UserOf(u))
}

// Events lists a page of the journal: by the query's After, Before, Since, Patterns, Chain, Last and Limit (1,000 at most; 0: 100).
// One with much data ends before its limit; only the end is empty.
func (c *Client) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	res, err := c.do(ctx, http.MethodGet, "/v1/events?"+eventParameters(q).Encode(), body{}, "Accept", lineType)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var list []*events.Event
	for lines := newLineReader(res.Body, math.MaxInt); ; {
		text, _, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		case blank(text):
			continue
		}
		e := new(events.Event)
		if err := e.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("the daemon's answer: %w", err)
		}
		list = append(list, e)
	}
}

// Event gives the event with this id: the latest, should several sources use it. A *[Problem] says that there is none (404).
func (c *Client) Event(ctx context.Context, id string) (*events.Event, error) {
	return request[*events.Event](ctx, c, http.MethodGet, "/v1/events/"+segment(id), body{})
}

// Users lists users with an id greater than after, in order of id: at most limit (1,000; 0: 100).
func (c *Client) Users(ctx context.Context, after int64, limit int) ([]User, error) {
	v := url.Values{}
	setNumber(v, "after", after)
	setNumber(v, "limit", int64(limit))
	list, err := request[struct{ Users []User }](ctx, c, http.MethodGet, "/v1/users?"+v.Encode(), body{})
	return list.Users, err
}

// User gives the user with an e-mail address or id. A *[Problem] says that there is none (404).
func (c *Client) User(ctx context.Context, key string) (User, error) {
	return request[User](ctx, c, http.MethodGet, "/v1/users/"+segment(key), body{})
}
