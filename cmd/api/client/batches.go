package client

import (
	"context"
	"encoding/json"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
)

// PreviewBatch looks at what an action would do.
func (c *Client) PreviewBatch(ctx context.Context, r api.BatchRequest) (api.BatchPreview, error) {
	r.DryRun = true
	return post[api.BatchPreview](ctx, c, "/v1/batches", r)
}

// RunBatch does an action on a selection, or what is left of a batch, and returns it as it was last seen: without an ID, there was nothing to do, or it
// has not begun. progress is called now and then, and first when the batch has begun. The error is a *[api.Problem] with status 409 and the new
// preview if the selection has changed; [ErrBroke] if the connection broke, and ctx's error: then the batch stops, if it had begun and is not detached.
func (c *Client) RunBatch(ctx context.Context, r api.BatchRequest, progress func(api.Batch)) (last api.Batch, err error) {
	send, err := jsonBody(r)
	if err != nil {
		return last, err
	}
	res, err := c.do(ctx, http.MethodPost, "/v1/batches", send)
	if err != nil {
		return last, err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var line api.Batch
		if err := dec.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return last, ctx.Err()
			}
			return last, ErrBroke
		}
		switch last = line; {
		case line.Problem != nil && ctx.Err() != nil:
			return last, ctx.Err()
		case line.Problem != nil:
			return last, line.Problem
		case line.State == api.BatchEnded:
			return last, nil
		}
		progress(line)
	}
}

// Batch returns one batch. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Batch(ctx context.Context, id string) (api.Batch, error) {
	return request[api.Batch](ctx, c, http.MethodGet, "/v1/batches/"+segment(id), body{})
}

// Batches returns the batches that are stored, the latest first.
func (c *Client) Batches(ctx context.Context) ([]api.Batch, error) {
	list, err := request[shape.BatchList](ctx, c, http.MethodGet, "/v1/batches", body{})
	return list.Batches, err
}

// StopBatch stops a batch that runs, between two pages, a little later. One that does not run stays as it is.
func (c *Client) StopBatch(ctx context.Context, id string) (api.Batch, error) {
	return request[api.Batch](ctx, c, http.MethodPost, "/v1/batches/"+segment(id)+"/stop", body{})
}
