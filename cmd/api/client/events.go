package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/store"
)

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
	res, err := c.do(ctx, http.MethodGet, "/v1/events?"+eventParameters(q).Encode(), body{}, "Accept", ndjson.Type)
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
		if line = bytes.TrimSuffix(line, []byte("\n")); !ndjson.Blank(line) {
			lines = append(lines, json.RawMessage(line))
		}
	}
	return lines, nil
}

// Event returns the event with this id: the latest, if several sources use it. The error is a *[api.Problem] with status 404 if it does not
// exist.
func (c *Client) Event(ctx context.Context, id string) (*events.Event, error) {
	return request[*events.Event](ctx, c, http.MethodGet, "/v1/events/"+segment(id), body{})
}

// eventParameters is the inverse of what the server reads (eventQuery).
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
