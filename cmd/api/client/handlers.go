package client

import (
	"context"
	"net/http"
	"net/url"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/tasks/control"
)

// Handlers lists the wired handlers, and those that have left.
func (c *Client) Handlers(ctx context.Context) ([]control.HandlerStatus, error) {
	list, err := request[shape.HandlerList](ctx, c, http.MethodGet, "/v1/handlers", body{})
	return list.Handlers, err
}

// Handler returns one handler. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Handler(ctx context.Context, name string) (control.HandlerStatus, error) {
	return request[control.HandlerStatus](ctx, c, http.MethodGet, "/v1/handlers/"+segment(name), body{})
}

// PauseHandler pauses a handler, for a reason in the operator's words, which may be empty.
func (c *Client) PauseHandler(ctx context.Context, name, reason string) (api.PausedHandler, error) {
	v := url.Values{}
	set(v, "reason", reason)
	return request[api.PausedHandler](ctx, c, http.MethodPost, "/v1/handlers/"+segment(name)+"/pause?"+v.Encode(), body{})
}

// ResumeHandler lets a paused handler go on; fromNow skips the events that wait for it.
func (c *Client) ResumeHandler(ctx context.Context, name string, fromNow bool) (api.Resumed, error) {
	path := "/v1/handlers/" + segment(name) + "/resume"
	if fromNow {
		path += "?from=now"
	}
	return request[api.Resumed](ctx, c, http.MethodPost, path, body{})
}

// ForgetHandler deletes the place in the journal of a handler that has left, and drops its runs.
func (c *Client) ForgetHandler(ctx context.Context, name string) (api.Forgotten, error) {
	return request[api.Forgotten](ctx, c, http.MethodPost, "/v1/handlers/"+segment(name)+"/forget", body{})
}
