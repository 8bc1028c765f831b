package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// What clients may take of the daemon at the same time, and how long they may leave it waiting.
const (
	defaultConnections = 1000
	defaultStreams     = 200
	refusable          = 100 // connections beyond the limit that are answered; more are closed without a word

	largeBatches = 32 // bodies of more than 1 MiB that are being read

	bodyTimeout  = time.Minute      // for a whole body; of NDJSON for a whole line
	restTimeout  = time.Second      // for what is left of a body when its request is answered
	writeTimeout = 30 * time.Second // for one write; a stream's reader that is let go can resume
)

// counted counts connections while they are open.
type counted struct {
	net.Listener
	server *Server
}

func (l *counted) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n, limit := l.server.connections.Add(1), int64(l.server.o.MaxConnections)
		conn := &connection{Conn: c, beyond: n > limit, closed: sync.OnceFunc(func() { l.server.connections.Add(-1) })}
		if n <= limit+refusable {
			return conn, nil
		}
		_ = conn.Close()
	}
}

type connection struct {
	net.Conn
	beyond bool // the limit: it is there to be refused
	closed func()
}

func (c *connection) Close() error {
	c.closed()
	return c.Conn.Close()
}

type beyondKey struct{}

// markBeyond has requests know that their connection is one too many.
func markBeyond(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*connection); ok && c.beyond {
		return context.WithValue(ctx, beyondKey{}, true)
	}
	return ctx
}

// patient waits for no client for ever: a body has its time, as each write has. It refuses requests of connections that are
// too many.
func (s *Server) patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
			body := &timedBody{ReadCloser: r.Body, control: control}
			r.Body = body
			defer body.answered()
		}
		defer func() { _ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) }() // for what is left in the buffer
		w = &timedWriter{ResponseWriter: w, control: control}
		if r.Context().Value(beyondKey{}) != nil {
			problem(http.StatusServiceUnavailable, fmt.Sprintf("%d connections at the same time are the limit: try again later", s.o.MaxConnections)).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody takes the deadline away when the body has come to its end.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	over    bool // it was read to its end, or can't be read
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	b.over = b.over || err != nil
	return n, err
}

// answered gives what is left of the body a short time: net/http waits for it before it closes the connection, and before it
// sends an answer that keeps the connection open.
func (b *timedBody) answered() {
	if !b.over {
		_ = b.control.SetReadDeadline(time.Now().Add(restTimeout))
	}
}

// timedWriter gives each write its time.
type timedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *timedWriter) Write(p []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// timedLines gives each line of NDJSON its time, from its first byte on. Between lines there is no hurry.
type timedLines struct {
	body    io.Reader
	control *http.ResponseController

	mu          sync.Mutex
	due         time.Time // by mu: of the line that has begun; zero: none has
	interrupted bool      // by mu
}

func (l *timedLines) Read(p []byte) (int, error) {
	l.mu.Lock()
	if !l.interrupted {
		_ = l.control.SetReadDeadline(l.due)
	}
	l.mu.Unlock()
	n, err := l.body.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n == 0:
	case p[n-1] == '\n':
		l.due = time.Time{}
	case l.due.IsZero(), bytes.IndexByte(p[:n], '\n') >= 0:
		l.due = time.Now().Add(bodyTimeout)
	}
	return n, err
}

// interrupt ends the read that is under way, and those that follow.
func (l *timedLines) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	_ = l.control.SetReadDeadline(time.Unix(1, 0))
}

// late says whether an error is that of a line that did not come to its end in time.
func (l *timedLines) late(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Is(err, os.ErrDeadlineExceeded) && !l.interrupted
}

// places are how many may do the same thing at the same time.
type places struct {
	what  string
	limit int
	taken atomic.Int64
}

// take takes a place, or is a problem.
func (p *places) take() (release func(), err error) {
	if n := p.taken.Add(1); n > int64(p.limit) {
		p.taken.Add(-1)
		return nil, problem(http.StatusTooManyRequests, fmt.Sprintf("%d %s at the same time are the limit: try again later", p.limit, p.what))
	}
	return func() { p.taken.Add(-1) }, nil
}
