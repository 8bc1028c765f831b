package api

import (
	"net/http"

	"evrun/events"
)

// RunTokenHeader has the secret of the attempt in whose run's name a request publishes: [tasks.VariableRunToken].
const RunTokenHeader = "Evrun-Run-Token"

// errRunEnded answers a secret that no attempt under way has.
var errRunEnded = problem(http.StatusForbidden, "the attempt that EVRUN_RUN_TOKEN belongs to has ended, or is not one of this daemon's, so the event can't join its run; unset EVRUN_RUN_TOKEN to publish it by itself")

// publishing gives the event whose run a request publishes for; nil: for none. While evrun stops, it refuses all
// events but those of runs, so that running attempts can finish.
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
	cause, ok := s.o.Runner.Attempt(token)
	if !ok {
		return nil, errRunEnded
	}
	return cause, nil
}
