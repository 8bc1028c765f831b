package api

import (
	"context"
	"net/http"
	"time"

	"evrun/store"
	"evrun/tasks/search"
)

// MaxCancelWait is how long a request to cancel a run may wait for the end of its attempt.
const MaxCancelWait = 10 * time.Minute

type cancelQuery struct {
	because
	Wait time.Duration `key:"wait" min:"0s" doc:"Wait so long for the end of the attempt, 10m at most." example:"30s"`
}

// cancelRun cancels a run, for ?reason= in the operator's words. With ?wait= (a duration) it waits for the end of a running attempt; the answer is the
// run as it is then. If the attempt still runs, the run is running, and its reason says by whom it is being cancelled.
func (s *Server) cancelRun(r *http.Request, q cancelQuery) (Run, error) {
	if q.Wait > MaxCancelWait {
		return Run{}, problem(http.StatusBadRequest, "wait: can be 10m at most")
	}
	run, err := s.run(r)
	if err != nil {
		return Run{}, err
	}
	var feed <-chan store.Commit // nil: nobody waits
	if s.o.Daemon != nil && q.Wait > 0 {
		sub := s.o.Daemon.Commits.Subscribe(64) // before the change, to miss none
		defer sub.Unsubscribe()
		feed = sub.C()
	}
	run, err = s.changes().Cancel(r.Context(), run.ID, q.Reason)
	if err == nil && run.Cancelling && feed != nil {
		run, err = s.ended(r.Context(), run.ID, feed, q.Wait)
	}
	return s.reasons.Runs(r.Context(), []store.Run{run})[0], err
}

// ended returns a run that is being cancelled when it has ended, or as it is after so long, or when ctx ends or the server closes.
func (s *Server) ended(ctx context.Context, id string, feed <-chan store.Commit, wait time.Duration) (store.Run, error) {
	ctx, cancel := s.untilClose(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for {
		run, err := search.Run(context.WithoutCancel(ctx), s.o.Store, id)
		if err != nil || !run.Cancelling || !mayHaveEnded(ctx, feed, id) {
			return run, err
		}
	}
}

// mayHaveEnded returns true when a commit has ended a run, or after a second, because commits may have been missed; false when ctx has ended.
func mayHaveEnded(ctx context.Context, feed <-chan store.Commit, id string) bool {
	again := time.NewTimer(time.Second)
	defer again.Stop()
	for {
		select {
		case c, ok := <-feed:
			if !ok {
				feed = nil // they came too fast: look again and again
			}
			for i := range c.Runs {
				if c.Runs[i].ID == id && c.Runs[i].State.Ended() {
					return true
				}
			}
		case <-again.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
