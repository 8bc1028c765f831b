package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/replay"
	"evrun/tasks/search"
)

func (s *Server) replayer() *replay.Replayer {
	return &replay.Replayer{Store: s.o.Store, Emitter: s.o.Emitter}
}

// replayEvents repeats events for one handler, and answers with a list; with ?wait=, for one event, as POST /v1/events does.
func (s *Server) replayEvents(w http.ResponseWriter, r *http.Request, ask ReplayRequest, q following) error {
	switch {
	case len(ask.Events) == 0 || len(ask.Events) > replay.MaxEvents:
		return problem(http.StatusBadRequest, fmt.Sprintf("events: a list of 1 to %d seqs or ids", replay.MaxEvents))
	case ask.To == "":
		return problem(http.StatusBadRequest, "to: the name of the handler that runs the events again")
	}
	if _, err := s.publishing(r); err != nil {
		return err
	}
	if err := q.check(len(ask.Events)); err != nil {
		return err
	}
	of := make([]*events.Event, len(ask.Events))
	for i, name := range ask.Events {
		var err error
		if of[i], err = search.Event(r.Context(), s.o.Store, name); err != nil {
			return err
		}
	}
	if q.Wait > 0 && !ask.DryRun {
		accept := func(_ context.Context, evs []*events.Event) ([]store.Receipt, error) {
			done, err := s.replay(r, ask, of)
			if err != nil {
				return nil, err
			}
			evs[0] = done[0].Event
			return []store.Receipt{done[0].Receipt}, nil
		}
		return s.publish(w, r, accept, of[:1:1], false, q)
	}
	done, err := s.replay(r, ask, of)
	if err != nil {
		return err
	}
	answers := make([]Replayed, len(done))
	for i, d := range done {
		answers[i] = Replayed{ReplayOf: d.Of.Sequence, Type: d.Of.Type, Handler: d.Event.Target, ID: d.Event.ID, Source: d.Event.Source,
			Sequence: d.Sequence, Duplicate: d.Duplicate}
	}
	return writeJSON(w, http.StatusOK, shape.ReplayedList{Replayed: answers})
}

// replay repeats events, and records it in the audit trail.
func (s *Server) replay(r *http.Request, ask ReplayRequest, of []*events.Event) ([]replay.Replay, error) {
	data := map[string]any{"handler": ask.To, "count": len(of), "events": ask.Events}
	if ask.Again {
		data["again"] = true
	}
	e, err := audit.Event(r.Context(), s.o.Emitter, events.TypeAuditEventsReplayed, data)
	if err != nil {
		return nil, err
	}
	done, err := s.replayer().Events(r.Context(), ask.To, of, ask.Again, ask.DryRun, e)
	var differs *replay.NotMatchingError
	if errors.As(err, &differs) {
		return nil, problem(http.StatusConflict, err.Error())
	}
	return done, err
}
