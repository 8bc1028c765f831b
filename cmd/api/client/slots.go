package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"evrun/cmd/api/shape"
	"evrun/tasks/schedule/timeline"
)

// SlotsQuery selects slots of schedules. The zero values are the defaults of the API.
type SlotsQuery struct {
	Schedules    []string // by their names; none: all
	Labels       []string
	Since, Until time.Time
	Newest       bool // the last slots of the time first
	Fold         int
	Limit        int
}

// Slots returns a page of the slots of schedules.
func (c *Client) Slots(ctx context.Context, q SlotsQuery) (timeline.SlotList, error) {
	v := url.Values{"schedule": q.Schedules, "label": q.Labels}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			v.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	if q.Newest {
		v.Set("order", "newest")
	}
	for name, n := range map[string]int{"fold": q.Fold, "limit": q.Limit} {
		if n > 0 {
			v.Set(name, strconv.Itoa(n))
		}
	}
	return request[timeline.SlotList](ctx, c, http.MethodGet, "/v1/slots?"+v.Encode(), body{})
}

// SlotDays counts the slots of schedules by days: those from a date such as 2026-11-23 on; empty: from 26 weeks ago. rare leaves out schedules with more
// than 12 slots a day.
func (c *Client) SlotDays(ctx context.Context, schedules, labels []string, from string, rare bool) (timeline.SlotDays, error) {
	v := url.Values{"schedule": schedules, "label": labels}
	if rare {
		v.Set("rare", "true")
	}
	if from != "" {
		v.Set("from", from)
	}
	return request[timeline.SlotDays](ctx, c, http.MethodGet, "/v1/slots/days?"+v.Encode(), body{})
}

// SchedulesWithLast returns the schedules, with what came of the last slot of each.
func (c *Client) SchedulesWithLast(ctx context.Context, labels []string) (shape.ScheduleList, error) {
	v := url.Values{"last": {"true"}, "label": labels}
	return request[shape.ScheduleList](ctx, c, http.MethodGet, "/v1/schedules?"+v.Encode(), body{})
}
