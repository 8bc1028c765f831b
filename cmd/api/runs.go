package api

import (
	"context"
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/search"
)

func (s *Server) changes() control.Runs {
	return control.Runs{Store: s.o.Store, Emitter: s.o.Emitter, Do: s.o.Handlers}
}

// ofRuns are the parameters that select runs, beside those of their events.
type ofRuns struct {
	Handler string   `key:"handler" doc:"Runs of this handler."`
	States  []string `key:"state" doc:"Runs in these states; several, or with commas: waiting, running, retrying, succeeded, skipped, cancelled, dropped or dead."`
}

// runsQuery selects a page of runs.
type runsQuery struct {
	selecting
	ofRuns
	labeled
	paging
}

func (q runsQuery) selection() search.Selection {
	sel := q.selecting.selection()
	sel.Handler, sel.States, sel.Labels = q.Handler, q.States, q.Labels
	return sel
}

// listRuns answers with a page, newest event first unless the parameters say otherwise.
func (s *Server) listRuns(r *http.Request, asked runsQuery) (list shape.RunList, err error) {
	sel := asked.selection()
	hint := s.labeled(&sel)
	q, err := sel.Runs(r.Context(), s.o.Store)
	if err != nil {
		return list, err
	}
	asked.page(&q)
	page, err := search.Runs(r.Context(), s.o.Store, q)
	if err != nil {
		return list, err
	}
	s.begun(r.Context(), page.Items)
	list.Runs, list.PageInfo = s.reasons.Runs(r.Context(), page.Items), shape.PageInfoOf(page)
	list.Hint = hint
	return list, nil
}

// run finds the run that a request names.
func (s *Server) run(r *http.Request) (store.Run, error) {
	return search.Run(r.Context(), s.o.Store, r.PathValue("id"))
}

func (s *Server) getRun(r *http.Request, _ none) (RunDetails, error) {
	run, err := search.Newest(r.Context(), s.o.Store, r.PathValue("id"))
	if err != nil {
		return RunDetails{}, err
	}
	told := s.told(r.Context(), run)
	var attempts []store.Attempt
	if run.State != store.Waiting {
		attempts, err = s.attempts(r.Context(), store.AttemptQuery{Run: run.ID})
	}
	return shape.RunDetailsOf(told, attempts), err
}

// told is the shape of a run, with what the daemon and the event say about it.
func (s *Server) told(ctx context.Context, run store.Run) Run {
	one := []store.Run{run}
	s.begun(ctx, one)
	return s.reasons.Runs(ctx, one)[0]
}

// begun corrects runs of which the daemon knows more than the store.
func (s *Server) begun(ctx context.Context, runs []store.Run) {
	if s.o.Daemon == nil {
		for i := range runs {
			if runs[i].State == store.Waiting && runs[i].Reason == "" {
				runs[i].Reason = "waits for the daemon"
			}
		}
	} else {
		s.o.Daemon.Runner.Begun(ctx, runs)
		s.o.Daemon.Runner.Waits(ctx, runs)
	}
}

func (s *Server) retryRun(r *http.Request, _ none) (Run, error) {
	run, err := s.run(r)
	if err == nil {
		run, err = s.changes().Retry(r.Context(), run.ID)
	}
	return shape.RunOf(run), err
}

// dropRun drops a run; dropping it again changes nothing.
func (s *Server) dropRun(r *http.Request, _ none) (Run, error) {
	run, err := s.run(r)
	if err == nil {
		run, err = s.changes().Drop(r.Context(), run.ID)
	}
	return shape.RunOf(run), err
}
