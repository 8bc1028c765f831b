// Package limits bounds how many connections a server and an address have at the same time, how much passes in a time, the memory that bodies take together, and how long clients may take for
// each body, line and write, so that none keeps others waiting. It also says who sends a request behind proxies. No goroutines.
package limits

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// refusable is how many connections beyond the limit are answered; more are closed at once.
const refusable = 100

// Connections counts the open connections of a server, and bounds them.
type Connections struct {
	Most int // more are refused
	// Share is how many of them one address can have, or one network of IPv6 (/64), so that it can't take all; 0: any number. Exempt are addresses
	// from which many people come. Addresses of this machine are exempt.
	Share  int
	Exempt []netip.Prefix

	open, refused atomic.Int64

	mu   sync.Mutex
	from map[netip.Addr]int // by mu: open connections of each address that has a share
}

// Open is how many are open.
func (c *Connections) Open() int64 { return c.open.Load() }

// Refused is how many were refused because there were too many.
func (c *Connections) Refused() int64 { return c.refused.Load() }

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
		if conn := l.all.take(c); conn != nil {
			return conn, nil
		}
		_ = c.Close()
	}
}

// take counts a connection. It returns nil for one that is closed without an answer.
func (c *Connections) take(conn net.Conn) *connection {
	from := c.sharer(conn)
	n, of := c.open.Add(1), c.count(from, 1)
	limit, share := int64(c.Most), c.Share
	taken := &connection{Conn: conn, beyond: n > limit || share > 0 && of > share, closed: sync.OnceFunc(func() {
		c.open.Add(-1)
		c.count(from, -1)
	})}
	if taken.beyond {
		c.refused.Add(1)
	}
	if n > limit+refusable || share > 0 && of > share+refusable/10 {
		taken.closed()
		return nil
	}
	return taken
}

// sharer is the address that a connection counts for; not valid for one that has no share.
func (c *Connections) sharer(conn net.Conn) netip.Addr {
	if c.Share == 0 {
		return netip.Addr{}
	}
	peer, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	if Within(peer.Addr(), c.Exempt) {
		return netip.Addr{}
	}
	return sharing(peer.Addr())
}

// count adds to the connections of an address, and returns how many it has.
func (c *Connections) count(from netip.Addr, n int) int {
	if !from.IsValid() {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from == nil {
		c.from = map[netip.Addr]int{}
	}
	c.from[from] += n
	of := c.from[from]
	if of == 0 {
		delete(c.from, from)
	}
	return of
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

// Mark marks the requests of a connection beyond the limit. It returns the connection that the listener accepted, without TLS.
func Mark(ctx context.Context, c net.Conn) (context.Context, net.Conn) {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
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

type connKey struct{}

// WithConn keeps a connection, without TLS, for [SendLittle].
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// sendBuffer is about how much the system keeps of a stream that is not read: Linux takes twice as much. Without a bound it takes megabytes.
const sendBuffer = 32 << 10

// SendLittle bounds how much the system keeps of an answer by TCP that the client does not read. The context is that of the request.
func SendLittle(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(sendBuffer) // if the connection is broken, writing says so
	}
}
