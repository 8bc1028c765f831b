package shape

import "time"

// Activity is what happened in a daemon, in steps of equal length: the lists have a value for each step, the first one for the step that begins at Since.
// Only steps that are over are in it.
type Activity struct {
	Since    time.Time          `json:"since"`              // not before the daemon began
	Step     int                `json:"step_seconds"`       // how long a step is
	Handler  string             `json:"handler,omitempty"`  // the rest is about this handler; absent: about all
	Accepted []int64            `json:"accepted,omitempty"` // events; absent of one handler
	Ended    []int64            `json:"ended"`              // runs
	Failed   []int64            `json:"failed"`             // attempts
	Dead     []int64            `json:"dead"`               // runs that became dead
	Waiting  []*int64           `json:"waiting"`            // events that wait for a handler, at the end of the step; null: not known
	Oldest   []*float64         `json:"oldest_seconds"`     // how long the first of these had waited, without those of paused handlers
	Attempts Quantiles          `json:"attempt_ms"`         // how long attempts took, of kinds that act outside of the store
	Waits    Quantiles          `json:"wait_ms"`            // from an event's acceptance to the beginning of its first attempt
	Handlers []*HandlerActivity `json:"handlers,omitempty"` // each of them, if that was asked
}

// Quantiles are times that a part of all times is not above, in each step; null: there were no times. They are right to about 15 %. Of a step that is
// made of several measured ones they are the highest.
type Quantiles struct {
	P50 []*float64 `json:"p50"` // of half of them
	P95 []*float64 `json:"p95"` // of 95 of 100
	P99 []*float64 `json:"p99"` // of 99 of 100
}

// HandlerActivity is what one of all handlers did in the same steps.
type HandlerActivity struct {
	Name   string  `json:"name"`   // of the handler
	Ended  []int64 `json:"ended"`  // runs
	Failed []int64 `json:"failed"` // attempts
}
