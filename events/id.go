package events

import "github.com/google/uuid"

// NewID returns a new unique id, a version 7 UUID (RFC 9562). Within one process, ids sort in order of creation. Safe for concurrent use.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// The random bytes of several ids are read at once: reading them takes longer than the rest of NewID. Ids are no secrets.
func init() { uuid.EnableRandPool() }
