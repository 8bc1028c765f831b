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

	"evrun/cmd/api/peer"
	"evrun/tasks/audit"
)

// How much of the daemon clients may use at the same time, and how long they may let it wait.
const (
	defaultConnections = 1000
	defaultStreams     = 200
	refusable          = 100 // connections beyond the limit that are answered; more are closed at once

	largeBatches = 32 // bodies of more than 1 MiB that are being read

	bodyTimeout  = time.Minute      // for a whole body, or for a whole line of NDJSON
	restTimeout  = time.Second      // for the rest of a body whose request is answered
	writeTimeout = 30 * time.Second // for one write; the reader of a stream can resume afterwards
)

// counted counts the open connections.
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
	beyond bool // the limit: it will be refused
	closed func()
}

func (c *connection) Close() error {
	c.closed()
	return c.Conn.Close()
}

type beyondKey struct{}

// ofConnection marks the requests of a connection with who sends them, and those of a connection beyond the limit.
func ofConnection(ctx context.Context, c net.Conn) context.Context {
	who := audit.Actor{UID: -1}
	counted, ok := c.(*connection)
	if ok {
		c = counted.Conn
	}
	if uid, known := peer.UID(c); known {
		who.UID = uid
	}
	ctx = audit.With(ctx, who)
	if ok && counted.beyond {
		ctx = context.WithValue(ctx, beyondKey{}, true)
	}
	return ctx
}

// patient limits the time of each body and of each write. It refuses the requests of connections beyond the limit.
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
			problem(http.StatusServiceUnavailable, fmt.Sprintf("more than %d connections at the same time: try again later", s.o.MaxConnections)).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

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
		_ = b.control.SetReadDeadline(time.Now().Add(restTimeout))
	}
}

// timedWriter limits the time of each write.
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

// timedLines limits the time of each line of NDJSON, from its first byte on. Between lines there is no limit.
type timedLines struct {
	body    io.Reader
	control *http.ResponseController

	mu          sync.Mutex
	due         time.Time // by mu: of the line that has begun; zero between lines
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

// interrupt ends the current read, and all later ones.
func (l *timedLines) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	_ = l.control.SetReadDeadline(time.Unix(1, 0))
}

// late reports whether an error means that a line took too long.
func (l *timedLines) late(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Is(err, os.ErrDeadlineExceeded) && !l.interrupted
}

// places limit how many requests do the same thing at the same time.
type places struct {
	what  string
	limit int
	taken atomic.Int64
}

// take takes a place until release. The error is a problem if all are taken.
func (p *places) take() (release func(), err error) {
	if n := p.taken.Add(1); n > int64(p.limit) {
		p.taken.Add(-1)
		return nil, problem(http.StatusTooManyRequests, fmt.Sprintf("more than %d %s at the same time: try again later", p.limit, p.what))
	}
	return func() { p.taken.Add(-1) }, nil
}
