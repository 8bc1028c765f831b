package shape

import (
	"evrun/events"
)

// EditedRun answers a request to run a handler again with changed data.
type EditedRun struct {
	Run    Run           `json:"run"`    // as it is now: dropped, unless the request was a dry run
	Before *events.Event `json:"before"` // the run's event
	After  *events.Event `json:"after"`  // the event in its place; without a seq in a dry run
}
