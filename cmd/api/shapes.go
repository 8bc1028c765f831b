package api

import (
	"encoding/json"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
)

// The JSON shapes that clients rely on. Package events writes events.

// Receipt answers an accepted event.
type Receipt struct {
	ID        string `json:"id"`
	Source    string `json:"source"`
	Sequence  int64  `json:"seq,string"`
	Duplicate bool   `json:"duplicate"`
}

// appendJSON appends the same JSON as events.MarshalJSON, much faster for usual ids and sources.
func (r Receipt) appendJSON(dst []byte) []byte {
	dst = appendText(append(dst, `{"id":`...), r.ID)
	dst = appendText(append(dst, `,"source":`...), r.Source)
	dst = strconv.AppendInt(append(dst, `,"seq":"`...), r.Sequence, 10)
	dst = strconv.AppendBool(append(dst, `","duplicate":`...), r.Duplicate)
	return append(dst, '}')
}

func appendText(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := events.MarshalJSON(s) // can't fail for a string
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// Run is one handler on one event.
type Run struct {
	ID            string     `json:"id"`
	Handler       string     `json:"handler"`
	EventID       string     `json:"event_id"`
	Sequence      int64      `json:"seq,string"`
	Type          string     `json:"type"`
	State         string     `json:"state"`
	Attempt       int        `json:"attempt"`
	Error         string     `json:"error,omitempty"`
	Reason        string     `json:"reason,omitempty"` // why it is in its state, if that is not a failed attempt: it was dropped, or its handler is paused or not in the file
	StartedAt     *time.Time `json:"started_at,omitempty"`
	FinishedAt    *time.Time `json:"finished_at,omitempty"`
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
	// Joined is the id of the run that handled this event, too (debounce).
	Joined string `json:"joined,omitempty"`
}

// RunOf returns the shape of a stored run.
func RunOf(r store.Run) Run {
	return Run{
		ID: r.ID, Handler: r.Handler, EventID: r.EventID, Sequence: r.Sequence, Type: r.Type, State: r.State.String(), Attempt: r.Attempt,
		Error: r.Error, Reason: r.Reason, StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt), NextAttemptAt: timeOf(r.NextAttemptAt),
		Joined: r.JoinedID(),
	}
}

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

// RunDetailsOf returns the shape of a stored run and its attempts.
func RunDetailsOf(r store.Run, attempts []store.Attempt) RunDetails {
	return RunDetails{Run: RunOf(r), Attempts: shaped(attempts, func(a store.Attempt) Attempt {
		return Attempt{Attempt: a.Number, StartedAt: a.StartedAt.UTC(), FinishedAt: a.FinishedAt.UTC(), Error: a.Error}
	})}
}

// Changed says how many runs were changed.
type Changed struct {
	Retried *int `json:"retried,omitempty"`
	Dropped *int `json:"dropped,omitempty"`
}

// User is a stored user.
type User struct {
	ID         int64           `json:"id"`
	Name       string          `json:"name"`
	Email      string          `json:"email"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	EventID    string          `json:"event_id"`
}

// UserOf returns the shape of a stored user.
func UserOf(u store.User) User {
	return User{ID: u.ID, Name: u.Name, Email: u.Email, Attributes: u.Attributes, CreatedAt: u.CreatedAt.UTC(), EventID: u.EventID}
}

// End closes the answer to an emit that waits.
type End struct {
	Matched bool `json:"matched"`           // a handler matched an event of the chain
	Dead    bool `json:"dead"`              // a run is dead
	Timeout bool `json:"timeout,omitempty"` // the time ran out before all runs had ended
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
