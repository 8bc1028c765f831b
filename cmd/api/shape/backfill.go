package shape

import (
	"time"
)

// Backfill asks for the events of past slots of a schedule.
type Backfill struct {
	From   time.Time  `json:"from" needed:"true"` // inclusive
	To     *time.Time `json:"to,omitempty"`
	DryRun bool       `json:"dry_run,omitempty"` // only count, and show the first slots
	// After and Recorded continue a backfill: they are those of the page before.
	After    *time.Time `json:"after,omitempty"`
	Recorded bool       `json:"recorded,omitempty"`
}

// Backfilled is a page of a backfill.
type Backfilled struct {
	Schedule string      `json:"schedule"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`    // exclusive; now at the latest
	Count    int64       `json:"count"` // slots in all
	First    []time.Time `json:"first"` // the first of them
	Done     int         `json:"done"`  // slots of this page
	Fired    int         `json:"fired"` // of these, those whose event was accepted now
	Known    int         `json:"known"` // of these, those whose event was in the journal already
	Failed   int         `json:"failed"`
	Failure  string      `json:"failure,omitempty"` // why the first of these can't be published
	After    *time.Time  `json:"after,omitempty"`   // for the next page; none: this was the last one
	Recorded bool        `json:"recorded"`          // in the audit trail
}
