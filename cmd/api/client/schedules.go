package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
)

// Schedules returns the schedules, each with its next n slots.
func (c *Client) Schedules(ctx context.Context, n int) ([]api.Schedule, error) {
	list, err := request[shape.ScheduleList](ctx, c, http.MethodGet, "/v1/schedules?next="+strconv.Itoa(n), body{})
	return list.Schedules, err
}

// Schedule returns one schedule with its next n slots. The error is a *[api.Problem] with status 404 if it does not exist.
func (c *Client) Schedule(ctx context.Context, name string, n int) (api.Schedule, error) {
	return request[api.Schedule](ctx, c, http.MethodGet, "/v1/schedules/"+segment(name)+"?next="+strconv.Itoa(n), body{})
}

// SetPaused pauses or resumes a schedule.
func (c *Client) SetPaused(ctx context.Context, name string, paused bool) (api.Paused, error) {
	action := "/resume"
	if paused {
		action = "/pause"
	}
	return request[api.Paused](ctx, c, http.MethodPost, "/v1/schedules/"+segment(name)+action, body{})
}

// Fire publishes an extra event of a schedule.
func (c *Client) Fire(ctx context.Context, name string) (api.Receipt, error) {
	return request[api.Receipt](ctx, c, http.MethodPost, "/v1/schedules/"+segment(name)+"/fire", body{})
}

// FireWait publishes an extra event of a schedule and follows it, as [Client.EmitWait] does.
func (c *Client) FireWait(ctx context.Context, name string, wait time.Duration, accepted func(api.Receipt) error,
	each func(kind string, body json.RawMessage) error) (api.End, error) {
	return c.follow(ctx, "/v1/schedules/"+segment(name)+"/fire", body{}, wait, accepted, each)
}
