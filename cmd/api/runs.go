package api

import (
	"net/http"
	"slices"
	"strings"

	"evrun/store"
	"evrun/tasks"
)

// The runs' routes. A selection is made of ?handler=, ?event= (an id) and ?seq=, and for the list also ?state= (several,
// or a list with commas).

func (s *Server) deadRuns() tasks.DeadRuns {
	return tasks.DeadRuns{Store: s.o.Store, Retry: s.o.Handlers.Retry}
}

// selection reads which runs are meant; some says that anything narrows it down.
func (s *Server) selection(r *http.Request) (q store.RunQuery, some bool, err error) {
	v := values{r.URL.Query()}
	q.Handler = v.Get("handler")
	if q.Sequence, err = v.number("seq"); err != nil {
		return q, false, err
	}
	if id := v.Get("event"); id != "" {
		e, err := s.o.Store.Event(r.Context(), id)
		if err != nil {
			return q, false, err
		}
		if q.Sequence != 0 && q.Sequence != e.Sequence {
			return q, false, problem(http.StatusBadRequest, "event and seq are of two events")
		}
		q.Sequence = e.Sequence
	}
	for _, list := range v.v["state"] {
		for name := range strings.SplitSeq(list, ",") {
			state, ok := store.ParseRunState(name)
			if !ok {
				return q, false, problem(http.StatusBadRequest, "state: running, retrying, succeeded, skipped, dead or dropped")
			}
			q.States = append(q.States, state)
		}
	}
	return q, q.Handler != "" || q.Sequence != 0, nil
}

// listRuns answers with a page, newest first; ?after= its next, when there may be more.
func (s *Server) listRuns(w http.ResponseWriter, r *http.Request) error {
	q, _, err := s.selection(r)
	if err != nil {
		return err
	}
	v := values{r.URL.Query()}
	if q.Before, err = v.number("before"); err != nil {
		return err
	}
	if q.Limit, err = v.limit(); err != nil {
		return err
	}
	q.AfterID = v.Get("after")
	runs, err := s.o.Store.Runs(r.Context(), q)
	if err != nil {
		return err
	}
	shaped := make([]Run, len(runs))
	for i, run := range runs {
		shaped[i] = RunOf(run)
	}
	page := map[string]any{"runs": shaped}
	if len(runs) == q.Limit {
		page["next"] = runs[len(runs)-1].ID
	}
	return writeJSON(w, http.StatusOK, page)
}

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	run, err := s.o.Store.FindRun(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	attempts, err := s.o.Store.Attempts(r.Context(), run.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, RunDetailsOf(run, attempts))
}

func (s *Server) retryRun(w http.ResponseWriter, r *http.Request) error {
	run, err := s.deadRuns().RetryRun(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, RunOf(run))
}

func (s *Server) dropRun(w http.ResponseWriter, r *http.Request) error {
	if err := s.deadRuns().DropRun(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) retryRuns(w http.ResponseWriter, r *http.Request) error {
	q, err := s.changeSelection(r, store.Dead)
	if err != nil {
		return err
	}
	n, err := s.deadRuns().RetryRuns(r.Context(), q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, Changed{Retried: &n})
}

func (s *Server) dropRuns(w http.ResponseWriter, r *http.Request) error {
	q, err := s.changeSelection(r, store.Dead, store.Running, store.Retrying)
	if err != nil {
		return err
	}
	n, err := s.deadRuns().DropRuns(r.Context(), q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, Changed{Dropped: &n})
}

// changeSelection reads a selection that is to be changed, of runs in some states: all of them only when ?all=true says so.
func (s *Server) changeSelection(r *http.Request, states ...store.RunState) (store.RunQuery, error) {
	q, some, err := s.selection(r)
	if err != nil {
		return q, err
	}
	for _, state := range q.States {
		if !slices.Contains(states, state) {
			return q, problem(http.StatusBadRequest, "state: dead runs can be retried or dropped; running and retrying ones can be dropped while their handler is not wired")
		}
	}
	if all := (values{r.URL.Query()}).Get("all"); !some && all != "1" && all != "true" {
		return q, problem(http.StatusBadRequest, "say which runs: handler, event or seq; or all=true")
	}
	return q, nil
}
