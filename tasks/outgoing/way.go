// Package outgoing is how handlers reach other hosts: over connections that refuse private addresses, through proxies and with certificates
// of their own, to urls whose host no event can change, following redirects no further than they say, and with errors that say whether
// another attempt is worth while.
package outgoing

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of a request. A handler's own timeout counts in place of DefaultTimeout.
const (
	DefaultTimeout = 30 * time.Second
	MaxAnswer      = 1 << 20 // of a body; the rest is cut off
)

// Way is a guard with its connections. The requests of one handler share it: each has a pool of its own, because hardly two handlers
// reach the same hosts with the same settings.
type Way struct {
	Guard     *Guard
	Transport *http.Transport // of the files as they were at the last request
	Log       *slog.Logger    // nil: [slog.Default]
	// Follow follows redirects to other hosts, too. Those have private addresses only with AllowPrivate.
	Follow, AllowPrivate bool
	// Signed are the headers that sign a request and its body. A redirect that drops the body drops them, too.
	Signed []string

	route *Route // nil: straight ahead, and by the system's certificates
	idle  int    // how many connections are kept

	mu        sync.Mutex
	config    *tls.Config     // that Transport was made with
	elsewhere *http.Transport // for redirects to other hosts: guarded, and without a certificate of ours; nil: not made yet
}

// NewWay makes a way, which refuses private addresses unless open.
func NewWay(open bool) *Way {
	g := newGuard()
	g.Open = open
	w := &Way{Guard: g, idle: 4}
	w.Transport = w.newTransport(g.DialContext)
	return w
}

// Use has the way go by a route that was read without faults, before its first request.
func (w *Way) Use(r *Route) {
	w.route = r
	w.Transport = w.made()
}

// Keep has the way keep a connection for each of n attempts at a time: with fewer, attempts would open new ones.
func (w *Way) Keep(n int) {
	w.idle = max(w.idle, n)
	w.Transport.MaxIdleConnsPerHost, w.Transport.MaxIdleConns = w.idle, max(w.Transport.MaxIdleConns, w.idle)
}

// Close closes the connections that are kept. No attempt uses the way any more.
func (w *Way) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Transport.CloseIdleConnections()
	if w.elsewhere != nil {
		w.elsewhere.CloseIdleConnections()
	}
}

// TLS returns the settings of a connection to a host that the file names, for protocols other than HTTP.
func (w *Way) TLS() *tls.Config {
	if config := w.route.tls(w.log()); config != nil {
		return config.Clone()
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

func (w *Way) log() *slog.Logger { return cmp.Or(w.Log, slog.Default()) }

// Client returns a client for requests whose redirects are followed on the same host only.
func (w *Way) Client() *http.Client {
	return &http.Client{Transport: w.current(), CheckRedirect: SameHost}
}

// current returns the transport for the next request. It is a new one when the files of the route have changed.
func (w *Way) current() *http.Transport {
	if w.route == nil || w.route.trust == nil {
		return w.Transport
	}
	config := w.route.tls(w.log())
	w.mu.Lock()
	defer w.mu.Unlock()
	if config != w.config {
		w.Transport.CloseIdleConnections()
		w.Transport = w.made()
		if w.elsewhere != nil {
			w.elsewhere.CloseIdleConnections()
			w.elsewhere = nil
		}
	}
	return w.Transport
}

// away returns the transport for redirects to other hosts.
func (w *Way) away() *http.Transport {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.elsewhere == nil {
		g := *w.Guard
		g.Open = w.AllowPrivate
		w.elsewhere = w.newTransport(g.DialContext)
		if w.route != nil {
			w.elsewhere.Proxy = w.route.proxy
			if w.config != nil {
				w.elsewhere.TLSClientConfig = w.config.Clone()
				w.elsewhere.TLSClientConfig.GetClientCertificate = nil
			}
		}
	}
	return w.elsewhere
}

// made makes the transport of the route.
func (w *Way) made() *http.Transport {
	w.config = w.route.tls(w.log())
	dial := w.Guard.DialContext
	if socket := w.route.socket; socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return w.Guard.Dial(ctx, "unix", socket) }
	}
	t := w.newTransport(dial)
	t.Proxy, t.OnProxyConnectResponse = w.route.proxy, proxyAnswer
	if w.config != nil {
		t.TLSClientConfig = w.config.Clone()
	}
	return t
}

// newTransport makes a transport. It uses no proxy unless the file says so: that of the environment belongs to the user, not to the
// daemon, and would hide the address from the guard.
func (w *Way) newTransport(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           max(16, w.idle),
		MaxIdleConnsPerHost:    w.idle,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// proxyAnswer explains the answer of a proxy that opens no connection.
func proxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return classify(resp, fmt.Errorf("the proxy %s answered %s", proxy.Host, resp.Status))
}

// ErrNoAnswer is the cause when DefaultTimeout ends an attempt. The runner reports the handler's own timeout.
var ErrNoAnswer = fmt.Errorf("no answer within %v, the timeout of a handler that names none", DefaultTimeout)

// WithTimeout adds DefaultTimeout to a context without a deadline.
func WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, DefaultTimeout, ErrNoAnswer)
}

// TimedOut puts ErrNoAnswer before an error that it caused.
func TimedOut(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrNoAnswer) && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}
