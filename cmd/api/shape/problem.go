package shape

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"evrun/cmd/api/limits"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
	"evrun/tasks/fault"
	"evrun/tasks/schema"
	"evrun/tasks/search"
)

// Problem is an error as clients see it: RFC 9457 problem details.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	Line   int    `json:"line,omitempty"`  // of an NDJSON body, from 1
	Event  int    `json:"event,omitempty"` // of a batch, from 1
	// Violations are the places where the event's data breaks the schema of its type; More is how many were left out.
	Violations []schema.Violation `json:"violations,omitempty"`
	More       int                `json:"more_violations,omitempty"`
	// RetryAfter is in how many seconds the request can succeed, if that is known; the header Retry-After of the answer says it, too.
	RetryAfter int `json:"retry_after,omitempty"`
	// Faults are the faults of a wiring file, as evrun validate -o json prints them.
	Faults json.RawMessage `json:"faults,omitempty"`

	// Preview is a selection that has changed, as it is now.
	Preview *BatchPreview `json:"preview,omitempty"`

	cause error // in the process where it happened; else nil
}

// Unwrap returns the error that became this problem, if it happened in this process.
func (p *Problem) Unwrap() error { return p.cause }

// Because sets the error that became this problem, for [Problem.Unwrap].
func (p *Problem) Because(err error) *Problem {
	p.cause = err
	return p
}

// After sets when the request can succeed, in whole seconds; 0: that is not known.
func (p *Problem) After(retry time.Duration) *Problem {
	p.RetryAfter = int((retry + time.Second - 1) / time.Second)
	return p
}

// Unknown is the problem of a name that does not exist.
func Unknown(kind, name string, known []string) error {
	detail := "there is no " + kind + " " + strconv.Quote(name)
	if word := fault.Closest(name, known); word != "" && word != name { // a handler of the file that no daemon has had is known, and yet does not exist
		detail += "; " + fault.Suggest(word)
	}
	return NewProblem(http.StatusNotFound, detail)
}

// ErrDraining refuses what a server that is stopping does not take any more.
var ErrDraining = NewProblem(http.StatusServiceUnavailable, "evrun is stopping: try again when it is back")

// Error returns the detail and the violations in one line.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if len(p.Violations) > 0 {
		text += ": " + schema.Join(p.Violations, p.More)
	}
	return text
}

// NewProblem returns a problem with a status and its usual title.
func NewProblem(status int, detail string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
}

// LineTooLong is the problem of a line of NDJSON with more than max bytes.
func LineTooLong(max int) *Problem {
	return NewProblem(http.StatusRequestEntityTooLarge, "the line has more than "+strconv.Itoa(max)+" bytes")
}

// ProblemOf makes an error a problem: the only table from errors to statuses.
func ProblemOf(err error) *Problem {
	because := func(status int) *Problem {
		p := NewProblem(status, err.Error())
		p.cause = err
		return p
	}
	var p *Problem
	var refused *emitter.RefusedError
	var tooLarge *http.MaxBytesError
	var state *control.StateError
	var selection *search.SelectionError
	var ambiguous *search.AmbiguousError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refused):
		return refusal(refused, err)
	case errors.As(err, &tooLarge):
		return NewProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit))
	case errors.Is(err, tasks.ErrStopping):
		return ErrDraining
	case errors.Is(err, os.ErrDeadlineExceeded):
		return NewProblem(http.StatusRequestTimeout, fmt.Sprintf("the body did not come within %v", limits.BodyTimeout))
	case errors.As(err, &selection), errors.Is(err, search.ErrCursor):
		return because(http.StatusBadRequest)
	case errors.As(err, &state), errors.As(err, &ambiguous), errors.Is(err, store.ErrNotActive), errors.Is(err, store.ErrErased), errors.Is(err, control.ErrNoEdit):
		return because(http.StatusConflict)
	case errors.Is(err, store.ErrNotFound):
		return because(http.StatusNotFound)
	case errors.Is(err, store.ErrFull):
		return because(http.StatusInsufficientStorage)
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrBroken):
		return because(http.StatusServiceUnavailable)
	default:
		return because(http.StatusInternalServerError)
	}
}

// refusal is the problem of a refused event.
func refusal(refused *emitter.RefusedError, err error) *Problem {
	status, detail := http.StatusBadRequest, refused.Msg
	switch {
	case refused.TooLarge:
		status, detail = http.StatusRequestEntityTooLarge, err.Error()
	case len(refused.Violations) > 0:
		status = http.StatusUnprocessableEntity
	}
	p := NewProblem(status, detail)
	p.Event, p.Violations, p.More, p.cause = refused.Event, refused.Violations, refused.More, err
	return p
}

// ProblemWriter is an [http.ResponseWriter] whose reader is in this process: it gets a problem as it is, with its cause, before the JSON.
type ProblemWriter interface{ WriteProblem(p *Problem) }

// Write answers a request with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(max(p.RetryAfter, 1)))
		w.Header().Set("Connection", "close") // the answer does not wait for the body, and the connection ends soon
	}
	if own, ok := w.(ProblemWriter); ok {
		own.WriteProblem(p)
	}
	w.WriteHeader(p.Status)
	_ = events.WriteJSON(w, p) // if it fails, the client is gone
}

// Broken answers a request whose handler panicked.
func Broken(w http.ResponseWriter) {
	NewProblem(http.StatusInternalServerError, "a fault of evrun: its log has more").Write(w)
}
