package tasks

import (
	"context"
	"slices"
	"time"
)

// InFlight is a running attempt.
type InFlight struct {
	RunID   string
	Attempt int
	Since   time.Time
}

// InFlight returns the running attempts, oldest first. A stop waits for them.
func (r *Runner) InFlight(ctx context.Context) []InFlight {
	r.wiring.Lock()
	var members []*member
	for _, m := range r.wired.Load().members {
		members = append(members, m)
	}
	for _, left := range r.leaving {
		members = append(members, left...)
	}
	r.wiring.Unlock()
	var all []InFlight
	for _, m := range members {
		if s, ok := m.status(ctx); ok {
			all = append(all, s.running...)
		}
	}
	slices.SortFunc(all, func(a, b InFlight) int { return a.Since.Compare(b.Since) })
	return all
}
