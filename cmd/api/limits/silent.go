package limits

import (
	"net"
	"net/http"
	"sync"
)

// Silent are the connections that have not sent a whole request yet. Once it is closed, it closes them. The zero value is ready for use.
type Silent struct {
	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// Note is an [http.Server]'s ConnState.
func (s *Silent) Note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, c)
	case s.closed:
		_ = c.Close()
	default:
		if s.conns == nil {
			s.conns = map[net.Conn]bool{}
		}
		s.conns[c] = true
	}
}

// Close closes them, and those to come.
func (s *Silent) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close()
	}
}
