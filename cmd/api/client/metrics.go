package client

import (
	"context"
	"io"
	"net/http"
)

// Metrics asks the daemon for its metrics, in Prometheus' text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	res, err := c.do(ctx, http.MethodGet, "/metrics", body{}, "Accept", "text/plain; version=0.0.4")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}
