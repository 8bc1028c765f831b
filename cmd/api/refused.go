package api

import (
	"errors"
	"net/http"

	"evrun/cmd/api/access"
	"evrun/cmd/api/ingest"
	"evrun/tasks/emitter"
)

// counted counts the events that are refused before they come to the emitter, which counts the others: a body that can't be read counts as one event.
func counted(e endpoint) endpoint {
	of := e.of
	e.of = func(s *Server) route { return s.counted(of(s)) }
	return e
}

func (s *Server) counted(next route) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := next(w, r)
		var p *Problem
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			s.o.Emitter.Refused().Add(emitter.TooLarge, 1)
		case errors.As(err, &p):
			s.o.Emitter.Refused().Add(ingest.WhyRefused(p.Status), 1)
		}
		return err
	}
}

// Load is how much of the server its clients use.
type Load struct {
	Connections int64
	Streams     int64 // and answers that follow an event
	Gaps        int64 // how often a stream told its reader that it has missed changes of runs
	CutOff      int64 // how many readers of streams were cut off, because they were too slow
}

// Denied counts the requests by TCP that the gate refused.
func (s *Server) Denied() *access.Denied { return s.o.Tokens.Denied() }

// Load returns it. Only the server of a daemon has a load.
func (s *Server) Load() Load {
	return Load{Connections: s.connections.Open(), Streams: s.following.taken.Load(), Gaps: s.streams.Gaps(), CutOff: s.streams.CutOff()}
}
