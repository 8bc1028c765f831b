package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"evrun/cmd/api"
	"evrun/events"
)

// Replay runs single events by a handler again, or says in a dry run what it would do.
func (c *Client) Replay(ctx context.Context, ask api.ReplayRequest) ([]api.Replayed, error) {
	text, err := events.MarshalJSON(ask)
	if err != nil {
		return nil, err
	}
	list, err := request[struct{ Replayed []api.Replayed }](ctx, c, http.MethodPost, "/v1/replay", body{"application/json", bytes.NewReader(text)})
	return list.Replayed, err
}

// ReplayWait replays one event and follows it, as [Client.EmitWait] does.
func (c *Client) ReplayWait(ctx context.Context, ask api.ReplayRequest, wait time.Duration, accepted func(api.Receipt) error,
	each func(kind string, body json.RawMessage) error) (api.End, error) {
	text, err := events.MarshalJSON(ask)
	if err != nil {
		return api.End{}, err
	}
	return c.follow(ctx, "/v1/replay", body{"application/json", bytes.NewReader(text)}, wait, accepted, each)
}
