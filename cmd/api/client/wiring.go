package client

import (
	"context"
	"net/http"
	"strconv"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/tasks/search"
)

// Wiring returns the graph of the wiring.
func (c *Client) Wiring(ctx context.Context) (shape.Wiring, error) {
	return request[shape.Wiring](ctx, c, http.MethodGet, "/v1/wiring", body{})
}

// WiringFiles returns the files of the wiring that runs, or as they are on disk.
func (c *Client) WiringFiles(ctx context.Context, disk bool) (shape.WiringFiles, error) {
	path := "/v1/wiring/files"
	if disk {
		path += "?of=disk"
	}
	return request[shape.WiringFiles](ctx, c, http.MethodGet, path, body{})
}

// WhatIf compares files with those that run, on so many of the newest selected events; with limit 0, on 1,000. Of the selection, what selects runs alone is left
// out.
func (c *Client) WhatIf(ctx context.Context, files []shape.WiringFile, sel search.Selection, limit int) (shape.WhatIf, error) {
	sel.Handler, sel.States, sel.Labels = "", nil, nil
	v := selectionValues(sel, api.Paging{})
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return post[shape.WhatIf](ctx, c, "/v1/wiring/what-if?"+v.Encode(), shape.WhatIfRequest{Files: files})
}
