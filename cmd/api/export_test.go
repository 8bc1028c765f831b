package api

import (
	"net/http"
	"time"
)

// Buffered is how many bytes the server holds for streams.
func (s *Server) Buffered() int { return s.pages.buffered() + s.runs.buffered() }

// Connections is how many connections are open.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// Writing is how many streams are in the middle of a write.
func (s *Server) Writing() int {
	s.pages.mu.Lock()
	defer s.pages.mu.Unlock()
	return len(s.pages.writes)
}

// LimitWriting changes how much may be written to streams at the same time, and when a write is slow.
func (s *Server) LimitWriting(bytes int, slow time.Duration) {
	s.pages.limit, s.pages.slow = bytes, slow
}

// Transport is the transport of [Server.InProcess] for another handler.
func Transport(h http.Handler) http.RoundTripper { return inProcess{h} }
