package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// maxBatchEvents is how many events a batch or a chunk of NDJSON has at most.
const maxBatchEvents = 1000

// attributesRoom is what an event may have besides its data, in its JSON form.
const attributesRoom = 64 << 10

// postEvents accepts events: one (CloudEvents' binary or structured mode), a batch, or NDJSON. With ?wait=30s the answer to
// one event goes on as NDJSON with what it causes.
func (s *Server) postEvents(w http.ResponseWriter, r *http.Request) error {
	if s.draining.Load() {
		return errDraining
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return problem(http.StatusUnsupportedMediaType, "Content-Type: "+err.Error())
	}
	if mediaType == "application/x-ndjson" {
		return s.ingestLines(w, r)
	}
	batch := mediaType == "application/cloudevents-batch+json"
	limit := int64(s.o.MaxData)*2 + attributesRoom // data may come escaped
	if batch {
		limit = 32 << 20
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return err
	}
	var evs []*events.Event
	switch {
	case batch:
		evs, err = decodeBatch(body)
	case mediaType == "application/cloudevents+json":
		evs, err = decodeOne(body)
	case r.Header.Get("Ce-Type") != "":
		evs, err = decodeBinary(r.Header, body)
	default:
		return problem(http.StatusUnsupportedMediaType,
			"send application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson, or the event's attributes as Ce- headers")
	}
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	wait, err := waitFor(r, len(evs))
	if err != nil {
		return err
	}
	if wait > 0 {
		// Whoever listens before the event is accepted is told of all its runs.
		listening := s.o.Commits.Subscribe(64)
		defer listening.Unsubscribe()
	}
	receipts, err := s.o.Emitter.Emit(r.Context(), evs...)
	if err != nil {
		return err
	}
	answers := make([]Receipt, len(evs))
	status := http.StatusOK
	for i, rc := range receipts {
		answers[i] = receiptOf(evs[i], rc)
		if !rc.Duplicate {
			status = http.StatusAccepted
		}
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

func receiptOf(e *events.Event, rc store.Receipt) Receipt {
	return Receipt{ID: e.ID, Source: e.Source, Sequence: rc.Sequence, Duplicate: rc.Duplicate}
}

func decodeOne(body []byte) ([]*events.Event, error) {
	e := new(events.Event)
	return []*events.Event{e}, e.UnmarshalJSON(body)
}

func decodeBatch(body []byte) ([]*events.Event, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, fmt.Errorf("a batch is a JSON array of events: %w", err)
	}
	if len(raw) == 0 || len(raw) > maxBatchEvents {
		return nil, fmt.Errorf("a batch has 1 to %d events, not %d", maxBatchEvents, len(raw))
	}
	evs := make([]*events.Event, len(raw))
	for i, text := range raw {
		evs[i] = new(events.Event)
		if err := evs[i].UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("event %d of the batch: %w", i+1, err)
		}
	}
	return evs, nil
}

// decodeBinary reads CloudEvents' binary mode: attributes in Ce- headers, percent-encoded, data in the body. The attributes
// go through the JSON decoder, so that one place knows what is allowed.
func decodeBinary(h http.Header, body []byte) ([]*events.Event, error) {
	attributes := map[string]any{}
	for name, v := range h {
		if attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok && len(v) == 1 {
			text, err := url.PathUnescape(v[0])
			if err != nil {
				return nil, fmt.Errorf("header %s: %w", name, err)
			}
			attributes[attribute] = text
		}
	}
	delete(attributes, "datacontenttype")
	if hops, ok := attributes["hops"].(string); ok {
		attributes["hops"] = json.Number(hops)
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		return nil, err
	}
	e := new(events.Event)
	if err := e.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	if contentType := h.Get("Content-Type"); contentType != "application/json" {
		e.DataContentType = contentType
	}
	if len(body) > 0 {
		e.Data = body
	}
	return []*events.Event{e}, nil
}

// waitFor reads how long the answer is to follow what the event causes.
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

// follow answers with NDJSON: the receipt, the event, its runs and what they cause as it happens, and an end.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, e *events.Event, rc Receipt, wait time.Duration) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusAccepted)
	flush := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	line := func(name string, v any) error {
		if err := enc.Encode(map[string]any{name: v}); err != nil {
			return err
		}
		return flush.Flush()
	}
	if err := line("receipt", rc); err != nil || rc.Duplicate {
		return nil // a duplicate causes nothing; or the client is gone
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	chain, err := s.o.Runner.Follow(ctx, e, s.o.Commits, func(l tasks.Link) error {
		if l.Run != nil {
			return line("run", RunOf(*l.Run))
		}
		return line("event", l.Event)
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil // without an end the client knows that the answer broke off
	}
	_ = line("end", End{Matched: chain.Matched, Dead: chain.Dead, Timeout: err != nil})
	return nil
}

// ingestLines accepts NDJSON: each line an event, each answered by a line in the same order, a receipt or a problem. A chunk
// of lines is one write; a line that is refused does not hold up the others.
func (s *Server) ingestLines(w http.ResponseWriter, r *http.Request) error {
	flush := http.NewResponseController(w)
	_ = flush.EnableFullDuplex() // answers go out while lines come in
	w.Header().Set("Content-Type", "application/x-ndjson")
	in := bufio.NewReaderSize(r.Body, 256<<10)
	max := s.o.MaxData*2 + attributesRoom
	chunk := lineChunk{server: s}
	for number := 1; ; number++ {
		text, tooLong, err := readLine(in, max)
		if len(text) > 0 || tooLong {
			chunk.add(number, text, tooLong)
		}
		if len(chunk.answers) > 0 && (err != nil || chunk.full() || in.Buffered() == 0) {
			if aerr := chunk.accept(r.Context()); aerr != nil {
				p := problemOf(aerr)
				p.Line = chunk.answers[0].line
				_ = json.NewEncoder(w).Encode(p) // from here on nothing was accepted
				return nil
			}
			if werr := errors.Join(chunk.write(w), flush.Flush()); werr != nil {
				return werr // the client is gone
			}
		}
		if err != nil {
			return nil //nolint:nilerr // the end, or the client is gone
		}
	}
}

// lineChunk is a run of lines that is accepted in one write.
type lineChunk struct {
	server  *Server
	answers []lineAnswer
	evs     []*events.Event
	bytes   int
	out     bytes.Buffer
}

type lineAnswer struct {
	line    int
	event   *events.Event
	receipt store.Receipt
	problem *Problem
}

func (c *lineChunk) full() bool { return len(c.evs) >= maxBatchEvents || c.bytes >= 1<<20 }

func (c *lineChunk) add(number int, text []byte, tooLong bool) {
	a := lineAnswer{line: number}
	e := new(events.Event)
	switch {
	case tooLong:
		a.problem = problem(http.StatusRequestEntityTooLarge, "the line is too long")
	default:
		if len(bytes.TrimSpace(text)) == 0 {
			return
		}
		if err := e.UnmarshalJSON(text); err != nil {
			a.problem = problem(http.StatusBadRequest, err.Error())
		} else if err := c.server.o.Emitter.Check(e); err != nil {
			a.problem = problemOf(err)
		} else {
			a.event = e
			c.evs = append(c.evs, e)
			c.bytes += len(text)
		}
	}
	c.answers = append(c.answers, a)
}

// accept appends the chunk's events to the journal.
func (c *lineChunk) accept(ctx context.Context) error {
	if len(c.evs) == 0 {
		return nil
	}
	if c.server.draining.Load() {
		return errDraining
	}
	receipts, err := c.server.o.Emitter.Accept(ctx, c.evs)
	if err != nil {
		return err
	}
	for i := range c.answers {
		if a := &c.answers[i]; a.event != nil {
			a.receipt, receipts = receipts[0], receipts[1:]
		}
	}
	return nil
}

// write sends the answers and empties the chunk.
func (c *lineChunk) write(w io.Writer) error {
	c.out.Reset()
	enc := json.NewEncoder(&c.out)
	for _, a := range c.answers {
		var err error
		if a.problem != nil {
			a.problem.Line = a.line
			err = enc.Encode(a.problem)
		} else {
			err = enc.Encode(receiptOf(a.event, a.receipt))
		}
		if err != nil {
			return err
		}
	}
	clear(c.answers)
	clear(c.evs)
	c.answers, c.evs, c.bytes = c.answers[:0], c.evs[:0], 0
	_, err := w.Write(c.out.Bytes())
	return err
}

// readLine reads one line without its end. One longer than max is read to its end and reported as too long.
func readLine(in *bufio.Reader, max int) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if !tooLong {
			if line = append(line, part...); len(line) > max {
				line, tooLong = nil, true
			}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(line, "\r\n"), tooLong, err
		}
	}
}
