package shape

import (
	"time"

	"evrun/store"
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
		Error: r.Error, Reason: r.Reason, StartedAt: TimeOf(r.StartedAt), FinishedAt: TimeOf(r.FinishedAt), NextAttemptAt: TimeOf(r.NextAttemptAt),
		Joined: r.JoinedID(),
	}
	if run.Joined != "" {
		run.Reason = "joined " + run.Joined
	}
	if run.StartedAt != nil && run.FinishedAt != nil && r.State != store.Dropped { // which ended when it was dropped, long after its last attempt
		ms := Milliseconds(run.FinishedAt.Sub(*run.StartedAt))
		run.TookMS = &ms
	}
	return run
}

// Milliseconds is a duration with the precision of the store.
func Milliseconds(d time.Duration) float64 { return float64(max(0, d).Microseconds()) / 1000 }

// RunDetails is a run with its attempts that failed, run, or left an output: the last 20, oldest first. Output is that of the last attempt.
type RunDetails struct {
	Run
	Output   *Output   `json:"output,omitempty"`
	Attempts []Attempt `json:"attempts"`
}

// RunDetailsOf returns the shape of a run with its stored attempts.
func RunDetailsOf(r Run, attempts []store.Attempt) RunDetails {
	d := RunDetails{Run: r, Attempts: Each(attempts, AttemptOf)}
	if last := len(attempts) - 1; last >= 0 && attempts[last].Number == r.Attempt {
		d.Output = d.Attempts[last].Output
		if took := d.Attempts[last].TookMS; took != nil { // the run's own time may end when somebody ended it
			d.TookMS = took
		}
	}
	return d
}
