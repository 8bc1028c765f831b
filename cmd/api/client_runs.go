package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"evrun/store"
)

// RetryRun makes a dead run due again now. A *[Problem] says that there is none (404), or that it isn't dead (409).
func (c *Client) RetryRun(ctx context.Context, id string) (run Run, err error) {
	return run, c.call(ctx, http.MethodPost, "/v1/runs/"+url.PathEscape(id)+"/retry", &run)
}

// DropRun drops a dead run, or one that waits for a handler that is not wired. Errors are as in RetryRun; a run that is dropped
// already is none.
func (c *Client) DropRun(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/v1/runs/"+url.PathEscape(id), nil)
}

// RetryRuns makes the dead runs of a handler, of an event, or all, due again now, and returns how many.
func (c *Client) RetryRuns(ctx context.Context, q store.RunQuery) (int, error) {
	var changed Changed
	if err := c.call(ctx, http.MethodPost, "/v1/runs/retry?"+selectionQuery(q), &changed); err != nil || changed.Retried == nil {
		return 0, err
	}
	return *changed.Retried, nil
}

// DropRuns drops the dead runs of a handler, of an event, or all, and returns how many; or those in the states of the query.
func (c *Client) DropRuns(ctx context.Context, q store.RunQuery) (int, error) {
	var changed Changed
	if err := c.call(ctx, http.MethodDelete, "/v1/runs?"+selectionQuery(q), &changed); err != nil || changed.Dropped == nil {
		return 0, err
	}
	return *changed.Dropped, nil
}

func selectionQuery(q store.RunQuery) string {
	v := url.Values{}
	if q.Handler != "" {
		v.Set("handler", q.Handler)
	}
	if q.Sequence != 0 {
		v.Set("seq", strconv.FormatInt(q.Sequence, 10))
	}
	if len(v) == 0 {
		v.Set("all", "true")
	}
	for _, state := range q.States {
		v.Add("state", state.String())
	}
	return v.Encode()
}

// call sends a request without a body, and reads the answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, out any) error {
	res, err := c.do(ctx, method, path, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}
