package client

import (
	"context"
	"encoding/json"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/tasks/search"
)

// Runs returns a page of the selected runs.
func (c *Client) Runs(ctx context.Context, sel search.Selection, p api.Paging) ([]api.Run, api.PageInfo, error) {
	page, err := request[shape.RunList](ctx, c, http.MethodGet, "/v1/runs?"+selectionValues(sel, p).Encode(), body{})
	return page.Runs, page.PageInfo, err
}

// Run returns one run by its id, which may be shortened, or the newest run of a handler by its name (see [search.Newest]), with its last attempts. The
// error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Run(ctx context.Context, id string) (api.RunDetails, error) {
	if id == "summary" { // another route
		return api.RunDetails{}, notFound("run", id)
	}
	return request[api.RunDetails](ctx, c, http.MethodGet, "/v1/runs/"+segment(id), body{})
}

// RetryRun makes a dead, retrying or cancelled run due again now. The error is a *[api.Problem] with status 404 if it does not exist, and 409 if it is in
// another state.
func (c *Client) RetryRun(ctx context.Context, id string) (api.Run, error) {
	return request[api.Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/retry", body{})
}

// DropRun drops a dead run, or one that waits for a handler that is not wired. Errors are as in RetryRun; a run that was
// dropped before is not an error.
func (c *Client) DropRun(ctx context.Context, id string) (api.Run, error) {
	return request[api.Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/drop", body{})
}

// RunSummary counts the selected runs. each gets the counts so far, now and then, and last with Done. The error can be [ErrBroke], and that of each.
func (c *Client) RunSummary(ctx context.Context, sel search.Selection, limit int, each func(shape.RunSummary) error) error {
	res, err := c.do(ctx, http.MethodGet, "/v1/runs/summary?"+selectionValues(sel, api.Paging{Limit: limit}).Encode(), body{})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var line shape.RunSummary
		if err := dec.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return ErrBroke
		}
		if err := each(line); err != nil || line.Done {
			return err
		}
	}
}
