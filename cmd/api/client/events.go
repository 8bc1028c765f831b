package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/tasks/search"
)

// Events returns a page of the selected events.
func (c *Client) Events(ctx context.Context, sel search.Selection, p api.Paging) ([]*events.Event, api.PageInfo, error) {
	lines, info, err := c.EventLines(ctx, sel, p)
	if err != nil {
		return nil, info, err
	}
	page := make([]*events.Event, len(lines))
	for i, line := range lines {
		page[i] = new(events.Event)
		if err := page[i].UnmarshalJSON(line); err != nil {
			return nil, info, fmt.Errorf("the daemon's answer: %w", err)
		}
	}
	return page, info, nil
}

// EventLines is Events without decoding: the JSON text of each event, on one line.
func (c *Client) EventLines(ctx context.Context, sel search.Selection, p api.Paging) (lines []json.RawMessage, info api.PageInfo, err error) {
	if sel.Handler != "" || len(sel.Labels)+len(sel.States) > 0 { // the route has no parameters for these: they select runs
		return nil, info, sel.CheckEvents()
	}
	res, err := c.do(ctx, http.MethodGet, "/v1/events?"+selectionValues(sel, p).Encode(), body{}, "Accept", ndjson.Type)
	if err != nil {
		return nil, info, err
	}
	defer res.Body.Close()
	if err := json.Unmarshal([]byte(res.Header.Get(api.PageHeader)), &info); err != nil {
		return nil, info, fmt.Errorf("the daemon's answer: %w", err)
	}
	var text bytes.Buffer
	if res.ContentLength > 0 {
		text.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	if _, err := text.ReadFrom(res.Body); err != nil {
		return nil, info, err
	}
	lines = make([]json.RawMessage, 0, max(p.Limit, 0))
	for line := range bytes.Lines(text.Bytes()) {
		if line = bytes.TrimSuffix(line, []byte("\n")); !ndjson.Blank(line) {
			lines = append(lines, json.RawMessage(line))
		}
	}
	return lines, info, nil
}

// Event returns an event by its seq or its id: see [search.Event]. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Event(ctx context.Context, name string) (*events.Event, error) {
	return request[*events.Event](ctx, c, http.MethodGet, "/v1/events/"+segment(name), body{})
}

// EventByID returns the event with this id: the latest, if several sources use it. Errors are as in Event.
func (c *Client) EventByID(ctx context.Context, id string) (*events.Event, error) {
	return request[*events.Event](ctx, c, http.MethodGet, "/v1/events/"+segment(id)+"?exact=true", body{})
}
