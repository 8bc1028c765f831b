package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

// ingestLines accepts NDJSON, an event a line. Each line is answered by one, in the same order: a receipt, or a problem with the
// number of the line. A line that is refused (4xx) does not stop the others. A failure of the daemon (5xx) is the last answer, and
// nothing from its line on was accepted. ?source= and ?id= are for lines without one (see [LineDefaults]), ?line= is the number
// of the body's first line.
func (s *Server) ingestLines(w http.ResponseWriter, r *http.Request) error {
	d, err := lineDefaults(r)
	if err != nil {
		return err
	}
	release, err := s.lines.take()
	if err != nil {
		return err
	}
	defer release()
	out := http.NewResponseController(w)
	if err := out.EnableFullDuplex(); err != nil { // answers are sent while lines are received
		return err
	}
	body := &limits.Lines{Body: r.Body, Control: out}
	stop := context.AfterFunc(s.closing, body.Interrupt) // a client that sends nothing must not delay a stop
	defer stop()
	w.Header().Set("Content-Type", ndjson.Type)
	w.Header().Set("Connection", "close") // after an interrupted read it can't be used for another request
	ing := ingest{emitter: s.o.Emitter, maxData: s.o.MaxData, defaults: d, interrupt: body.Interrupt, late: body.Late, refuse: func() error {
		if s.draining.Load() && r.Header.Get(RunTokenHeader) == "" {
			return errDraining
		}
		return nil
	}, cause: func() (*events.Event, error) { return s.publishing(r) }}
	ing.run(r.Context(), body, w, out.Flush)
	return nil
}

// LineDefaults are the attributes of lines that don't have them.
type LineDefaults struct {
	Source string // of events without one
	// ID, if not empty, makes the ids of events without one: "ID-12" for line 12. Sending the lines again, from the same source, is then
	// safe.
	ID    string
	First int // the number of the first line; 0: 1
}

func lineDefaults(r *http.Request) (LineDefaults, error) {
	p := parametersOf(r)
	d := LineDefaults{Source: p.Get("source"), ID: p.Get("id"), First: max(int(p.number("line")), 1)}
	if p.err != nil {
		return d, p.err
	}
	// A fault that every line would have is reported once.
	probe := events.Event{Type: "a", Time: time.Now()}
	d.apply(&probe, d.First)
	if err := emitter.New(nil, 0).Check(&probe); err != nil {
		return d, problem(http.StatusBadRequest, err.Error())
	}
	return d, nil
}

func (d *LineDefaults) apply(e *events.Event, line int) {
	if e.Source == "" {
		e.Source = d.Source
	}
	if e.ID == "" && d.ID != "" {
		e.ID = d.ID + "-" + strconv.Itoa(line)
	}
}

// ingest appends lines to the journal. The goroutine of run decodes them, while that of answer has earlier lines committed and answers
// them. Whenever answer is free, it takes all lines that are decoded, up to a chunk: a single line is accepted at once, and many
// share a transaction.
type ingest struct {
	emitter   *emitter.Emitter
	maxData   int
	defaults  LineDefaults
	refuse    func() error     // its error refuses all lines from here on; called before each write
	interrupt func()           // ends the read of the body
	late      func(error) bool // reports whether a read of the body failed because a line was too slow; nil: never
	// cause returns the event whose run publishes a line, or an error if that run has ended.
	cause func() (*events.Event, error)

	decoder events.Decoder // of decode

	mu      sync.Mutex
	changed sync.Cond
	decoded *lineChunk // by mu
	ended   bool       // by mu: all lines are decoded
	failed  bool       // by mu: no more lines are accepted
}

// run answers the lines of body until it ends, or until events can't be accepted.
func (g *ingest) run(ctx context.Context, body io.Reader, out io.Writer, flush func() error) {
	g.changed.L = &g.mu
	g.decoded = new(lineChunk)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.answer(ctx, out, flush)
	}()
	err := g.decode(body)
	g.mu.Lock()
	g.ended = true
	failed := g.failed
	g.changed.Broadcast()
	g.mu.Unlock()
	<-done
	if err != nil && !failed {
		// The client is gone, or the server is closing.
		p := *errDraining
		if g.late != nil && g.late(err) {
			p = *problem(http.StatusRequestTimeout, fmt.Sprintf("a line was not complete within %v", limits.BodyTimeout))
		}
		_ = events.WriteJSON(out, &p)
	}
}

// decode decodes lines until the body's end, or until answer has failed.
func (g *ingest) decode(body io.Reader) error {
	longest := ndjson.MaxLine(g.maxData)
	lines := ndjson.NewReader(body, longest)
	for number := max(g.defaults.First, 1); ; number++ {
		text, tooLong, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !tooLong && ndjson.Blank(text) {
			continue
		}
		a := lineAnswer{line: number, bytes: len(text)}
		if tooLong {
			a.problem = LineTooLong(longest)
			g.emitter.Refused().Add(emitter.TooLarge, 1)
		} else {
			a.event, a.problem = g.event(number, text)
		}
		if !g.put(a) {
			return nil
		}
	}
}

// LineTooLong is the problem of a line of NDJSON with more than max bytes.
func LineTooLong(max int) *Problem {
	return problem(http.StatusRequestEntityTooLarge, "the line has more than "+strconv.Itoa(max)+" bytes")
}

func (g *ingest) event(number int, text []byte) (*events.Event, *Problem) {
	e, err := g.decoder.Decode(text)
	if err != nil {
		g.emitter.Refused().Add(emitter.Invalid, 1)
		return nil, problem(http.StatusBadRequest, err.Error())
	}
	g.defaults.apply(e, number)
	var cause *events.Event
	if g.cause != nil {
		if cause, err = g.cause(); err != nil {
			return nil, problemOf(err)
		}
	}
	if err := g.emitter.CheckFor(e, cause); err != nil {
		return nil, problemOf(err)
	}
	return e, nil
}

// put hands a line to answer, and waits while the chunk is full. It returns false after answer has failed.
func (g *ingest) put(a lineAnswer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.decoded.full() && !g.failed {
		g.changed.Wait()
	}
	if g.failed {
		return false
	}
	g.decoded.add(a)
	if len(g.decoded.answers) == 1 {
		g.changed.Signal()
	}
	return true
}

// take waits for lines, and leaves spare for the next ones. It returns nil at the end.
func (g *ingest) take(spare *lineChunk) *lineChunk {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.decoded.answers) == 0 {
		if g.ended {
			return nil
		}
		g.changed.Wait()
	}
	c := g.decoded
	g.decoded = spare
	g.changed.Signal()
	return c
}

// answer has chunk after chunk accepted, and answers their lines.
func (g *ingest) answer(ctx context.Context, out io.Writer, flush func() error) {
	spare := new(lineChunk)
	for {
		c := g.take(spare)
		if c == nil {
			return
		}
		err := c.accept(ctx, g)
		if err == nil {
			if err := errors.Join(c.write(out), flush()); err == nil {
				spare = c
				continue
			} // else the client is gone
		} else {
			p := *problemOf(err)
			p.Line = c.answers[0].line
			_ = errors.Join(events.WriteJSON(out, &p), flush()) // if it fails, the client is gone
		}
		g.mu.Lock()
		g.failed = true
		g.changed.Signal()
		g.mu.Unlock()
		g.interrupt()
		return
	}
}

// lineChunk is a sequence of lines that is accepted in one write.
type lineChunk struct {
	answers []lineAnswer
	evs     []*events.Event
	bytes   int
	out     []byte
}

type lineAnswer struct {
	line, bytes int
	event       *events.Event
	problem     *Problem
	receipt     store.Receipt
}

func (c *lineChunk) full() bool { return len(c.answers) >= maxBatchEvents || c.bytes >= 1<<20 }

func (c *lineChunk) add(a lineAnswer) {
	c.answers = append(c.answers, a)
	if a.event != nil {
		c.evs = append(c.evs, a.event)
		c.bytes += a.bytes
	}
}

// accept appends the chunk's events to the journal.
func (c *lineChunk) accept(ctx context.Context, g *ingest) error {
	if len(c.evs) == 0 {
		return nil
	}
	if err := g.refuse(); err != nil {
		g.emitter.Refused().Add(emitter.Stopping, len(c.evs))
		return err
	}
	receipts, err := g.emitter.Accept(ctx, c.evs)
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
	c.out = c.out[:0]
	for _, a := range c.answers {
		if a.problem == nil {
			c.out = append(receiptOf(a.event, a.receipt).appendJSON(c.out), '\n')
			continue
		}
		p := *a.problem
		p.Line = a.line
		text, err := events.MarshalJSON(&p)
		if err != nil {
			return err
		}
		c.out = append(append(c.out, text...), '\n')
	}
	clear(c.answers)
	clear(c.evs)
	c.answers, c.evs, c.bytes = c.answers[:0], c.evs[:0], 0
	_, err := w.Write(c.out)
	return err
}
