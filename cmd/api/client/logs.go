package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"evrun/cmd/api"
)

// LogQuery selects what is read of a run's log.
type LogQuery struct {
	Attempt string // a number, or "all"; empty: the last one
	Follow  bool   // go on until the run has ended
}

// Logs reads the log of a run. each gets its lines; the last one has the run. The error can be [ErrBroke].
func (c *Client) Logs(ctx context.Context, id string, q LogQuery, each func(api.LogLine) error) error {
	v := url.Values{}
	set(v, "attempt", q.Attempt)
	if q.Follow {
		v.Set("follow", "1")
	}
	res, err := c.do(ctx, http.MethodGet, "/v1/runs/"+segment(id)+"/logs?"+v.Encode(), body{})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var line api.LogLine
		if err := dec.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return ErrBroke
		}
		if err := each(line); err != nil || line.Run != nil {
			return err
		}
	}
}
