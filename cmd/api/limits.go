package api

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"evrun/cmd/api/access"
)

// How much of the daemon clients may use at the same time. How long they may let it wait is in package limits.
const (
	defaultConnections = 3000
	defaultStreams     = 1500
	mostLines          = 200 // bodies of NDJSON

	mostBodies = 96 << 20 // bytes of the bodies of events that are being read and accepted, on the socket and by TCP each
)

// crowded refuses a request of a connection beyond the limit.
func (s *Server) crowded(w http.ResponseWriter) {
	problem(http.StatusServiceUnavailable, "too many connections at the same time: try again later").Write(w)
}

// places limit how many requests do the same thing at the same time. A tenth of them, and at least one of several, is kept for those who do not come by TCP: no
// token can shut the operator out of the socket.
type places struct {
	what         string
	limit        int
	taken, byTCP atomic.Int64
}

// take takes a place for a request until release. The error is a problem if all are taken.
func (p *places) take(r *http.Request) (release func(), err error) {
	if access.From(r.Context()).Local() {
		return p.of(&p.taken, p.limit)
	}
	kept := max(p.limit/10, min(1, p.limit-1))
	first, err := p.of(&p.byTCP, p.limit-kept)
	if err != nil {
		return nil, err
	}
	second, err := p.of(&p.taken, p.limit)
	if err != nil {
		first()
		return nil, err
	}
	return func() { second(); first() }, nil
}

// of takes one of so many.
func (p *places) of(taken *atomic.Int64, limit int) (release func(), err error) {
	if n := taken.Add(1); n > int64(limit) {
		taken.Add(-1)
		return nil, problem(http.StatusTooManyRequests, fmt.Sprintf("more than %d %s at the same time: try again later", limit, p.what))
	}
	return func() { taken.Add(-1) }, nil
}
