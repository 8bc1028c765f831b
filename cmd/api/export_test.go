package api

import (
	"net/http"
	"slices"
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

// buffered returns how many bytes are in memory for streams.
func (p *pages) buffered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.kept
	for page := range p.writers {
		if !slices.Contains(p.recent, page) {
			n += cap(page.text)
		}
	}
	return n
}

// buffered returns how many bytes wait for readers. A block that several readers wait for counts several times.
func (f *runFeed) buffered() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		n += r.bytes + r.taken
	}
	return n
}
