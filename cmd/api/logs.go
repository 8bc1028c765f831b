package api

import (
	"context"
	"net/http"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/runlog"
	"evrun/store"
	"evrun/tasks"
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
	if l.From, l.To, err = runlog.Wanted(run, q.Attempt, q.Follow); err != nil {
		return err
	}
	switch {
	case follow && s.o.Following == nil && !run.State.Ended():
		return errNeedsDaemon
	case follow && s.o.Following != nil:
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
		l.Runner = s.o.Daemon.Runner
	}
	if follow = follow && s.o.Following != nil; follow {
		l.Commits = s.o.Following.Commits
	}
	err = l.Send(ctx, follow)
	if err != nil && ctx.Err() == nil {
		s.o.Log.Debug("a run's log ended early", "run", run.ID, "error", err)
	}
	return nil // without the run at its end the reader knows that the log is not complete
}

// attempts reads attempts of a run.
func (s *Server) attempts(ctx context.Context, q store.AttemptQuery) ([]store.Attempt, error) {
	var runner *tasks.Runner
	if s.o.Daemon != nil {
		runner = s.o.Daemon.Runner
	}
	return runlog.Attempts(ctx, s.o.Store, runner, q)
}
