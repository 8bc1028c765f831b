package client

import (
	"context"

	"evrun/cmd/api"
	"evrun/tasks/control"
)

// EditRun ends a dead, retrying or cancelled run, and publishes an event with changed data for its handler alone. A dry run only shows that event. The
// error is a *[api.Problem], with the violations if the data doesn't fit the schema of its type.
func (c *Client) EditRun(ctx context.Context, id string, edit control.Edit, dryRun bool) (api.EditedRun, error) {
	path := "/v1/runs/" + segment(id) + "/edit"
	if dryRun {
		path += "?dry_run=true"
	}
	return post[api.EditedRun](ctx, c, path, edit)
}
