package client

import (
	"context"
	"net/http"

	"evrun/cmd/api"
)

// Reload has the daemon read its wiring file again. The error for a wrong file is a *[api.Problem] with status 422 and the faults.
func (c *Client) Reload(ctx context.Context) (api.Reloaded, error) {
	return request[api.Reloaded](ctx, c, http.MethodPost, "/v1/reload", body{})
}
