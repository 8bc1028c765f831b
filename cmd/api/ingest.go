package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"evrun/cmd/api/cloudevents"
	"evrun/cmd/api/ingest"
	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/chain"
	"evrun/tasks/trace"
)

// postEvents accepts events: one (CloudEvents' binary or structured mode), a batch, or NDJSON. With ?wait=30s the answer to
// a single event is NDJSON, and follows the runs and events that it causes. With ?matches=true, the receipt of a single event says whether a
// handler is wired to it.
func (s *Server) postEvents(w http.ResponseWriter, r *http.Request) error {
	cause, err := s.publishing(r)
	if err != nil {
		return err
	}
	tellEnded(w, r, cause)
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return problem(http.StatusUnsupportedMediaType, "Content-Type: "+err.Error())
	}
	if mediaType == ndjson.Type {
		return s.ingestLines(w, r)
	}
	batch := mediaType == "application/cloudevents-batch+json"
	limit := int64(ndjson.MaxLine(s.o.MaxData))
	if batch {
		limit = 32 << 20
	}
	body, err := s.readEvents(w, r, limit)
	if err != nil {
		return err
	}
	var evs []*events.Event
	switch {
	case batch:
		evs, err = cloudevents.Batch(body, ingest.MaxEvents)
	case mediaType == "application/cloudevents+json":
		evs = []*events.Event{new(events.Event)}
		err = evs[0].UnmarshalJSON(body)
	case len(r.Header["Ce-Type"]) > 0:
		evs = make([]*events.Event, 1)
		evs[0], err = cloudevents.Binary(r.Header, body)
	default:
		return problem(http.StatusUnsupportedMediaType,
			"send application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson, or the event's attributes as Ce- headers")
	}
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	for _, e := range evs {
		trace.FromRequest(r.Header, e)
	}
	wait, err := waitFor(r, len(evs))
	if err != nil {
		return err
	}
	if len(evs) == 0 {
		return writeJSON(w, http.StatusOK, []Receipt{})
	}
	emit := func(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
		return s.o.Emitter.EmitFor(ctx, cause, evs...)
	}
	return s.publish(w, r, emit, evs, batch, wait)
}

// readEvents reads a body. Only largeBatches of those that are large, or may be, are read at the same time.
func (s *Server) readEvents(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if limit > 4<<20 && (r.ContentLength < 0 || r.ContentLength > 1<<20) {
		release, err := s.batches.take()
		if err != nil {
			return nil, err
		}
		defer release()
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

// publish has events accepted and answers with their receipts. With a wait, it then follows the runs and events that the event causes.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, accept func(context.Context, []*events.Event) ([]store.Receipt, error),
	evs []*events.Event, batch bool, wait time.Duration) error {
	if wait > 0 && s.o.Daemon == nil {
		return errNeedsDaemon
	}
	if wait > 0 {
		release, err := s.following.take()
		if err != nil {
			return err
		}
		defer release()
		// The subscription begins before the event is accepted, so it misses none of its runs.
		listening := s.o.Daemon.Commits.Subscribe(64)
		defer listening.Unsubscribe()
	}
	receipts, err := accept(r.Context(), evs)
	if err != nil {
		return err
	}
	answers := make([]Receipt, len(evs))
	status := http.StatusOK
	for i, rc := range receipts {
		answers[i] = ingest.ReceiptOf(evs[i], rc)
		if !rc.Duplicate {
			status = http.StatusAccepted
		}
	}
	if s.o.Matches != nil && !batch && r.URL.Query().Get("matches") == "true" {
		ok, hint := s.o.Matches(evs[0])
		answers[0].Matches, answers[0].Hint = &ok, hint
	}
	switch {
	case wait > 0:
		return s.follow(w, r, evs[0], answers[0], wait)
	case batch:
		return writeJSON(w, status, answers)
	default:
		return writeJSON(w, status, answers[0])
	}
}

// waitFor reads how long the answer follows the event.
func waitFor(r *http.Request, n int) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, problem(http.StatusBadRequest, "wait: a duration such as 30s, not "+text)
	}
	if n != 1 {
		return 0, problem(http.StatusBadRequest, "wait: only one event can be waited for")
	}
	return d, nil
}

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
	chain, err := s.o.Daemon.Runner.Follow(ctx, e, s.o.Daemon.Commits, func(l chain.Link) error {
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
