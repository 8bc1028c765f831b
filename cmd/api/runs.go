package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"evrun/store"
	"evrun/tasks/control"
)

// Run is one handler on one event.
type Run struct {
	ID            string     `json:"id"`
	Handler       string     `json:"handler"`
	EventID       string     `json:"event_id"`
	Sequence      int64      `json:"seq,string"`
	Type          string     `json:"type"`
	State         string     `json:"state"`
	Attempt       int        `json:"attempt"`
	Failed        int        `json:"failed_attempts,omitempty"`
	Error         string     `json:"error,omitempty"`
	Reason        string     `json:"reason,omitempty"` // why it is in its state, if that is not a failed attempt: it was dropped, its condition was false, …
	StartedAt     *time.Time `json:"started_at,omitempty"`
	FinishedAt    *time.Time `json:"finished_at,omitempty"`
	TookMS        *float64   `json:"took_ms,omitempty"` // the last attempt, if it has ended
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
	// Joined is the id of the run that handled this event, too (debounce).
	Joined string `json:"joined,omitempty"`
}

// RunOf returns the shape of a stored run. [Reasons.Runs] adds the reasons of skipped ones.
func RunOf(r store.Run) Run {
	run := Run{
		ID: r.ID, Handler: r.Handler, EventID: r.EventID, Sequence: r.Sequence, Type: r.Type, State: r.State.String(), Attempt: r.Attempt, Failed: r.Failed,
		Error: r.Error, Reason: r.Reason, StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt), NextAttemptAt: timeOf(r.NextAttemptAt),
		Joined: r.JoinedID(),
	}
	if run.Joined != "" {
		run.Reason = "joined " + run.Joined
	}
	if run.StartedAt != nil && run.FinishedAt != nil {
		ms := milliseconds(run.FinishedAt.Sub(*run.StartedAt))
		run.TookMS = &ms
	}
	return run
}

// milliseconds is a duration with the precision of the store.
func milliseconds(d time.Duration) float64 { return float64(max(0, d).Microseconds()) / 1000 }

// Attempt is one failed attempt of a run.
type Attempt struct {
	Attempt    int       `json:"attempt"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Error      string    `json:"error"`
}

// RunDetails is a run with its failed attempts, oldest first.
type RunDetails struct {
	Run
	Attempts []Attempt `json:"attempts"`
}

// RunDetailsOf returns the shape of a run with its stored attempts.
func RunDetailsOf(r Run, attempts []store.Attempt) RunDetails {
	return RunDetails{Run: r, Attempts: shaped(attempts, func(a store.Attempt) Attempt {
		return Attempt{Attempt: a.Number, StartedAt: a.StartedAt.UTC(), FinishedAt: a.FinishedAt.UTC(), Error: a.Error}
	})}
}

// Changed says how many runs were changed.
type Changed struct {
	Retried *int `json:"retried,omitempty"`
	Dropped *int `json:"dropped,omitempty"`
}

// Runs are selected by ?handler=, ?event= (an id) and ?seq=, and in lists also by ?state= (several, or a list with commas).

func (s *Server) changes() control.Runs {
	return control.Runs{Store: s.o.Store, Emitter: s.o.Emitter, Do: s.o.Handlers}
}

// selection reads which runs are selected; some reports whether anything but their states narrows them down.
func (s *Server) selection(r *http.Request) (q store.RunQuery, some bool, err error) {
	p := parametersOf(r)
	q.Handler, q.Sequence = p.Get("handler"), p.number("seq")
	if id := p.Get("event"); id != "" {
		e, err := s.o.Store.Event(r.Context(), id)
		if err != nil {
			return q, false, err
		}
		if q.Sequence != 0 && q.Sequence != e.Sequence {
			p.wrong("event and seq are of two events")
		}
		q.Sequence = e.Sequence
	}
	for _, list := range p.Values["state"] {
		for name := range strings.SplitSeq(list, ",") {
			state, ok := store.ParseRunState(name)
			if !ok {
				p.wrong("state: running, retrying, succeeded, skipped, dead or dropped")
			}
			q.States = append(q.States, state)
		}
	}
	return q, q.Handler != "" || q.Sequence != 0, p.err
}

// listRuns answers with a page, newest event first, and with the ?after= of the next page if there may be one.
func (s *Server) listRuns(r *http.Request) (any, error) {
	q, _, err := s.selection(r)
	if err != nil {
		return nil, err
	}
	p := parametersOf(r)
	if q.Before, q.Limit, q.AfterID = p.number("before"), p.limit(), p.Get("after"); p.err != nil {
		return nil, p.err
	}
	runs, err := s.o.Store.Runs(r.Context(), q)
	if err != nil {
		return nil, err
	}
	s.begun(r.Context(), runs)
	page := list("runs", s.reasons.Runs(r.Context(), runs))
	if len(runs) == q.Limit {
		page["next"] = runs[len(runs)-1].ID
	}
	return page, nil
}

func (s *Server) getRun(r *http.Request) (any, error) {
	run, err := s.o.Store.FindRun(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	one := []store.Run{run}
	s.begun(r.Context(), one)
	attempts, err := s.o.Store.Attempts(r.Context(), store.AttemptQuery{Run: run.ID})
	return RunDetailsOf(s.reasons.Runs(r.Context(), one)[0], attempts), err
}

// begun corrects runs of which the daemon knows more than the store.
func (s *Server) begun(ctx context.Context, runs []store.Run) {
	if s.o.Daemon != nil {
		s.o.Daemon.Runner.Begun(ctx, runs)
	}
}

func (s *Server) retryRun(r *http.Request) (any, error) {
	run, err := s.changes().Retry(r.Context(), r.PathValue("id"))
	return RunOf(run), err
}

func (s *Server) dropRun(w http.ResponseWriter, r *http.Request) error {
	if err := s.changes().Drop(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) retryRuns(r *http.Request) (any, error) {
	q, err := s.changeSelection(r, store.Dead)
	if err != nil {
		return nil, err
	}
	n, err := s.changes().RetryAll(r.Context(), q)
	return Changed{Retried: &n}, err
}

func (s *Server) dropRuns(r *http.Request) (any, error) {
	q, err := s.changeSelection(r, store.Dead, store.Running, store.Retrying)
	if err != nil {
		return nil, err
	}
	n, err := s.changes().DropAll(r.Context(), q)
	return Changed{Dropped: &n}, err
}

// changeSelection reads a selection of runs to be changed. They must be in one of the states; all runs only with ?all=true.
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
	if !some && !parametersOf(r).yes("all") {
		return q, problem(http.StatusBadRequest, "say which runs: handler, event or seq; or all=true")
	}
	return q, nil
}
