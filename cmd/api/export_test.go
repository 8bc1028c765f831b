package api

// Connections is how many connections are open.
func (s *Server) Connections() int { return int(s.connections.Open()) }
