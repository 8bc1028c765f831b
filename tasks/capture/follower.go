package capture

import (
	"bytes"
	"context"
	"io"
	"time"
)

// Bounds of what a [Follower] holds.
const (
	maxPending = 256 << 10 // of what its reader has not taken yet
	maxLine    = 16 << 10  // of a line without end: then its beginning is given
)

// Piece is a part of an output, without secrets.
type Piece struct {
	Stream  string
	Text    string
	Omitted int64 // this many bytes were left out here, before Text
}

// Follower follows the output of an attempt, from its beginning: what is kept of it, and then what comes. It has one reader. If that is slow, the oldest
// of what it has not read is dropped, and Piece.Omitted says so; the writer does not wait.
type Follower struct {
	c    *Capture
	wake chan struct{} // has room for one

	// By c.mu.
	pending []segment // in the order of writing
	bytes   int       // of pending

	lines [2]line // the reader's
}

// segment is a part of a stream as it was written, behind a gap if omitted.
type segment struct {
	stream  string
	text    []byte
	omitted int64
}

// line is the end of a stream that is not given to the reader yet: a line without its end, or what may be the beginning of a secret.
type line struct {
	stream string
	held   []byte
	gap    bool // a part of the stream was left out, and nothing has come since
}

// Follow begins to follow. [Follower.Close] ends it.
func (c *Capture) Follow() *Follower {
	f := &Follower{c: c, wake: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.written(max(c.keep, Default)); o != nil {
		for _, s := range o.Streams {
			f.pending = append(f.pending, segment{s.Name, []byte(s.Head), 0})
			if s.Omitted > 0 {
				f.pending = append(f.pending, segment{s.Name, []byte(s.Tail), s.Omitted})
			}
			f.bytes += len(s.Head) + len(s.Tail)
		}
	}
	f.notify()
	if !c.ended {
		c.followers = append(c.followers, f)
	}
	return f
}

// Close ends it. The follower must not be used any more.
func (f *Follower) Close() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	for i, other := range f.c.followers {
		if other == f {
			f.c.followers = append(f.c.followers[:i:i], f.c.followers[i+1:]...)
			return
		}
	}
}

// add adds what was written; c.mu is held.
func (f *Follower) add(stream string, text []byte) {
	if last := len(f.pending) - 1; last >= 0 && f.pending[last].stream == stream && len(f.pending[last].text) < 4<<10 {
		f.pending[last].text = append(f.pending[last].text, text...)
	} else {
		f.pending = append(f.pending, segment{stream, bytes.Clone(text), 0})
	}
	f.bytes += len(text)
	for f.bytes > maxPending {
		f.drop()
	}
	f.notify()
}

// drop drops the oldest segment, and notes that in the next one of its stream; c.mu is held.
func (f *Follower) drop() {
	old := f.pending[0]
	f.pending[0] = segment{}
	f.pending = f.pending[1:]
	f.bytes -= len(old.text)
	lost := old.omitted + int64(len(old.text))
	for i := range f.pending {
		if f.pending[i].stream == old.stream {
			f.pending[i].omitted += lost
			return
		}
	}
	f.pending = append(f.pending, segment{stream: old.stream, omitted: lost})
}

// notify wakes the reader; c.mu is held.
func (f *Follower) notify() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Next waits for more of the output, and returns it; nothing if beat comes first. The error is io.EOF when the attempt has ended and everything
// was returned, or the context's.
func (f *Follower) Next(ctx context.Context, beat <-chan time.Time) ([]Piece, error) {
	for {
		f.c.mu.Lock()
		list, ended := f.pending, f.c.ended
		f.pending, f.bytes = nil, 0
		f.c.mu.Unlock()
		var pieces []Piece
		for _, s := range list {
			pieces = f.take(pieces, s)
		}
		if len(list) == 0 && ended {
			for i := range f.lines {
				pieces = f.give(pieces, &f.lines[i], len(f.lines[i].held))
			}
			if pieces == nil {
				return nil, io.EOF
			}
		}
		if pieces != nil {
			return pieces, nil
		}
		if ended {
			continue
		}
		select {
		case <-f.wake:
		case <-beat:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take adds what can be given of a segment to the pieces.
func (f *Follower) take(pieces []Piece, s segment) []Piece {
	l := f.line(s.stream)
	if s.omitted > 0 {
		begun := telling(f.c.secrets.Begun(string(l.held)))
		pieces = f.give(pieces, l, len(l.held)-begun)
		pieces = append(pieces, Piece{Stream: s.stream, Omitted: s.omitted + int64(begun)})
		l.held, l.gap = nil, true
	}
	if l.held = append(l.held, s.text...); l.gap && len(l.held) > 0 {
		if end := telling(f.c.secrets.Ended(string(l.held))); end > 0 {
			pieces = append(pieces, Piece{Stream: s.stream, Omitted: int64(end)})
			l.held = l.held[end:]
		}
		l.gap = false
	}
	whole := bytes.LastIndexByte(l.held, '\n') + 1
	if len(l.held)-whole > maxLine {
		whole = runeStart(l.held, len(l.held)-1)
	}
	return f.give(pieces, l, whole-f.c.secrets.Begun(string(l.held[:whole])))
}

// line returns the line of a stream.
func (f *Follower) line(stream string) *line {
	for i := range f.lines {
		if l := &f.lines[i]; l.stream == stream || l.stream == "" {
			l.stream = stream
			return l
		}
	}
	return &f.lines[0] // can't happen: an attempt has two streams
}

// give adds the first n bytes of what is held to the pieces.
func (f *Follower) give(pieces []Piece, l *line, n int) []Piece {
	if n <= 0 {
		return pieces
	}
	pieces = append(pieces, Piece{Stream: l.stream, Text: f.c.text(string(l.held[:n]))})
	l.held = append(l.held[:0], l.held[n:]...)
	return pieces
}
