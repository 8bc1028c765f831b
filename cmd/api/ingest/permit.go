package ingest

import (
	"fmt"
	"net/http"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/tasks/emitter"
)

// Permit refuses events that a request may not publish, all of them if it is one, or not now: those of a token have its types and its rate.
func Permit(who *access.Identity, evs ...*events.Event) error {
	for i, e := range evs {
		if !who.MayEmit(e.Type) {
			p := shape.NewProblem(http.StatusForbidden, fmt.Sprintf("the token %s may not publish events of the type %q", who.Name(), e.Type))
			if len(evs) > 1 {
				p.Event = i + 1
			}
			return p
		}
	}
	if retry, ok := who.TakeEvents(len(evs)); !ok {
		return shape.NewProblem(http.StatusTooManyRequests, fmt.Sprintf("the token %s has published more events than its rate allows: try again in %v", who.Name(), retry.Round(time.Millisecond))).After(retry)
	}
	return nil
}

// WhyRefused is the reason for which events are counted that are refused before they come to the emitter, by the status of the problem.
func WhyRefused(status int) emitter.Reason {
	switch status {
	case http.StatusServiceUnavailable:
		return emitter.Stopping
	case http.StatusTooManyRequests:
		return emitter.Busy
	case http.StatusRequestEntityTooLarge:
		return emitter.TooLarge
	}
	return emitter.Invalid
}
