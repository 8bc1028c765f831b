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

// cancelRun cancels a run, for ?reason= in the operator's words. With ?wait= (a duration) it waits for the end of a running attempt; the answer is the
// run as it is then. If the attempt still runs, the run is running, and its reason says by whom it is being cancelled.
func (s *Server) cancelRun(r *http.Request) (any, error) {
	wait, err := cancelWait(r)
	if err != nil {
		return nil, err
	}
	run, err := s.run(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	ended := func(run store.Run) (store.Run, error) { return run, nil }
	if s.o.Daemon != nil && wait > 0 {
		sub := s.o.Daemon.Commits.Subscribe(64) // before the change, to miss none
		defer sub.Unsubscribe()
		ended = func(run store.Run) (store.Run, error) {
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			return s.ended(ctx, run, func(is func(store.Run) bool) bool { return commits(ctx, sub.C(), is) })
		}
	}
	run, err = s.changes().Cancel(r.Context(), run.ID, r.URL.Query().Get("reason"))
	if err == nil && run.Cancelling {
		run, err = ended(run)
	}
	return s.reasons.Runs(r.Context(), []store.Run{run})[0], err
}

func cancelWait(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > MaxCancelWait {
		return 0, problem(http.StatusBadRequest, "wait: a duration such as 30s, 10m at most")
	}
	return wait, nil
}

// ended waits until a run has ended, or ctx. next returns when a commit has changed a run, or after a while; false: there are no more.
func (s *Server) ended(ctx context.Context, run store.Run, next func(is func(store.Run) bool) bool) (store.Run, error) {
	for {
		found, err := search.Run(context.WithoutCancel(ctx), s.o.Store, run.ID)
		if err != nil || !found.Cancelling {
			return found, err
		}
		if !next(func(r store.Run) bool { return r.ID == run.ID && r.State.Ended() }) {
			return found, nil
		}
	}
}

// commits returns true when a commit has changed such a run, or after a second, because commits may have been missed; false when ctx has ended.
func commits(ctx context.Context, feed <-chan store.Commit, is func(store.Run) bool) bool {
	again := time.NewTimer(time.Second)
	defer again.Stop()
	for {
		select {
		case c, ok := <-feed:
			if !ok {
				feed = nil // they came too fast: look again and again
			}
			for _, run := range c.Runs {
				if is(run) {
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
