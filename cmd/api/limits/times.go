package limits

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// How long clients may let a server wait.
const (
	BodyTimeout  = time.Minute      // for a whole body, or for a whole line of NDJSON
	RestTimeout  = time.Second      // for the rest of a body whose request is answered
	WriteTimeout = 30 * time.Second // for one write; the reader of a stream can resume afterwards
)

// timedBody removes the deadline at the body's end.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	over    bool // it was read to its end, or reading failed
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	b.over = b.over || err != nil
	return n, err
}

// answered gives the rest of the body a short time: net/http waits for it before it closes the connection, and before it
// sends an answer that keeps the connection open.
func (b *timedBody) answered() {
	if !b.over {
		_ = b.control.SetReadDeadline(time.Now().Add(RestTimeout))
	}
}

// timedWriter limits the time of each write.
type timedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *timedWriter) Write(p []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// Untimed is a writer without that limit.
func Untimed(w http.ResponseWriter) http.ResponseWriter {
	if timed, ok := w.(*timedWriter); ok {
		return timed.ResponseWriter
	}
	return w
}

// Unwrap is for [http.ResponseController].
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Lines limits the time of each line of NDJSON, from its first byte on. The time between two lines is not limited.
type Lines struct {
	Body    io.Reader
	Control *http.ResponseController

	mu          sync.Mutex
	due         time.Time // by mu: of the line that has begun; zero between lines
	interrupted bool      // by mu
}

func (l *Lines) Read(p []byte) (int, error) {
	l.mu.Lock()
	if !l.interrupted {
		_ = l.Control.SetReadDeadline(l.due)
	}
	l.mu.Unlock()
	n, err := l.Body.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n == 0:
	case p[n-1] == '\n':
		l.due = time.Time{}
	case l.due.IsZero(), bytes.IndexByte(p[:n], '\n') >= 0:
		l.due = time.Now().Add(BodyTimeout)
	}
	return n, err
}

// Interrupt ends the current read, and all later ones.
func (l *Lines) Interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	_ = l.Control.SetReadDeadline(time.Unix(1, 0))
}

// Late reports whether an error means that a line took too long.
func (l *Lines) Late(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Is(err, os.ErrDeadlineExceeded) && !l.interrupted
}
