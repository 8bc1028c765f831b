package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"evrun/cmd/api"
)

// CancelRun cancels a run, for a reason in the operator's words, which may be empty, and waits so long for the end of its attempt: if that still runs
// then, the run's state is running. The error is a *[api.Problem] with status 404 if the run does not exist, and 409 if it is over.
func (c *Client) CancelRun(ctx context.Context, id, reason string, wait time.Duration) (api.Run, error) {
	v := url.Values{}
	set(v, "reason", reason)
	if wait > 0 {
		v.Set("wait", wait.String())
	}
	return request[api.Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/cancel?"+v.Encode(), body{})
}
