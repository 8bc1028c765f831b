package client

import (
	"context"
	"net/http"

	"evrun/events"
	"evrun/tasks/explain"
)

// Explain asks what the wiring would do about an event.
func (c *Client) Explain(ctx context.Context, e *events.Event) (explain.Report, error) {
	send, err := eventBody(e)
	if err != nil {
		return explain.Report{}, err
	}
	return request[explain.Report](ctx, c, http.MethodPost, "/v1/explain", send)
}
