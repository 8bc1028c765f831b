package tasks

import (
	"context"
	"slices"
	"time"

	"evrun/store"
)

// InFlight is a running attempt.
type InFlight struct {
	RunID   string
	Attempt int
	Since   time.Time
}

// InFlight returns the running attempts, oldest first. A stop waits for them.
func (r *Runner) InFlight(ctx context.Context) []InFlight {
	var all []InFlight
	for _, m := range r.members() {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		if s, ok := m.status(ctx); ok {
			all = append(all, s.running...)
		}
		cancel()
	}
	slices.SortFunc(all, func(a, b InFlight) int { return a.Since.Compare(b.Since) })
	return all
}

// Begun corrects stored runs that were claimed ahead and whose attempts have begun since: only the runner knows that, and when.
func (r *Runner) Begun(ctx context.Context, runs []store.Run) {
	if !slices.ContainsFunc(runs, func(run store.Run) bool { return claimedAhead(&run) }) {
		return
	}
	begun := map[string]time.Time{}
	for _, a := range r.InFlight(ctx) {
		begun[a.RunID] = a.Since.Truncate(time.Microsecond) // as stored
	}
	for i := range runs {
		if since, ok := begun[runs[i].ID]; ok && claimedAhead(&runs[i]) {
			runs[i].StartedAt, runs[i].Reason = since, ""
		}
	}
}

// claimedAhead reports whether the store has a run as running whose attempt was claimed before it could begin. The attempt may have begun since.
func claimedAhead(run *store.Run) bool {
	return run.State == store.Running && run.Budget >= run.Attempt
}
