package client

import (
	"context"
	"net/http"
	"net/url"

	"evrun/cmd/api"
)

// Prune prunes the store by the settings, or with dryRun says what would go. now does not wait until an old store was announced for a day.
func (c *Client) Prune(ctx context.Context, dryRun, now bool) (api.Pruned, error) {
	v := url.Values{}
	if dryRun {
		v.Set("dry_run", "true")
	}
	if now {
		v.Set("now", "true")
	}
	return request[api.Pruned](ctx, c, http.MethodPost, "/v1/prune?"+v.Encode(), body{})
}
