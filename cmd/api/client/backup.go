package client

import (
	"context"
	"encoding/json"
	"net/http"

	"evrun/cmd/api"
)

// Backup has the daemon copy its store to a file, and returns the sequence of the last event in the copy. report is called now and then. The error is
// [ErrBroke] when the daemon ends meanwhile.
func (c *Client) Backup(ctx context.Context, ask api.BackupRequest, report func(done, all int64)) (sequence int64, err error) {
	send, err := jsonBody(ask)
	if err != nil {
		return 0, err
	}
	res, err := c.do(ctx, http.MethodPost, "/v1/backup", send)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var step api.BackupStep
		if err := dec.Decode(&step); err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return 0, ErrBroke
		}
		switch {
		case step.Problem != nil:
			return 0, step.Problem
		case step.Complete:
			return step.Sequence, nil
		}
		report(step.Done, step.All)
	}
}
