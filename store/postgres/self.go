package postgres

// self is the node that this process is; 0: it is not a daemon.
func (s *Store) self() int64 { return s.node.Load() }
