package client

import (
	"context"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
)

// Status asks for the daemon's status.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return request[api.Status](ctx, c, http.MethodGet, "/v1/status", body{})
}

// Doctor has the daemon look for what is wrong, or soon will be.
func (c *Client) Doctor(ctx context.Context) ([]shape.CheckResult, error) {
	list, err := request[shape.CheckResults](ctx, c, http.MethodGet, "/v1/doctor", body{})
	return list.Findings, err
}
