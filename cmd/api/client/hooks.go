package client

import (
	"context"
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/cmd/hook"
)

// Hooks returns the hooks, with what happened to them since the daemon began.
func (c *Client) Hooks(ctx context.Context) ([]hook.Traffic, error) {
	list, err := request[shape.HookList](ctx, c, http.MethodGet, "/v1/hooks", body{})
	return list.Hooks, err
}

// Hook returns one hook with its last rejections. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Hook(ctx context.Context, name string) (hook.Traffic, error) {
	return request[hook.Traffic](ctx, c, http.MethodGet, "/v1/hooks/"+segment(name), body{})
}
