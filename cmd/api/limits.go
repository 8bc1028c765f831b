package api

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// How much of the daemon clients may use at the same time. How long they may let it wait is in package limits.
const (
	defaultConnections = 3000
	defaultStreams     = 1500
	mostLines          = 200 // bodies of NDJSON

	largeBatches = 32 // bodies of more than 1 MiB that are being read
)

// crowded refuses a request of a connection beyond the limit.
func (s *Server) crowded(w http.ResponseWriter) {
	problem(http.StatusServiceUnavailable, "too many connections at the same time: try again later").Write(w)
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
