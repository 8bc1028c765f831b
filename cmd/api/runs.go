package api

import (
	"context"
	"net/http"
	"time"

	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/search"
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
	if run.StartedAt != nil && run.FinishedAt != nil && r.State != store.Dropped { // which ended when it was dropped, long after its last attempt
		ms := milliseconds(run.FinishedAt.Sub(*run.StartedAt))
		run.TookMS = &ms
	}
	return run
}

// milliseconds is a duration with the precision of the store.
func milliseconds(d time.Duration) float64 { return float64(max(0, d).Microseconds()) / 1000 }

// RunDetails is a run with its attempts that failed, run, or left an output: the last 20, oldest first. Output is that of the last attempt.
type RunDetails struct {
	Run
	Output   *Output   `json:"output,omitempty"`
	Attempts []Attempt `json:"attempts"`
}

// RunDetailsOf returns the shape of a run with its stored attempts.
func RunDetailsOf(r Run, attempts []store.Attempt) RunDetails {
	d := RunDetails{Run: r, Attempts: shaped(attempts, AttemptOf)}
	if last := len(attempts) - 1; last >= 0 && attempts[last].Number == r.Attempt {
		d.Output = d.Attempts[last].Output
		if took := d.Attempts[last].TookMS; took != nil { // the run's own time may end when somebody ended it
			d.TookMS = took
		}
	}
	return d
}

func (s *Server) changes() control.Runs {
	return control.Runs{Store: s.o.Store, Emitter: s.o.Emitter, Do: s.o.Handlers}
}

// listRuns answers with a page, newest event first unless the parameters say otherwise.
func (s *Server) listRuns(r *http.Request) (any, error) {
	sel, err := selectionOf(r)
	if err != nil {
		return nil, err
	}
	hint := s.labeled(&sel)
	q, err := sel.Runs(r.Context(), s.o.Store)
	if err == nil {
		err = paged(r, &q)
	}
	if err != nil {
		return nil, err
	}
	page, err := search.Runs(r.Context(), s.o.Store, q)
	if err != nil {
		return nil, err
	}
	s.begun(r.Context(), page.Items)
	info := infoOf(page)
	info.Hint = hint
	return struct {
		Runs []Run `json:"runs"`
		PageInfo
	}{s.reasons.Runs(r.Context(), page.Items), info}, nil
}

// run finds the run that a request names.
func (s *Server) run(r *http.Request) (store.Run, error) {
	return search.Run(r.Context(), s.o.Store, r.PathValue("id"))
}

func (s *Server) getRun(r *http.Request) (any, error) {
	run, err := search.Newest(r.Context(), s.o.Store, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	shape := s.told(r.Context(), run)
	var attempts []store.Attempt
	if run.State != store.Waiting {
		attempts, err = s.attempts(r.Context(), store.AttemptQuery{Run: run.ID})
	}
	return RunDetailsOf(shape, attempts), err
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

func (s *Server) retryRun(r *http.Request) (any, error) {
	run, err := s.run(r)
	if err == nil {
		run, err = s.changes().Retry(r.Context(), run.ID)
	}
	return RunOf(run), err
}

// dropRun drops a run; dropping it again changes nothing.
func (s *Server) dropRun(r *http.Request) (any, error) {
	run, err := s.run(r)
	if err == nil {
		run, err = s.changes().Drop(r.Context(), run.ID)
	}
	return RunOf(run), err
}
