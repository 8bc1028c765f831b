package api

import (
	"net/http"

	"evrun/events"
)

// RunTokenHeader has the secret of an attempt ([tasks.VariableRunToken]): the request publishes events for its run.
const RunTokenHeader = "Evrun-Run-Token"

// RunLeftHeader says that the sender may outlive the attempt (a handler's leave): once the attempt has ended, the events begin chains of
// their own, and the answer has RunEndedHeader.
const (
	RunLeftHeader  = "Evrun-Run-Left"
	RunEndedHeader = "Evrun-Run-Ended"
)

// errRunEnded refuses a secret that no running attempt has.
var errRunEnded = problem(http.StatusForbidden, "the attempt that EVRUN_RUN_TOKEN belongs to has ended, or is not one of this daemon's, so the event can't join its run; unset EVRUN_RUN_TOKEN to publish it by itself")

// publishing returns the event whose run a request publishes for, or nil. While evrun stops, it refuses all events but those of
// runs, so that running attempts can finish.
func (s *Server) publishing(r *http.Request) (cause *events.Event, err error) {
	if cause, err = s.cause(r); cause == nil && err == nil && s.draining.Load() {
		return nil, errDraining
	}
	return cause, err
}

func (s *Server) cause(r *http.Request) (*events.Event, error) {
	token := r.Header.Get(RunTokenHeader)
	if token == "" {
		return nil, nil
	}
	if s.o.Daemon == nil {
		return nil, errRunEnded
	}
	cause, ok := s.o.Daemon.Runner.Attempt(token)
	if !ok && r.Header.Get(RunLeftHeader) == "" {
		return nil, errRunEnded
	}
	return cause, nil
}

// tellEnded sets RunEndedHeader if the request has a secret and its attempt has ended.
func tellEnded(w http.ResponseWriter, r *http.Request, cause *events.Event) {
	if cause == nil && r.Header.Get(RunTokenHeader) != "" {
		w.Header().Set(RunEndedHeader, "true")
	}
}
