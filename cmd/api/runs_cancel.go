package api

import (
	"net/http"
	"time"

	"evrun/store"
	"evrun/tasks/chain"
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
	if s.o.Following != nil && q.Wait > 0 {
		sub := s.o.Following.Commits.Subscribe(64) // before the change, to miss none
		defer sub.Unsubscribe()
		feed = sub.C()
	}
	run, err = s.changes().Cancel(r.Context(), run.ID, q.Reason)
	if err == nil && run.Cancelling && feed != nil {
		ctx, cancel := s.untilClose(r.Context())
		defer cancel()
		run, err = chain.Cancelled(ctx, s.o.Store, run.ID, feed, q.Wait)
	}
	return s.reasons.Runs(r.Context(), []store.Run{run})[0], err
}
