package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"evrun/cmd/activity"
	"evrun/cmd/api"
)

// Activity asks what happened in the daemon lately.
func (c *Client) Activity(ctx context.Context, q activity.Query) (api.Activity, error) {
	v := url.Values{}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Step > 0 {
		v.Set("step", q.Step.Round(time.Second).String())
	}
	set(v, "handler", q.Handler)
	if q.Handlers {
		v.Set("handlers", "true")
	}
	return request[api.Activity](ctx, c, http.MethodGet, "/v1/activity?"+v.Encode(), body{})
}
