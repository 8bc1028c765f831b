package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"evrun/cmd/api/shape"
)

// Types returns a page of the types of events; after is the Next of the page before, or empty. With limit 0 it has 100.
func (c *Client) Types(ctx context.Context, after string, limit int) (shape.TypeList, error) {
	v := url.Values{}
	set(v, "after", after)
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return request[shape.TypeList](ctx, c, http.MethodGet, "/v1/types?"+v.Encode(), body{})
}

// Type returns one type of event. The error is a *[api.Problem] with status 404 if nothing knows it.
func (c *Client) Type(ctx context.Context, name string) (shape.EventType, error) {
	return request[shape.EventType](ctx, c, http.MethodGet, "/v1/types/"+segment(name), body{})
}
