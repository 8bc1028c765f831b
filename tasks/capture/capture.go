// Package capture keeps what an attempt prints or is answered: of each stream the beginning and the end, within a bound, without secrets. Others can
// follow it while it is written.
//
//	c := capture.New(capture.Default, secrets)
//	out := c.Stream("stdout")
//	io.Copy(out, program)
//	c.SetStatus("exit status 0")
//	output := c.End() // to be stored; nil: there is nothing to keep
//
// A writer never waits for followers, and a capture holds only what is kept. A [Follower] has a bound of its own: a slow one loses the oldest of what it
// has not read, and learns how much.
//
// Secrets are removed before anything leaves the package. A part of a secret can't be recognized by itself. So where a text is cut, a possible beginning of
// a secret before the cut is left out, and a possible end after it. A follower gets whole lines, and the beginning of a secret only with its end.
package capture

import (
	"errors"
	"io"
	"strings"
	"sync"

	"evrun/store"
	"evrun/tasks/expression"
)

// Default is how many bytes of each stream are kept unless a handler says otherwise. It is also the most that [Stream.Text] returns.
const Default = 64 << 10

// None keeps nothing.
const None = -1

// Capture is the output of one attempt. Its methods may be called by any goroutine.
type Capture struct {
	keep    int // of each stream; below 0: nothing
	secrets *expression.Secrets

	mu        sync.Mutex
	status    string
	headers   string
	streams   [2]Stream
	opened    int // of streams
	changes   int // grows with all that is written
	saved     int // the changes in the output of the last Unsaved
	followers []*Follower
	ended     bool
}

// New makes the capture of an attempt. keep is how many bytes of each stream are kept: 0: [Default]; [None]: nothing.
func New(keep int, secrets *expression.Secrets) *Capture {
	if keep == 0 {
		keep = Default
	}
	return &Capture{keep: keep, secrets: secrets}
}

// Stream is an output of the attempt: what is written to it is captured.
type Stream struct {
	c    *Capture
	name string
	buffer
}

// Stream opens a stream. An attempt has two at most.
func (c *Capture) Stream(name string) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.streams[c.opened]
	c.opened++
	s.c, s.name, s.limit = c, name, max(c.keep, Default)
	return s
}

// Keeps reports whether anything is kept.
func (c *Capture) Keeps() bool { return c.keep > 0 }

// Write never fails.
func (s *Stream) Write(p []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.write(p)
	s.c.changes++
	for _, f := range s.c.followers {
		f.add(s.name, p)
	}
	return len(p), nil
}

// ReadFrom implements [io.ReaderFrom] with shared buffers: most streams are short, so that a new buffer for each would be most of the garbage.
func (s *Stream) ReadFrom(from io.Reader) (total int64, err error) {
	b := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(b)
	for {
		n, err := from.Read(b[:])
		if n > 0 {
			_, _ = s.Write(b[:n])
		}
		switch total += int64(n); {
		case errors.Is(err, io.EOF):
			return total, nil
		case err != nil:
			return total, err
		}
	}
}

var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// Total is how many bytes were written.
func (s *Stream) Total() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.total
}

// Whole reports whether [Stream.Text] is all that was written.
func (s *Stream) Whole() bool { return s.Total() <= Default }

// Text returns what was written, as UTF-8, and [Default] bytes of it at most, with a note of what was left out. Only the parts of secrets at
// the cut are removed: the rest is for [expression.Secrets.Redact].
func (s *Stream) Text() string {
	s.c.mu.Lock()
	head, tail, omitted := s.cut(Default)
	s.c.mu.Unlock()
	if omitted > 0 {
		head, tail, omitted = neatly(s.c.secrets, head, tail, omitted)
		head = join(head, omitted, tail)
	}
	return strings.ToValidUTF8(head, "\uFFFD")
}

// SetStatus sets how the attempt ended, or what status it was answered.
func (c *Capture) SetStatus(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
	c.changes++
}

// SetHeaders sets the headers of an answer, one a line: "name: value\n".
func (c *Capture) SetHeaders(headers string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = headers
	c.changes++
}

// Output returns what is kept so far; nil: nothing. A status alone is not kept: it is in the attempt's error, or says that all went well.
func (c *Capture) Output() *store.Output {
	c.mu.Lock()
	kept := c.written(c.keep)
	c.mu.Unlock()
	return c.safe(kept)
}

// Unsaved is Output, but returns nil if nothing has changed since the last call.
func (c *Capture) Unsaved() *store.Output {
	c.mu.Lock()
	if c.saved == c.changes {
		c.mu.Unlock()
		return nil
	}
	c.saved = c.changes
	kept := c.written(c.keep)
	c.mu.Unlock()
	return c.safe(kept)
}

// End says that the attempt has ended: its followers get the rest. It returns what is kept, as Output does.
func (c *Capture) End() *store.Output {
	c.mu.Lock()
	c.ended = true
	for _, f := range c.followers {
		f.notify()
	}
	c.followers = nil
	kept := c.written(c.keep)
	c.mu.Unlock()
	return c.safe(kept)
}

// written returns what was written, secrets included, limit bytes of each stream; nil: nothing. c.mu is held.
func (c *Capture) written(limit int) *store.Output {
	if limit < 0 {
		return nil
	}
	o := &store.Output{Status: c.status, Headers: c.headers}
	for i := range c.opened {
		if s := &c.streams[i]; s.total > 0 {
			k, most := store.Stream{Name: s.name}, limit
			if s.total > int64(limit) {
				most -= limit / 32 // room for the rest of the run's rows: two streams of 64 KiB grow a store by 128 KiB
			}
			k.Head, k.Tail, k.Omitted = s.cut(most)
			o.Streams = append(o.Streams, k)
		}
	}
	if o.Streams == nil && o.Headers == "" {
		return nil
	}
	return o
}

// safe removes secrets from an output, and makes its texts valid UTF-8. It is called without c.mu, so that a writer does not wait for it.
func (c *Capture) safe(o *store.Output) *store.Output {
	if o == nil {
		return nil
	}
	o.Status, o.Headers = c.text(o.Status), c.text(o.Headers)
	for i := range o.Streams {
		s := &o.Streams[i]
		if s.Omitted > 0 {
			s.Head, s.Tail, s.Omitted = neatly(c.secrets, s.Head, s.Tail, s.Omitted)
		}
		s.Head, s.Tail = c.text(s.Head), c.text(s.Tail)
		bound(s, c.keep)
	}
	return o
}

func (c *Capture) text(raw string) string {
	return strings.ToValidUTF8(c.secrets.Redact(raw), "\uFFFD")
}
