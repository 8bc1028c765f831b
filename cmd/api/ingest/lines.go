// Package ingest reads what the requests that publish events say: in which mode the events come ([ContentType.ModeOf]), plain JSON, idempotency keys,
// and which events a token may publish. [Lines] accepts a body of NDJSON: lines are decoded while earlier ones are committed, and each is answered in its
// turn.
//
// Goroutines: [Lines.Run] has one, which has ended when it returns. Memory: a chunk of decoded lines waits while another is committed, each of at most
// [MaxEvents] events and about 1 MiB.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"evrun/cmd/api/access"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/trace"
)

// Defaults are the attributes of lines that don't have them.
type Defaults struct {
	Source string // of events without one
	// ID, if not empty, makes the ids of events without one: "ID-12" for line 12. Sending the lines again, from the same source, is then
	// safe.
	ID    string
	First int // the number of the first line; 0: 1
}

// Apply gives an event of a line what it lacks.
func (d *Defaults) Apply(e *events.Event, line int) {
	if e.Source == "" {
		e.Source = d.Source
	}
	if e.ID == "" && d.ID != "" {
		e.ID = d.ID + "-" + strconv.Itoa(line)
	}
}

// Lines appends lines to the journal. The goroutine of Run decodes them, while that of answer has earlier lines committed and answers
// them. Whenever answer is free, it takes all lines that are decoded, up to a chunk: a single line is accepted at once, and many
// share a transaction.
type Lines struct {
	Emitter   *emitter.Emitter
	MaxData   int
	Defaults  Defaults
	Trace     trace.Context    // of events without one
	Refuse    func() error     // its error refuses all lines from here on; called before each write
	Interrupt func()           // ends the read of the body
	Late      func(error) bool // reports whether a read of the body failed because a line was too slow; nil: never
	Used      func(bytes int)  // is called for each line that has an event, between reads of the body; nil: nobody wants to know
	Who       *access.Identity // whose events they are
	// Cause returns the event whose run publishes a line, or an error if that run has ended.
	Cause func() (*events.Event, error)

	decoder events.Decoder // of decode

	mu      sync.Mutex
	changed sync.Cond
	decoded *lineChunk // by mu
	ended   bool       // by mu: all lines are decoded
	failed  bool       // by mu: no more lines are accepted
}

// Run answers the lines of body until it ends, or until events can't be accepted.
func (g *Lines) Run(ctx context.Context, body io.Reader, out io.Writer, flush func() error) {
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
		// The client is gone, or the server is closing, or the body isn't what it should be.
		p := *shape.ErrDraining
		var wrong *shape.Problem
		if errors.As(err, &wrong) {
			p = *wrong
		} else if g.Late != nil && g.Late(err) {
			p = *shape.NewProblem(http.StatusRequestTimeout, fmt.Sprintf("a line was not complete within %v", limits.BodyTimeout))
		}
		_ = events.WriteJSON(out, &p)
	}
}

// decode decodes lines until the body's end, or until answer has failed.
func (g *Lines) decode(body io.Reader) error {
	longest := ndjson.MaxLine(g.MaxData)
	lines := ndjson.NewReader(body, longest)
	for number := max(g.Defaults.First, 1); ; number++ {
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
			a.problem = shape.LineTooLong(longest)
			g.Emitter.Refused().Add(emitter.TooLarge, 1)
		} else {
			a.event, a.problem = g.event(number, text)
			if g.Used != nil && a.event != nil {
				g.Used(len(text) + 1)
			}
		}
		if !g.put(a) {
			return nil
		}
	}
}

func (g *Lines) event(number int, text []byte) (*events.Event, *shape.Problem) {
	e, err := g.decoder.Decode(text)
	if err != nil {
		g.Emitter.Refused().Add(emitter.Invalid, 1)
		return nil, shape.NewProblem(http.StatusBadRequest, err.Error())
	}
	g.Defaults.Apply(e, number)
	g.Trace.Give(e)
	var cause *events.Event
	if g.Cause != nil {
		if cause, err = g.Cause(); err != nil {
			return nil, shape.ProblemOf(err)
		}
	}
	if err := Permit(g.Who, e); err != nil {
		p := shape.ProblemOf(err)
		g.Emitter.Refused().Add(WhyRefused(p.Status), 1)
		return nil, p
	}
	if err := g.Emitter.CheckFor(e, cause); err != nil {
		return nil, shape.ProblemOf(err)
	}
	return e, nil
}

// put hands a line to answer, and waits while the chunk is full. It returns false after answer has failed.
func (g *Lines) put(a lineAnswer) bool {
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
func (g *Lines) take(spare *lineChunk) *lineChunk {
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
func (g *Lines) answer(ctx context.Context, out io.Writer, flush func() error) {
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
			p := *shape.ProblemOf(err)
			p.Line = c.answers[0].line
			_ = errors.Join(events.WriteJSON(out, &p), flush()) // if it fails, the client is gone
		}
		g.mu.Lock()
		g.failed = true
		g.changed.Signal()
		g.mu.Unlock()
		g.Interrupt()
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
	problem     *shape.Problem
	receipt     store.Receipt
}

func (c *lineChunk) full() bool { return len(c.answers) >= MaxEvents || c.bytes >= 1<<20 }

func (c *lineChunk) add(a lineAnswer) {
	c.answers = append(c.answers, a)
	if a.event != nil {
		c.evs = append(c.evs, a.event)
		c.bytes += a.bytes
	}
}

// accept appends the chunk's events to the journal.
func (c *lineChunk) accept(ctx context.Context, g *Lines) error {
	if len(c.evs) == 0 {
		return nil
	}
	if err := g.Refuse(); err != nil {
		g.Emitter.Refused().Add(emitter.Stopping, len(c.evs))
		return err
	}
	receipts, err := g.Emitter.Accept(ctx, c.evs)
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
			c.out = append(ReceiptOf(a.event, a.receipt).AppendJSON(c.out), '\n')
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

// MaxEvents is the largest number of events in a batch, or in a chunk of NDJSON.
const MaxEvents = 1000

// ReceiptOf answers an accepted event.
func ReceiptOf(e *events.Event, rc store.Receipt) shape.Receipt {
	return shape.Receipt{ID: e.ID, Source: e.Source, Sequence: rc.Sequence, Duplicate: rc.Duplicate}
}
