package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/cloudevents"
	"evrun/cmd/api/coding"
	"evrun/cmd/api/ingest"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/query"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/trace"
)

// following are the parameters of a request that publishes an event.
type following struct {
	Wait    time.Duration `key:"wait" doc:"The answer is NDJSON, and follows what the event causes for so long. For one event; needs the right read, too." example:"30s"`
	Matches bool          `key:"matches" doc:"The receipt says whether a handler is wired to the event. For one event; needs the right read, too."`
}

// check refuses to wait for other numbers of events than one.
func (q following) check(n int) error {
	if q.Wait > 0 && n != 1 {
		return problem(http.StatusBadRequest, "wait: only one event can be waited for")
	}
	return nil
}

// ingestQuery has the parameters of bodies of events, and of lines.
type ingestQuery struct {
	following
	Source string `key:"source" doc:"Of NDJSON: the source of lines without one."`
	ID     string `key:"id" doc:"Of NDJSON: the beginning of the ids of lines without one, which end with the number of the line."`
	Line   int    `key:"line" min:"0" doc:"Of NDJSON: the number of the first line; 1 unless given."`
}

// plainQuery has the attributes of an event whose body is its data.
type plainQuery struct {
	following
	ID            string     `key:"id" doc:"The id."`
	Source        string     `key:"source" doc:"Where the event comes from."`
	Subject       string     `key:"subject" doc:"What it is about."`
	Time          query.Time `key:"time" doc:"When it happened, in RFC 3339."`
	DataSchema    string     `key:"dataschema" doc:"A URI of a schema of the data."`
	CorrelationID string     `key:"correlationid" doc:"The id of the first event of its chain."`
	CausationID   string     `key:"causationid" doc:"The id of the event before it."`
	Extensions    []string   `key:"ext" doc:"NAME=VALUE: an extension attribute; several." example:"region=eu"`
}

// postEvents accepts events: one (CloudEvents' binary or structured mode), a batch, or NDJSON. With ?wait=30s the answer to
// a single event is NDJSON, and follows the runs and events that it causes. With ?matches=true, the receipt of a single event says whether a
// handler is wired to it. The header Idempotency-Key is the id of an event without one; in a batch, and of a line, it is the id's beginning.
func (s *Server) postEvents(w http.ResponseWriter, r *http.Request, q ingestQuery) error {
	cause, err := s.publishing(r)
	if err != nil {
		return err
	}
	tellEnded(w, r, cause)
	contentType, err := ingest.ContentTypeOf(r.Header)
	if err != nil {
		return err
	}
	mode, err := contentType.ModeOf(r.Header)
	if err != nil {
		w.Header().Set("Accept", ingest.Accepted)
		return err
	}
	if mode == ingest.NDJSON {
		return s.ingestLines(w, r, q)
	}
	if q.Source != "" || q.ID != "" || q.Line != 0 {
		return problem(http.StatusBadRequest, "source, id and line are for the lines of "+ndjson.Type)
	}
	limit := int64(ndjson.MaxLine(s.o.MaxData))
	if mode == ingest.Batch {
		limit = 32 << 20
	}
	body, release, err := s.readEvents(w, r, limit)
	if err != nil {
		return err
	}
	defer release()
	var evs []*events.Event
	switch mode {
	case ingest.Batch:
		evs, err = cloudevents.Batch(body, ingest.MaxEvents)
	case ingest.Structured:
		evs = []*events.Event{new(events.Event)}
		err = evs[0].UnmarshalJSON(body)
	default:
		evs = make([]*events.Event, 1)
		evs[0], err = cloudevents.Binary(r.Header, body)
	}
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	return s.accept(w, r, cause, evs, mode == ingest.Batch, q.following, release)
}

// postData accepts one event of the type in the path, whose data is the body: any JSON. Its attributes are parameters.
func (s *Server) postData(w http.ResponseWriter, r *http.Request, q plainQuery) error {
	cause, err := s.publishing(r)
	if err != nil {
		return err
	}
	tellEnded(w, r, cause)
	contentType, err := ingest.ContentTypeOf(r.Header)
	if err == nil {
		err = contentType.UTF8()
	}
	if err != nil {
		return err
	}
	if name := cloudevents.Attributed(r.Header); name != "" {
		return problem(http.StatusBadRequest, "header "+strings.ToLower(name)+": the attributes are parameters here, such as ?id=4711; an event with Ce- headers goes to POST /v1/events")
	}
	body, release, err := s.readEvents(w, r, int64(s.o.MaxData))
	if err != nil {
		return err
	}
	defer release()
	e, err := ingest.Plain(r.PathValue("type"), contentType.Media, contentType.Text, body)
	if err != nil {
		w.Header().Set("Accept", "application/json")
		return err
	}
	e.ID, e.Source, e.Subject, e.Time = q.ID, q.Source, q.Subject, q.Time.Time
	e.DataSchema, e.CorrelationID, e.CausationID = q.DataSchema, q.CorrelationID, q.CausationID
	if err := ingest.Extensions(e, q.Extensions); err != nil {
		return err
	}
	return s.accept(w, r, cause, []*events.Event{e}, false, q.following, release)
}

// accept publishes the events of a request, all or none, and answers it. It calls accepted when they are published: an answer may follow for long.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, cause *events.Event, evs []*events.Event, batch bool, q following, accepted func()) error {
	from := trace.OfRequest(r.Header)
	for _, e := range evs {
		from.Give(e)
	}
	key, err := ingest.IdempotencyKey(r.Header)
	if err != nil {
		return err
	}
	if key != "" {
		ingest.Identify(evs, key, batch)
	}
	if err := q.check(len(evs)); err != nil {
		return err
	}
	if batch && q.Matches {
		return problem(http.StatusBadRequest, "matches: only one event can be asked about, and not a batch")
	}
	if len(evs) == 0 {
		return writeJSON(w, http.StatusOK, []Receipt{})
	}
	who := access.From(r.Context())
	if (q.Wait > 0 || q.Matches) && !who.May(access.Read) {
		return problem(http.StatusForbidden, "wait, matches: the token "+who.Name()+" does not have the right read")
	}
	if err := ingest.Permit(who, evs...); err != nil {
		return err
	}
	emit := func(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
		defer accepted()
		return s.o.Emitter.EmitFor(ctx, cause, evs...)
	}
	return s.publish(w, r, emit, evs, batch, q)
}

// readEvents reads a body, of at most limit bytes when it is decompressed. Its memory counts until release, which can be called again: until the events are
// accepted.
func (s *Server) readEvents(w http.ResponseWriter, r *http.Request, limit int64) (text []byte, release func(), err error) {
	body, err := coding.Open(w, r)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	bodies := &s.bodies[0]
	if !access.From(r.Context()).Local() {
		bodies = &s.bodies[1]
	}
	release = body.Count(bodies)
	if text, err = body.ReadAll(limit); err == nil {
		return text, release, nil
	}
	release()
	if errors.Is(err, limits.ErrBodies) {
		err = problem(http.StatusServiceUnavailable, "too many requests with large bodies at the same time: try again later")
	}
	return nil, nil, err
}

// publish has events accepted and answers with their receipts. With a wait, it then follows the runs and events that the event causes.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, accept func(context.Context, []*events.Event) ([]store.Receipt, error),
	evs []*events.Event, batch bool, q following) error {
	wait := q.Wait
	if wait > 0 && s.o.Following == nil {
		return errNeedsDaemon
	}
	if wait > 0 {
		release, err := s.following.take(r)
		if err != nil {
			return err
		}
		defer release()
		// The subscription begins before the event is accepted, so it misses none of its runs.
		listening := s.o.Following.Commits.Subscribe(64)
		defer listening.Unsubscribe()
	}
	receipts, err := accept(r.Context(), evs)
	if err != nil {
		return err
	}
	answers := make([]Receipt, len(evs))
	for i, rc := range receipts {
		answers[i] = ingest.ReceiptOf(evs[i], rc)
	}
	if s.o.Matches != nil && !batch && q.Matches {
		ok, hint := s.o.Matches(evs[0])
		answers[0].Matches, answers[0].Hint = &ok, hint
	}
	switch {
	case wait > 0:
		return s.follow(w, r, evs[0], answers[0], wait)
	case answers[0].Matches != nil:
		return writeJSON(w, receiptStatus(answers), answers[0])
	}
	return writeReceipts(w, answers, batch)
}

// receiptStatus is the status of an answer with receipts: whether an event was accepted, or all were known.
func receiptStatus(answers []Receipt) int {
	if slices.ContainsFunc(answers, func(r Receipt) bool { return !r.Duplicate }) {
		return http.StatusAccepted
	}
	return http.StatusOK
}

// writeReceipts is writeJSON for receipts without Matches, much faster.
func writeReceipts(w http.ResponseWriter, answers []Receipt, batch bool) error {
	text := make([]byte, 0, 16+128*len(answers))
	if batch {
		text = append(text, '[')
	}
	for i, a := range answers {
		if i > 0 {
			text = append(text, ',')
		}
		text = a.AppendJSON(text)
	}
	if batch {
		text = append(text, ']')
	}
	text = events.EscapeJSON(append(text, '\n'))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(receiptStatus(answers))
	_, err := w.Write(text)
	return err
}
