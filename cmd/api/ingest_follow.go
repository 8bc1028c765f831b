package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/chain"
)

// follow answers with NDJSON: the receipt; the event, its runs and the events that they cause, as they happen; and an end.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, e *events.Event, rc Receipt, wait time.Duration) error {
	w.Header().Set("Content-Type", ndjson.Type)
	w.WriteHeader(http.StatusAccepted)
	flush := http.NewResponseController(w)
	line := func(name string, v any) error {
		if err := events.WriteJSON(w, map[string]any{name: v}); err != nil {
			return err
		}
		return flush.Flush()
	}
	if err := line("receipt", rc); err != nil || rc.Duplicate {
		return nil // a duplicate causes nothing; or the client is gone
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	chain, err := s.o.Following.Follow(ctx, e, s.o.Following.Commits, func(l chain.Link) error {
		if l.Run != nil {
			return line("run", s.reasons.Runs(ctx, []store.Run{*l.Run})[0])
		}
		return line("event", l.Event)
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil // without an end the client knows that the answer is not complete
	}
	matched := chain.Matched
	if !matched && s.o.Matches != nil {
		matched, _ = s.o.Matches(e) // its type is final: there is nothing to wait for
	}
	_ = line("end", End{Matched: matched, Dead: chain.Dead, Cancelled: chain.Cancelled, Timeout: err != nil})
	return nil
}
