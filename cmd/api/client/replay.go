package client

import (
	"context"
	"encoding/json"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
)

// Replay runs single events by a handler again, or says in a dry run what it would do.
func (c *Client) Replay(ctx context.Context, ask api.ReplayRequest) ([]api.Replayed, error) {
	list, err := post[shape.ReplayedList](ctx, c, "/v1/replay", ask)
	return list.Replayed, err
}

// ReplayWait replays one event and follows it, as [Client.EmitWait] does.
func (c *Client) ReplayWait(ctx context.Context, ask api.ReplayRequest, wait time.Duration, accepted func(api.Receipt) error,
	each func(kind string, body json.RawMessage) error) (api.End, error) {
	send, err := jsonBody(ask)
	if err != nil {
		return api.End{}, err
	}
	return c.follow(ctx, "/v1/replay", send, wait, accepted, each)
}
