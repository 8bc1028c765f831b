package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

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
	// Faults are the faults of a wiring file, as evrun validate -o json prints them.
	Faults json.RawMessage `json:"faults,omitempty"`

	// Preview is a selection that has changed, as it is now.
	Preview *BatchPreview `json:"preview,omitempty"`

	cause error // in the process where it happened; else nil
}

// Unwrap returns the error that became this problem, if it happened in this process.
func (p *Problem) Unwrap() error { return p.cause }

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

func problem(status int, detail string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
}

// unknown is the problem of a name that does not exist.
func unknown(kind, name string, known []string) error {
	detail := "there is no " + kind + " " + strconv.Quote(name)
	if word := fault.Closest(name, known); word != "" && word != name { // a handler of the file that no daemon has had is known, and yet does not exist
		detail += "; " + fault.Suggest(word)
	}
	return problem(http.StatusNotFound, detail)
}

// problemOf makes an error a problem: the only table from errors to statuses.
func problemOf(err error) *Problem {
	because := func(status int) *Problem {
		p := problem(status, err.Error())
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
		return because(http.StatusRequestEntityTooLarge)
	case errors.Is(err, tasks.ErrStopping):
		return errDraining
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, fmt.Sprintf("the body did not come within %v", limits.BodyTimeout))
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
	p := problem(status, detail)
	p.Event, p.Violations, p.More, p.cause = refused.Event, refused.Violations, refused.More, err
	return p
}

// ProblemWriter is an [http.ResponseWriter] whose reader is in this process: it gets a problem as it is, with its cause, before the JSON.
type ProblemWriter interface{ WriteProblem(p *Problem) }

func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close") // the answer does not wait for the body, and the connection ends soon
	}
	if own, ok := w.(ProblemWriter); ok {
		own.WriteProblem(p)
	}
	w.WriteHeader(p.Status)
	_ = events.WriteJSON(w, p) // if it fails, the client is gone
}

// routed answers requests without a route with problem details, too. All others go to mux.
func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := unrouted{header: http.Header{}}
		h.ServeHTTP(&answer, r)
		switch answer.status {
		case http.StatusNotFound:
			problem(http.StatusNotFound, "no such path: "+r.URL.Path).write(w)
		case http.StatusMethodNotAllowed:
			allow := answer.header.Get("Allow")
			w.Header().Set("Allow", allow)
			problem(http.StatusMethodNotAllowed, r.Method+" is not allowed for "+r.URL.Path+"; allowed: "+allow).write(w)
		default: // a path that is not clean: a redirect
			h.ServeHTTP(w, r)
		}
	})
}

// unrouted records the status and the headers of an answer.
type unrouted struct {
	header http.Header
	status int
}

func (u *unrouted) Header() http.Header         { return u.header }
func (u *unrouted) WriteHeader(status int)      { u.status = status }
func (u *unrouted) Write(p []byte) (int, error) { return len(p), nil }
