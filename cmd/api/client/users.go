package client

import (
	"context"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/tasks/search"
)

// Users returns a page of the users, in order of id.
func (c *Client) Users(ctx context.Context, p api.Paging) ([]api.User, api.PageInfo, error) {
	page, err := request[shape.UserList](ctx, c, http.MethodGet, "/v1/users?"+selectionValues(search.Selection{}, api.Paging{After: p.After, Limit: p.Limit}).Encode(), body{})
	return page.Users, page.PageInfo, err
}

// SearchUsers returns a page of the users whose name or e-mail address has each word of a text.
func (c *Client) SearchUsers(ctx context.Context, text string, p api.Paging) ([]api.User, api.PageInfo, error) {
	v := selectionValues(search.Selection{}, api.Paging{After: p.After, Limit: p.Limit})
	set(v, "search", text)
	page, err := request[shape.UserList](ctx, c, http.MethodGet, "/v1/users?"+v.Encode(), body{})
	return page.Users, page.PageInfo, err
}

// User returns the user with this e-mail address or id. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) User(ctx context.Context, key string) (api.User, error) {
	if key == "export" { // another route
		return api.User{}, notFound("user", key)
	}
	return request[api.User](ctx, c, http.MethodGet, "/v1/users/"+segment(key), body{})
}
