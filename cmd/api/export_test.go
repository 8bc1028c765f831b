package api

import "net/http"

// Connections is how many connections are open.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// Transport is the transport of [Server.InProcess] for another handler.
func Transport(h http.Handler) http.RoundTripper { return inProcess{h} }
