package client

import (
	"context"
	"net/http"
	"net/url"

	"evrun/cmd/api"
	"evrun/store"
)

// Runs returns a page of runs, newest event first, by the query's Handler, States, Sequence, AfterID and Limit (at most 1,000; 0: 100).
func (c *Client) Runs(ctx context.Context, q store.RunQuery) ([]api.Run, error) {
	v := selectionQuery(q)
	set(v, "after", q.AfterID)
	setNumber(v, "limit", int64(q.Limit))
	list, err := request[struct{ Runs []api.Run }](ctx, c, http.MethodGet, "/v1/runs?"+v.Encode(), body{})
	return list.Runs, err
}

// Run returns one run, with its failed attempts. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Run(ctx context.Context, id string) (api.RunDetails, error) {
	return request[api.RunDetails](ctx, c, http.MethodGet, "/v1/runs/"+segment(id), body{})
}

// RetryRun makes a dead run due again now. The error is a *[api.Problem] with status 404 if it does not exist, and 409 if it isn't dead.
func (c *Client) RetryRun(ctx context.Context, id string) (api.Run, error) {
	return request[api.Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/retry", body{})
}

// DropRun drops a dead run, or one that waits for a handler that is not wired. Errors are as in RetryRun; a run that was
// dropped before is not an error.
func (c *Client) DropRun(ctx context.Context, id string) error {
	return c.tell(ctx, http.MethodDelete, "/v1/runs/"+segment(id))
}

// RetryRuns makes the dead runs of a handler, of an event, or all, due again now, and returns how many.
func (c *Client) RetryRuns(ctx context.Context, q store.RunQuery) (int, error) {
	return c.changeRuns(ctx, http.MethodPost, "/v1/runs/retry", q)
}

// DropRuns drops the dead runs of a handler, of an event, or all, and returns how many; or those in the states of the query.
func (c *Client) DropRuns(ctx context.Context, q store.RunQuery) (int, error) {
	return c.changeRuns(ctx, http.MethodDelete, "/v1/runs", q)
}

func (c *Client) changeRuns(ctx context.Context, method, path string, q store.RunQuery) (n int, err error) {
	v := selectionQuery(q)
	if q.Handler == "" && q.Sequence == 0 {
		v.Set("all", "true")
	}
	changed, err := request[api.Changed](ctx, c, method, path+"?"+v.Encode(), body{})
	for _, count := range []*int{changed.Retried, changed.Dropped} {
		if count != nil {
			n = *count
		}
	}
	return n, err
}

func selectionQuery(q store.RunQuery) url.Values {
	v := url.Values{}
	set(v, "handler", q.Handler)
	setNumber(v, "seq", q.Sequence)
	for _, state := range q.States {
		v.Add("state", state.String())
	}
	return v
}
