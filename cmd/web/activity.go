package web

import (
	"errors"
	"net/http"
	"time"

	"evrun/cmd/activity"
	"evrun/cmd/api"
)

// span is how far back the plots of a page go.
type span struct {
	Name   string
	Title  string
	Length time.Duration
	Step   time.Duration
}

// spans are those that somebody can choose, the first unless another one is given.
var spans = []span{
	{"5m", "5 minutes", 5 * time.Minute, time.Second},
	{"15m", "15 minutes", 15 * time.Minute, 5 * time.Second},
	{"3h", "3 hours", 3 * time.Hour, time.Minute},
	{"1d", "day", 24 * time.Hour, 5 * time.Minute},
}

// handlerSpans are those of one handler, of which less is kept.
var handlerSpans = []span{
	{"15m", "15 minutes", 15 * time.Minute, 5 * time.Second},
	{"3h", "3 hours", 3 * time.Hour, 5 * time.Minute},
	{"1d", "day", 24 * time.Hour, 5 * time.Minute},
}

// plots say which plots a page has: a script draws them.
type plots struct {
	Handler string
	Span    span
	Spans   []span
}

func plotsOf(q *request, handler string, all []span) plots {
	p := plots{Handler: handler, Span: all[0], Spans: all}
	for _, s := range all {
		if s.Name == q.query.Get("span") {
			p.Span = s
		}
	}
	return p
}

// Seconds is the length of the span.
func (p plots) Seconds() int { return int(p.Span.Length / time.Second) }

// Step is how long a step of the plots is, in seconds.
func (p plots) Step() int { return int(p.Span.Step / time.Second) }

// figures are the numbers of the last minute.
type figures struct {
	Accepted, Ended, Failed int64
	Waiting                 *int64
	Oldest                  *float64 // milliseconds
	P50, P95                *float64 // milliseconds, in the last whole minute with attempts
}

// figuresOf asks for the numbers of a handler, or of all.
func figuresOf(q *request, handler string) (f figures, err error) {
	minute := activity.Query{Since: q.now.Add(-time.Minute), Handler: handler}
	a, err := q.api.Activity(q.Context(), minute)
	if err != nil {
		return f, withoutDaemon(err)
	}
	for i := range a.Ended {
		if a.Accepted != nil {
			f.Accepted += a.Accepted[i]
		}
		f.Ended += a.Ended[i]
		f.Failed += a.Failed[i]
		if f.Waiting, f.Oldest = a.Waiting[i], nil; a.Oldest[i] != nil {
			ms := *a.Oldest[i] * 1000
			f.Oldest = &ms
		}
	}
	step := time.Minute
	if handler != "" {
		step = 5 * time.Minute
	}
	a, err = q.api.Activity(q.Context(), activity.Query{Step: step, Handler: handler})
	if err != nil {
		return f, err
	}
	for i := len(a.Ended) - 1; i >= 0 && f.P95 == nil; i-- {
		f.P50, f.P95 = a.Attempts.P50[i], a.Attempts.P95[i]
	}
	return f, nil
}

// lately is what happened in the last 15 minutes, in steps of 30 seconds, with each handler. A daemon without an activity has none.
func lately(q *request) (a api.Activity, err error) {
	a, err = q.api.Activity(q.Context(), activity.Query{Handlers: true, Step: sparkStep})
	return a, withoutDaemon(err)
}

// sparkStep is how long a bar of a sparkline is, and sparkBars how many there are.
const (
	sparkStep = 30 * time.Second
	sparkBars = 30
)

// withoutDaemon is nil for the error of a server without a daemon.
func withoutDaemon(err error) error {
	if p := (*api.Problem)(nil); errors.As(err, &p) && p.Status == http.StatusNotImplemented {
		return nil
	}
	return err
}
