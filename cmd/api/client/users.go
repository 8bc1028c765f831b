package client

import (
	"context"
	"net/http"
	"net/url"

	"evrun/cmd/api"
)

// Users returns at most limit users (at most 1,000; 0: 100) with an id greater than after, in order of id.
func (c *Client) Users(ctx context.Context, after int64, limit int) ([]api.User, error) {
	v := url.Values{}
	setNumber(v, "after", after)
	setNumber(v, "limit", int64(limit))
	list, err := request[struct{ Users []api.User }](ctx, c, http.MethodGet, "/v1/users?"+v.Encode(), body{})
	return list.Users, err
}

// User returns the user with this e-mail address or id. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) User(ctx context.Context, key string) (api.User, error) {
	return request[api.User](ctx, c, http.MethodGet, "/v1/users/"+segment(key), body{})
}
