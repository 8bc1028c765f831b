package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/ndjson"
	"evrun/events"
)

// LinesOptions say how lines are sent, and who gets the answers.
type LinesOptions struct {
	api.LineDefaults     // lines before First are not sent
	MaxData          int // the daemon's largest data of an event, in bytes
	// TooLong opens a writer for the text of a line that is too long to be sent; nil: the text is discarded. It is called from another
	// goroutine.
	TooLong func() io.WriteCloser
	// Answered is called for each line that isn't blank, in order. Its error ends the sending.
	Answered func(LineAnswer) error
}

// LineAnswer is the answer to a line.
type LineAnswer struct {
	Number    int
	Text      []byte // the line; nil if it was too long. Like JSON, it is valid during the call only.
	JSON      []byte // the answer as it was received: a [Receipt] or a [Problem]
	Duplicate bool
	Problem   *api.Problem // why it was refused; nil if it was accepted
}

// ErrStopped: the context ended, so the remaining lines were not sent.
var ErrStopped = errors.New("stopped before the end")

// EmitLines publishes NDJSON, an event a line. It reads answers while it sends, and has at most a few chunks of lines in memory. It
// returns the number of the first line without an answer: the lines before it were accepted or refused. After an error, later
// lines may have been accepted.
//
// Errors: [api.ErrNoDaemon] before anything was sent, [ErrBroke], a *[api.Problem] if the daemon can't accept more now,
// [ErrStopped], and those of reading and of Answered. When ctx ends, EmitLines waits up to stopGrace for the answers to the lines
// that were sent. It does not wait for a read from in.
func (c *Client) EmitLines(ctx context.Context, in io.Reader, o LinesOptions) (next int, err error) {
	conn, err := c.openLines(ctx, o.LineDefaults)
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
	wanted  bool  // it has a line that will be answered
	tooLong []int // lines that were not sent, in order: they are blank in text, so that the numbers of later lines stay
}

// stopGrace is how long EmitLines waits for answers after its context has ended.
const stopGrace = 5 * time.Second

func emitLines(ctx context.Context, conn *lineConn, in io.Reader, o LinesOptions) (int, error) {
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
func sendLines(conn *lineConn, in io.Reader, o LinesOptions, sent chan<- *sentChunk, done <-chan struct{}) error {
	lines := ndjson.NewReader(in, ndjson.MaxLine(o.MaxData))
	c := &sentChunk{first: max(o.First, 1)}
	send := func(number int, last bool) error {
		text := c.text
		if c.wanted || last && len(c.tooLong) > 0 {
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
	for number := 1; ; number++ {
		if number == c.first {
			lines.Spill = o.TooLong
		}
		text, tooLong, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return send(number, true)
		}
		if err != nil {
			_ = send(number, true) // the lines before it are complete
			return fmt.Errorf("read line %d: %w", number, err)
		}
		if number < c.first {
			continue
		}
		switch {
		case tooLong:
			c.tooLong = append(c.tooLong, number)
		case !ndjson.Blank(text):
			c.wanted = true
			c.text = append(c.text, text...)
		}
		c.text = append(c.text, '\n')
		if len(c.text) >= sentChunkBytes || !lines.Waiting() {
			if err := send(number+1, false); err != nil {
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
	var ok bool
	var err error
	if x.Text, ok, err = a.awaited(); err != nil {
		return err
	}
	if !ok {
		return errors.New("the daemon sent more answers than it got lines")
	}
	x.Number = a.line - 1
	a.next = a.line
	return a.o.Answered(x)
}

// awaited returns the next line that needs an answer; ok is false at the end.
func (a *answered) awaited() (text []byte, ok bool, err error) {
	for {
		if a.chunk == nil || len(a.chunk.text) == 0 {
			if err := a.refuseTooLong(); err != nil {
				return nil, false, err
			}
			if a.chunk, ok = <-a.sent; !ok {
				a.chunk = nil
				return nil, false, nil
			}
			a.line = a.chunk.first
		}
		text, a.chunk.text, _ = bytes.Cut(a.chunk.text, []byte("\n"))
		a.line++
		if !ndjson.Blank(text) {
			return text, true, a.refuseTooLong()
		}
	}
}

// refuseTooLong reports the lines that were too long to be sent, up to the last one that was answered.
func (a *answered) refuseTooLong() error {
	for a.chunk != nil && len(a.chunk.tooLong) > 0 && a.chunk.tooLong[0] < a.line {
		p := api.LineTooLong(ndjson.MaxLine(a.o.MaxData))
		p.Line = a.chunk.tooLong[0]
		a.chunk.tooLong = a.chunk.tooLong[1:]
		text, err := events.MarshalJSON(p)
		if err != nil {
			return err
		}
		a.next = p.Line + 1
		if err := a.o.Answered(LineAnswer{Number: p.Line, JSON: text, Problem: p}); err != nil {
			return err
		}
	}
	return nil
}

// rest checks that no line lacks its answer.
func (a *answered) rest() error {
	switch _, ok, err := a.awaited(); {
	case err != nil:
		return err
	case ok:
		return ErrBroke
	}
	return nil
}
