package client

import (
	"context"
	"net/http"

	"evrun/cmd/api"
	"evrun/events"
)

// Accounts is what happened to a stored event at each handler.
type Accounts struct {
	Event    *events.Event `json:"event"`
	Matched  bool          `json:"matched"` // a handler matched it, whatever came of it
	Handlers []api.Account `json:"handlers"`
}

// ExplainEvent tells what happened to a stored event, named by its seq or id, at each handler. The error is a *[api.Problem] with status 404 if it
// does not exist.
func (c *Client) ExplainEvent(ctx context.Context, name string) (Accounts, error) {
	return request[Accounts](ctx, c, http.MethodGet, "/v1/events/"+segment(name)+"/explain", body{})
}
