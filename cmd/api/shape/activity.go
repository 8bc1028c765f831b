package shape

import "time"

// Activity is what happened in a daemon, in steps of equal length: the lists have a value for each step, the first one for the step that begins at since.
// A step is in it once it is over.
type Activity struct {
	Since    time.Time          `json:"since"`              // when the first step begins; not before the daemon's start
	Step     int                `json:"step_seconds"`       // how long a step is
	Handler  string             `json:"handler,omitempty"`  // the handler that the lists are about; missing: all of them
	Accepted []int64            `json:"accepted,omitempty"` // accepted events; missing in the answer about one handler
	Ended    []int64            `json:"ended"`              // runs that ended
	Failed   []int64            `json:"failed"`             // attempts that failed
	Dead     []int64            `json:"dead"`               // runs that became dead
	Waiting  []*int64           `json:"waiting"`            // events that wait for a handler, at the end of the step; null: not known
	Oldest   []*float64         `json:"oldest_seconds"`     // how long the oldest of these had waited, paused handlers left out; null: nothing waited, or it is not known
	Attempts Quantiles          `json:"attempt_ms"`         // how long attempts took, of handlers that act outside the store
	Waits    Quantiles          `json:"wait_ms"`            // from an event's acceptance to the beginning of its first attempt
	Handlers []*HandlerActivity `json:"handlers,omitempty"` // each handler, if the request asked for that
}

// Quantiles are quantiles of times, a value for each step; null: nothing was measured. They are accurate to about 15 %. For a step that is made of several
// measured ones, it is the highest of theirs.
type Quantiles struct {
	P50 []*float64 `json:"p50"` // half of the times are at most this long
	P95 []*float64 `json:"p95"` // 95 of 100 are at most this long
	P99 []*float64 `json:"p99"` // 99 of 100 are at most this long
}

// HandlerActivity is what one handler did in the same steps.
type HandlerActivity struct {
	Name   string  `json:"name"`   // of the handler
	Ended  []int64 `json:"ended"`  // runs that ended
	Failed []int64 `json:"failed"` // attempts that failed
}
