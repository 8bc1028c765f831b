package client

import (
	"context"
	"net/http"

	"evrun/cmd/api"
)

// Status asks for the daemon's status.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return request[api.Status](ctx, c, http.MethodGet, "/v1/status", body{})
}
