// Package outgoing is how handlers reach other hosts: over connections that refuse private addresses, to urls whose host no event can
// change, following redirects to the same host only, and with errors that say whether another attempt is worth while.
package outgoing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Limits of a request. A handler's own timeout counts in place of DefaultTimeout.
const (
	DefaultTimeout = 30 * time.Second
	MaxAnswer      = 1 << 20 // of a body; the rest is cut off
	maxRedirects   = 5
)

// Way is a guard with its connections. The requests of one handler share it.
type Way struct {
	Guard     *Guard
	Transport *http.Transport
}

// NewWay makes a way, which refuses private addresses unless open.
func NewWay(open bool) *Way {
	g := newGuard()
	g.Open = open
	return &Way{g, newTransport(g)}
}

// newTransport makes the transport of a way. It uses no proxy: that of the environment belongs to the user, not to the daemon, and would
// hide the address from the guard.
func newTransport(g *Guard) *http.Transport {
	return &http.Transport{
		DialContext:            g.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
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

// Send sends a request and follows redirects on the same host, unless their status is expected. An [http.Client] copies the headers of each
// request in case it is redirected, so it gets only the requests that are. The others need nothing else of it: the timeout is the
// context's, there are no cookies, and a url has no user.
func (w *Way) Send(req *http.Request, expected func(status int) bool) (*http.Response, error) {
	resp, err := w.Transport.RoundTrip(req)
	if err != nil || resp.StatusCode/100 != 3 || expected(resp.StatusCode) {
		return resp, err
	}
	client := http.Client{Transport: &answered{resp, w.Transport}, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if expected(next.Response.StatusCode) {
			return http.ErrUseLastResponse
		}
		return SameHost(next, via)
	}}
	return client.Do(req)
}

// answered is a transport whose first request has its response already.
type answered struct {
	first *http.Response
	next  http.RoundTripper
}

func (a *answered) RoundTrip(req *http.Request) (*http.Response, error) {
	if resp := a.first; resp != nil {
		a.first = nil
		return resp, nil
	}
	return a.next.RoundTrip(req)
}

// SameHost follows a redirect only to the same host, never from https to http, and only if the method stays: after a 303, and
// often after a 301 or 302, a POST would become a GET without its body. A redirect that is not followed is the response.
func SameHost(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	upgrade := last.URL.Scheme == "http" && next.URL.Scheme == "https" && portOf(last.URL) == "80" && portOf(next.URL) == "443"
	same := next.URL.Scheme == last.URL.Scheme && portOf(last.URL) == portOf(next.URL)
	switch {
	case len(via) > maxRedirects, next.Method != via[0].Method, !upgrade && !same,
		!strings.EqualFold(next.URL.Hostname(), last.URL.Hostname()), next.URL.User != nil:
		return http.ErrUseLastResponse
	}
	return nil
}
