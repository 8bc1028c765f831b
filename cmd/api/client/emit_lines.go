package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/tasks/trace"
)

// LinesOptions say how lines are sent, and who gets the answers.
type LinesOptions struct {
	api.LineDefaults               // lines before First are not sent
	MaxData          int           // the daemon's largest data of an event, in bytes
	Trace            trace.Context // of events without one
	// Users: the lines are users, as POST /v1/users takes them; Update replaces those that are stored already.
	Users, Update bool
	// TooLong opens a writer for the text of a line that is too long to be sent; nil: the text is discarded. It is called from another
	// goroutine.
	TooLong func() io.WriteCloser
	// Answered is called for each line that isn't blank, in order. Its error ends the sending.
	Answered func(LineAnswer) error
}

// LineAnswer is the answer to a line.
type LineAnswer struct {
	Number    int
	Text      []byte // the line, or its Original; nil if it was too long. Like JSON, it is valid during the call only.
	JSON      []byte // the answer as it was received: an [api.Receipt], [api.ImportedUser] or [api.Problem]
	Duplicate bool
	Problem   *api.Problem // why it was refused; nil if it was accepted
}

// ErrStopped: the context ended, so the remaining lines were not sent.
var ErrStopped = errors.New("stopped before the end")

// path is where the lines are sent to.
func (o *LinesOptions) path() string {
	line := strconv.Itoa(max(o.First, 1))
	switch {
	case !o.Users:
		return "/v1/events?" + url.Values{"source": {o.Source}, "id": {o.ID}, "line": {line}}.Encode()
	case o.Update:
		return "/v1/users?on=update&line=" + line
	}
	return "/v1/users?line=" + line
}

// Lines gives the lines that are sent.
type Lines interface {
	// Next returns the next line, valid until the next call, or [io.EOF].
	Next() (Line, error)
	// Waiting reports whether Next may return without waiting for more input.
	Waiting() bool
}

// Line is a line to send.
type Line struct {
	Number   int          // in the file, from 1; greater than the one before. Numbers that are left out are blank lines
	Text     []byte       // NDJSON, without its line end
	Original []byte       // what the file has for it, if it isn't NDJSON
	Refused  *api.Problem // why it can't be sent: its answer, when its turn comes
}

// ndjsonLines are the lines of an input that is NDJSON itself.
type ndjsonLines struct {
	*ndjson.Reader
	o      *LinesOptions
	number int
}

// Next implements [Lines].
func (l *ndjsonLines) Next() (Line, error) {
	if l.number++; l.number == max(l.o.First, 1) {
		l.Spill = l.o.TooLong
	}
	text, tooLong, err := l.Reader.Next()
	line := Line{Number: l.number, Text: text}
	if tooLong {
		line.Refused = shape.LineTooLong(ndjson.MaxLine(l.o.MaxData))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read line %d: %w", l.number, err)
	}
	return line, err
}

// EmitLines is [Client.SendLines] for an input that is NDJSON.
func (c *Client) EmitLines(ctx context.Context, in io.Reader, o LinesOptions) (next int, err error) {
	return c.SendLines(ctx, &ndjsonLines{Reader: ndjson.NewReader(in, ndjson.MaxLine(o.MaxData)), o: &o}, o)
}

// SendLines publishes lines, an event each. It reads answers while it sends, and has at most a few chunks of lines in memory. It
// returns the number of the first line without an answer: the lines before it were accepted or refused. After an error, later
// lines may have been accepted.
//
// Errors: [api.ErrNoDaemon] before anything was sent, [ErrBroke], a *[api.Problem] if the daemon can't accept more now,
// [ErrStopped], and those of reading and of Answered. When ctx ends, SendLines waits up to stopGrace for the answers to the lines
// that were sent. It does not wait for a read of in.
func (c *Client) SendLines(ctx context.Context, in Lines, o LinesOptions) (next int, err error) {
	conn, err := c.openLines(ctx, o.path(), o.Trace)
	if err != nil {
		return max(o.First, 1), err
	}
	return emitLines(ctx, conn, in, o)
}

// Lines are sent in chunks. At most so many chunks of so many bytes, and the longest line, are in memory.
const (
	sentChunkBytes = 128 << 10
	sentChunks     = 8
)

// sentChunk is a sequence of lines that was sent.
type sentChunk struct {
	first   int // the number of its first line
	text    []byte
	wanted  bool          // it has a line that will be answered
	refused []refusedLine // lines in whose place notJSON was sent, in order

	// The originals of the lines that are answered, one after the other; empty if they are NDJSON.
	originals []byte
	lengths   []int
}

// notJSON is sent for a line that is refused here: the server refuses it when its turn comes, so that the answers are in order and
// memory is bounded, however many there are.
const notJSON = '!'

// refusedLine is a line that is refused here.
type refusedLine struct {
	number  int
	problem *api.Problem
}

// add adds a line.
func (c *sentChunk) add(l Line) {
	switch {
	case l.Refused != nil:
		c.wanted = true
		c.refused = append(c.refused, refusedLine{l.Number, l.Refused})
		c.text = append(c.text, notJSON)
	case !ndjson.Blank(l.Text):
		c.wanted = true
		c.text = append(c.text, l.Text...)
	default:
		l.Original = nil
	}
	c.text = append(c.text, '\n')
	if l.Original != nil {
		c.originals, c.lengths = append(c.originals, l.Original...), append(c.lengths, len(l.Original))
	}
}

// original returns the original of the next line that is answered; nil: it has none.
func (c *sentChunk) original() (text []byte) {
	if len(c.lengths) > 0 {
		text, c.originals = c.originals[:c.lengths[0]:c.lengths[0]], c.originals[c.lengths[0]:]
		c.lengths = c.lengths[1:]
	}
	return text
}

// stopGrace is how long SendLines waits for answers after its context has ended.
const stopGrace = 5 * time.Second

func emitLines(ctx context.Context, conn *lineConn, in Lines, o LinesOptions) (int, error) {
	defer conn.abort()
	done := make(chan struct{})
	defer close(done)
	sent := make(chan *sentChunk, sentChunks)
	readErr := make(chan error, 1)
	go func() {
		readErr <- sendLines(conn, in, o, sent, done)
		close(sent)
		conn.end()
	}()
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(stopGrace, conn.abort)
		conn.end()
		<-done
		t.Stop()
	})
	defer stop()

	a := answered{o: o, sent: sent, next: max(o.First, 1)}
	err := a.read(conn)
	if err == nil { // the answers have ended, so nothing more is sent
		conn.abort()
		select {
		case err = <-readErr:
		case <-ctx.Done():
			err = ErrBroke
		}
		if err == nil {
			err = a.rest()
		}
	}
	if ctx.Err() != nil && errors.Is(err, ErrBroke) {
		err = ErrStopped
	}
	return a.next, err
}

// sendLines reads lines and sends them, until their end or done. Each chunk goes to sent before it goes to conn.
func sendLines(conn *lineConn, in Lines, o LinesOptions, sent chan<- *sentChunk, done <-chan struct{}) error {
	number := max(o.First, 1) // of the next line of c
	c := &sentChunk{first: number}
	send := func() error {
		text := c.text
		if c.wanted {
			select {
			case sent <- c:
			case <-done:
				return ErrBroke
			}
			c = &sentChunk{first: number, text: make([]byte, 0, sentChunkBytes+1<<10)}
		} else { // it will have no answer, so nothing would take it from the channel
			c.first, c.text = number, text[:0]
		}
		if len(text) == 0 {
			return nil
		}
		return conn.send(text)
	}
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return send()
		}
		if err != nil {
			_ = send() // the lines before it are complete
			return err
		}
		if line.Number < number {
			continue
		}
		for ; number < line.Number; number++ {
			c.text = append(c.text, '\n')
		}
		number++
		c.add(line)
		if len(c.text)+len(c.originals) >= sentChunkBytes || !in.Waiting() {
			if err := send(); err != nil {
				return err
			}
		}
	}
}

// answered matches answers and lines.
type answered struct {
	o    LinesOptions
	sent <-chan *sentChunk
	next int // the first line without an answer

	chunk *sentChunk // the chunk that is being answered; its text is the part that has no answer yet
	line  int        // the number of its next line
}

// read reads the answers until their end.
func (a *answered) read(conn *lineConn) error {
	from, err := conn.answers()
	if err != nil {
		return err
	}
	defer from.Close()
	in := ndjson.NewReader(from, 4<<20)
	for {
		text, tooLong, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w (%w)", ErrBroke, err)
		case tooLong:
			return errors.New("the daemon's answer is too long")
		}
		if err := a.take(text); err != nil {
			return err
		}
	}
}

// take handles one answer.
func (a *answered) take(text []byte) error {
	x := LineAnswer{JSON: text}
	// Most answers are receipts of new events: their first and last bytes suffice.
	if !bytes.HasPrefix(text, []byte(`{"id":`)) || !bytes.HasSuffix(text, []byte(`,"duplicate":false}`)) {
		var either struct {
			api.Receipt
			api.Problem
		}
		if err := events.DecodeJSON(text, &either); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		if x.Duplicate = either.Duplicate; either.Status != 0 {
			x.Problem = &either.Problem
		}
	}
	if x.Problem != nil && x.Problem.Status >= 500 {
		return x.Problem // nothing from this line on was accepted
	}
	text, ok := a.awaited()
	if !ok {
		return errors.New("the daemon sent more answers than it got lines")
	}
	x.Number, x.Text = a.line-1, text
	if err := a.refuse(&x); err != nil {
		return err
	}
	if original := a.chunk.original(); original != nil {
		x.Text = original
	}
	a.next = a.line
	return a.o.Answered(x)
}

// awaited returns the next line that needs an answer; ok is false at the end.
func (a *answered) awaited() (text []byte, ok bool) {
	for {
		if a.chunk == nil || len(a.chunk.text) == 0 {
			if a.chunk, ok = <-a.sent; !ok {
				a.chunk = nil
				return nil, false
			}
			a.line = a.chunk.first
		}
		text, a.chunk.text, _ = bytes.Cut(a.chunk.text, []byte("\n"))
		a.line++
		if !ndjson.Blank(text) {
			return text, true
		}
	}
}

// refuse replaces the answer to a line in whose place notJSON was sent.
func (a *answered) refuse(x *LineAnswer) (err error) {
	if len(a.chunk.refused) == 0 || a.chunk.refused[0].number != x.Number {
		return nil
	}
	p := *a.chunk.refused[0].problem
	p.Line = x.Number
	a.chunk.refused = a.chunk.refused[1:]
	x.Problem, x.Text, x.Duplicate = &p, nil, false
	x.JSON, err = events.MarshalJSON(&p)
	return err
}

// rest checks that no line lacks its answer.
func (a *answered) rest() error {
	if _, ok := a.awaited(); ok {
		return ErrBroke
	}
	return nil
}
