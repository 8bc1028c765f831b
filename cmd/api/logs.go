package api

import (
	"context"
	"net/http"
	"strconv"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/runlog"
	"evrun/store"
	"evrun/tasks/search"
)

type logsQuery struct {
	Attempt string `key:"attempt" doc:"A number, or all; the last attempt unless given."`
	Follow  bool   `key:"follow" doc:"Go on until the run has ended."`
}

// logs sends the log of a run as NDJSON, a [LogLine] each: that of its last attempt, of one (?attempt=N), or of all (?attempt=all). With ?follow=1
// it goes on, with each attempt that begins, until the run has ended; a blank line now and then keeps the connection. A reader that is slow loses a part,
// and a piece says how much.
func (s *Server) logs(w http.ResponseWriter, r *http.Request, q logsQuery) error {
	run, err := search.Newest(r.Context(), s.o.Store, r.PathValue("id"))
	if err != nil {
		return err
	}
	follow := q.Follow
	l := &runlog.Log{Store: s.o.Store, Attempts: s.attempts, Told: s.told, W: w, ID: run.ID}
	if l.From, l.To, err = wantedAttempts(q, run); err != nil {
		return err
	}
	switch {
	case follow && s.o.Daemon == nil && !run.State.Ended():
		return errNeedsDaemon
	case follow && s.o.Daemon != nil:
		release, err := s.following.take(r)
		if err != nil {
			return err
		}
		defer release()
	}
	w.Header().Set("Content-Type", ndjson.Type)
	w.WriteHeader(http.StatusOK)
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	if s.o.Daemon != nil {
		l.Runner, l.Commits = s.o.Daemon.Runner, s.o.Daemon.Commits
	}
	err = l.Send(ctx, follow && s.o.Daemon != nil)
	if err != nil && ctx.Err() == nil {
		s.o.Log.Debug("a run's log ended early", "run", run.ID, "error", err)
	}
	return nil // without the run at its end the reader knows that the log is not complete
}

// wantedAttempts reads which attempts of a run are asked for.
func wantedAttempts(q logsQuery, run store.Run) (from, to int, err error) {
	switch q.Attempt {
	case "":
		return max(run.Attempt, 1), run.Attempt, nil
	case "all":
		return 1, run.Attempt, nil
	}
	n, err := strconv.Atoi(q.Attempt)
	switch {
	case err != nil || n < 0:
		return 0, 0, problem(http.StatusBadRequest, "attempt: must be a number or all, not "+strconv.Quote(q.Attempt))
	case q.Follow:
		return 0, 0, problem(http.StatusBadRequest, "follow: the run is followed, not one attempt: leave attempt out, or say all")
	case n < 1 || n > run.Attempt:
		return 0, 0, problem(http.StatusNotFound, "run "+run.ID+" has no attempt "+q.Attempt+": it has had "+strconv.Itoa(run.Attempt))
	}
	return n, n, nil
}

// attempts reads attempts of a run. A running one has what it has printed so far, of which the daemon knows more than the store.
func (s *Server) attempts(ctx context.Context, q store.AttemptQuery) ([]store.Attempt, error) {
	var running *store.Attempt
	if s.o.Daemon != nil {
		if p, ok := s.o.Daemon.Runner.Printing(q.Run); ok && (q.Before == 0 || p.Attempt < q.Before) {
			running = &store.Attempt{Number: p.Attempt, StartedAt: p.Since, State: store.Running, Output: p.Capture.Output()}
		}
	}
	list, err := s.o.Store.Attempts(ctx, q)
	if err != nil || running == nil {
		return list, err
	}
	switch last := len(list) - 1; {
	case last >= 0 && list[last].Number == running.Number && list[last].State == store.Running:
		list[last] = *running
	case last < 0 || list[last].Number < running.Number:
		list = append(list, *running)
	}
	return list, nil
}
