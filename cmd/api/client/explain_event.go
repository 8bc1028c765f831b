package client

import (
	"context"
	"net/http"
	"strconv"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/events"
)

// Chain returns the chain that an event belongs to. The error is a *[api.Problem] with status 404 if the event does not exist.
func (c *Client) Chain(ctx context.Context, e *events.Event) (api.Chain, error) {
	return request[api.Chain](ctx, c, http.MethodGet, "/v1/events/%23"+strconv.FormatInt(e.Sequence, 10)+"/chain", body{})
}

// ExplainEvent returns what happened to a stored event, named by its seq or id, at each handler. The error is a *[api.Problem] with status 404 if it
// does not exist.
func (c *Client) ExplainEvent(ctx context.Context, name string) (shape.Accounts, error) {
	return request[shape.Accounts](ctx, c, http.MethodGet, "/v1/events/"+segment(name)+"/explain", body{})
}
