// Package limits bounds how many connections a server has at the same time, and how long clients may take for each body, line and write, so that none
// keeps others waiting. No goroutines.
package limits

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// refusable is how many connections beyond the limit are answered; more are closed at once.
const refusable = 100

// Connections counts the open connections of a server, and bounds them.
type Connections struct {
	Most int // more are refused
	open atomic.Int64
}

// Open is how many are open.
func (c *Connections) Open() int64 { return c.open.Load() }

// Listener counts the connections of a listener.
func (c *Connections) Listener(l net.Listener) net.Listener { return &counted{Listener: l, all: c} }

type counted struct {
	net.Listener
	all *Connections
}

func (l *counted) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n, limit := l.all.open.Add(1), int64(l.all.Most)
		conn := &connection{Conn: c, beyond: n > limit, closed: sync.OnceFunc(func() { l.all.open.Add(-1) })}
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

// Mark marks the requests of a connection beyond the limit. It returns the connection that the listener accepted.
func Mark(ctx context.Context, c net.Conn) (context.Context, net.Conn) {
	counted, ok := c.(*connection)
	if !ok {
		return ctx, c
	}
	if counted.beyond {
		ctx = context.WithValue(ctx, beyondKey{}, true)
	}
	return ctx, counted.Conn
}

// Patient limits the time of each body and of each write. refuse answers the requests of connections beyond the limit.
func Patient(next http.Handler, refuse func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			_ = control.SetReadDeadline(time.Now().Add(BodyTimeout))
			body := &timedBody{ReadCloser: r.Body, control: control}
			r.Body = body
			defer body.answered()
		}
		defer func() { _ = control.SetWriteDeadline(time.Now().Add(WriteTimeout)) }() // for what is left in the buffer
		w = &timedWriter{ResponseWriter: w, control: control}
		if r.Context().Value(beyondKey{}) != nil {
			refuse(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
