package client

import (
	"context"

	"evrun/cmd/api"
)

// Backfill publishes a page of a schedule's past slots, or counts them in a dry run. It is not yet complete if the answer has an After: ask again with
// that, and with its Recorded.
func (c *Client) Backfill(ctx context.Context, name string, ask api.Backfill) (api.Backfilled, error) {
	return post[api.Backfilled](ctx, c, "/v1/schedules/"+segment(name)+"/backfill", ask)
}
