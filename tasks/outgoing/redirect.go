package outgoing

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// How many redirects are followed: on one host, and with Follow.
const (
	maxOnHost = 5
	maxAway   = 10
)

// Send sends a request and follows redirects, unless their status is expected. An [http.Client] copies the headers of each request in case it is
// redirected, so it gets only the requests that are. The others need nothing else of it: the timeout is the context's, there are no
// cookies, and a url has no user.
func (w *Way) Send(req *http.Request, expected func(status int) bool) (*http.Response, error) {
	transport := w.current()
	resp, err := transport.RoundTrip(req)
	if err != nil || resp.StatusCode/100 != 3 || expected(resp.StatusCode) {
		return resp, err
	}
	follow := SameHost
	if w.Follow {
		follow = w.follow
	}
	client := http.Client{Transport: &answered{resp, req.URL, transport, w}, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if expected(next.Response.StatusCode) {
			return http.ErrUseLastResponse
		}
		return follow(next, via)
	}}
	return client.Do(req)
}

// answered is a transport whose first request has its response already. Requests to other hosts have the transport of [Way.away], and so do all
// requests after them: another host chose where they lead.
type answered struct {
	first *http.Response
	from  *url.URL
	next  *http.Transport
	way   *Way
}

func (a *answered) RoundTrip(req *http.Request) (*http.Response, error) {
	if resp := a.first; resp != nil {
		a.first = nil
		return resp, nil
	}
	if !sameOrigin(a.from, req.URL) {
		a.next = a.way.away()
	}
	return a.next.RoundTrip(req)
}

// SameHost follows a redirect only to the same host, never from https to http, and only if the method stays: after a 303, and
// often after a 301 or 302, a POST would become a GET without its body. A redirect that is not followed is the response.
func SameHost(next *http.Request, via []*http.Request) error {
	switch last := via[len(via)-1]; {
	case len(via) > maxOnHost, next.Method != via[0].Method, !sameOrigin(last.URL, next.URL), next.URL.User != nil:
		return http.ErrUseLastResponse
	}
	return nil
}

// sameOrigin reports whether a url leads to the server of another, or from its http to its https.
func sameOrigin(from, to *url.URL) bool {
	upgrade := from.Scheme == "http" && to.Scheme == "https" && portOf(from) == "80" && portOf(to) == "443"
	same := to.Scheme == from.Scheme && portOf(from) == portOf(to)
	return (upgrade || same) && strings.EqualFold(to.Hostname(), from.Hostname())
}

// follow follows a redirect to any host, with the method that RFC 9110 says. What went to another host once keeps no header that may be a secret,
// not even where it is led back: see [answered].
func (w *Way) follow(next *http.Request, via []*http.Request) error {
	if w.stops(next.URL, via) != "" {
		return http.ErrUseLastResponse
	}
	next.Header.Del("Referer") // its query may have a token
	if next.Method != via[0].Method {
		removeHeaders(next.Header, func(name string) bool {
			return strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "Ce-") || slices.Contains(w.Signed, name)
		})
	}
	elsewhere := func(r *http.Request) bool { return !sameOrigin(via[0].URL, r.URL) }
	if elsewhere(next) || slices.ContainsFunc(via, elsewhere) {
		removeHeaders(next.Header, func(name string) bool { return !harmless(name) })
	}
	return nil
}

// harmless reports whether a header may go to another host: those that describe what is sent and what is accepted.
func harmless(name string) bool {
	switch name {
	case "User-Agent", "Accept", "Idempotency-Key":
		return true
	}
	return strings.HasPrefix(name, "Accept-") || strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "Ce-")
}

func removeHeaders(header http.Header, which func(name string) bool) {
	for name := range header {
		if which(http.CanonicalHeaderKey(name)) {
			delete(header, name)
		}
	}
}

// stops returns why a redirect is not followed, with Follow; empty if it is.
func (w *Way) stops(to *url.URL, via []*http.Request) string {
	from := via[len(via)-1].URL
	switch other := !sameOrigin(via[0].URL, to); {
	case len(via) > maxAway:
		return fmt.Sprintf("it would be one more than %d", maxAway)
	case to.Scheme != "http" && to.Scheme != "https", to.Hostname() == "":
		return "it leads away from http"
	case to.User != nil:
		return "it has a user name in it"
	case from.Scheme == "https" && to.Scheme == "http":
		return "it leads from https to http"
	case other && w.route != nil && w.route.socket != "":
		return "it leads away from the socket"
	case other && w.route != nil && w.route.proxy != nil && !w.AllowPrivate:
		return "behind a proxy, evrun can't see whether the other host is a public one; allow_private: true says that any may be"
	}
	return ""
}

// redirectWords says where a redirect leads that was not followed, and why; empty for another answer.
func (w *Way) redirectWords(resp *http.Response) string {
	words, ok := redirectWords(resp)
	if !ok {
		return ""
	}
	to, _ := resp.Location()
	var via []*http.Request // the requests so far, the first one first
	for req := resp.Request; req != nil; req = before(req) {
		via = append([]*http.Request{req}, via...)
	}
	switch why := w.stops(to, via); {
	case w.Follow && why != "":
		return words + ": " + why
	case !w.Follow && why == "":
		return words + "; follow: true follows it"
	}
	return words
}

// before returns the request whose redirect led to a request; nil for none.
func before(req *http.Request) *http.Request {
	if req.Response == nil {
		return nil
	}
	return req.Response.Request
}
