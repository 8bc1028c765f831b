package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/search"
)

// ErrBroke: the daemon's answer is not complete. An event that was acknowledged stays accepted.
var ErrBroke = errors.New("the daemon stopped before everything was done")

// EmitWait publishes one event and follows the runs and events that it causes, for at most wait. accepted is called with the receipt,
// each with every event and run, as JSON. After the receipt, the error can be [ErrBroke].
func (c *Client) EmitWait(ctx context.Context, e *events.Event, wait time.Duration, accepted func(api.Receipt) error,
	each func(kind string, body json.RawMessage) error) (api.End, error) {
	send, err := eventBody(e)
	if err != nil {
		return api.End{}, err
	}
	return c.follow(ctx, "/v1/events", send, wait, accepted, each)
}

// follow sends a request that publishes one event, and follows the event.
func (c *Client) follow(ctx context.Context, path string, send body, wait time.Duration, accepted func(api.Receipt) error,
	each func(kind string, body json.RawMessage) error) (end api.End, err error) {
	res, err := c.do(ctx, http.MethodPost, path+"?matches=true&wait="+url.QueryEscape(wait.String()), send)
	if err != nil {
		return end, err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var line map[string]json.RawMessage
		if err := dec.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return end, ctx.Err()
			}
			return end, ErrBroke
		}
		for kind, body := range line {
			switch kind {
			case "receipt":
				var rc api.Receipt
				if err := events.DecodeJSON(body, &rc); err != nil {
					return end, err
				}
				if err := accepted(rc); err != nil || rc.Duplicate {
					return api.End{Matched: true}, err
				}
			case "end":
				return end, events.DecodeJSON(body, &end)
			default:
				if err := each(kind, body); err != nil {
					return end, err
				}
			}
		}
	}
}

// StreamQuery selects what is streamed, as a list does, and where the stream begins: after a sequence if Resume, else by Last and the selection's Since.
type StreamQuery struct {
	search.Selection
	Runs   bool // changed runs too, where nothing in the selection is about runs alone
	Resume bool
	After  int64
	Last   int // begin with the last so many events
}

// Stream follows the daemon's events, and runs, until the connection ends. ready is called once the daemon has answered. each gets a
// kind and JSON: "event", "run", "gap", "failed", or "head", which comes first and has the seq after which the stream can be resumed.
func (c *Client) Stream(ctx context.Context, q StreamQuery, ready func() error, each func(kind string, body []byte) error) error {
	if q.Event != "" || !q.Until.IsZero() {
		return &search.SelectionError{Name: "event, until", Err: errors.New("a stream goes on; a list has one event, and events before a time")}
	}
	since := q.Since
	q.Since = time.Time{}
	v := selectionValues(q.Selection, api.Paging{})
	var header []string
	if q.Runs {
		v.Set("runs", "true")
	}
	switch {
	case q.Resume:
		header = []string{"Last-Event-ID", strconv.FormatInt(q.After, 10)}
	case !since.IsZero():
		v.Set("since", since.UTC().Format(time.RFC3339Nano))
	case q.Last > 0:
		v.Set("last", "1")
		v.Set("limit", strconv.Itoa(q.Last))
	}
	res, err := c.do(ctx, http.MethodGet, "/v1/stream?"+v.Encode(), body{}, header...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := ready(); err != nil {
		return err
	}
	in := bufio.NewReaderSize(res.Body, 64<<10)
	kind := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w (%w)", ErrBroke, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = name
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := each(kind, []byte(data)); err != nil {
				return err
			}
		}
	}
}
