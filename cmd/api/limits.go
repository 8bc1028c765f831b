package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/peer"
	"evrun/tasks/audit"
)

// How much of the daemon clients may use at the same time. How long they may let it wait is in package limits.
const (
	defaultConnections = 3000
	defaultStreams     = 1500
	mostLines          = 200 // bodies of NDJSON

	largeBatches = 32 // bodies of more than 1 MiB that are being read
)

// ofConnection marks the requests of a connection with who sends them, and those of a connection beyond the limit.
func ofConnection(ctx context.Context, c net.Conn) context.Context {
	ctx, c = limits.Mark(ctx, c)
	who := audit.Actor{UID: -1}
	if uid, known := peer.UID(c); known {
		who.UID = uid
	}
	return audit.With(ctx, who)
}

// crowded refuses a request of a connection beyond the limit.
func (s *Server) crowded(w http.ResponseWriter) {
	problem(http.StatusServiceUnavailable, fmt.Sprintf("more than %d connections at the same time: try again later", s.o.MaxConnections)).Write(w)
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
