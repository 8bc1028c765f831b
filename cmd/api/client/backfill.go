package client

import (
	"bytes"
	"context"
	"net/http"

	"evrun/cmd/api"
	"evrun/events"
)

// Backfill publishes a page of a schedule's past slots, or counts them in a dry run. It is not yet complete if the answer has an After: ask again with
// that, and with its Recorded.
func (c *Client) Backfill(ctx context.Context, name string, ask api.Backfill) (api.Backfilled, error) {
	text, err := events.MarshalJSON(ask)
	if err != nil {
		return api.Backfilled{}, err
	}
	return request[api.Backfilled](ctx, c, http.MethodPost, "/v1/schedules/"+segment(name)+"/backfill", body{"application/json", bytes.NewReader(text)})
}
