package events

import "github.com/google/uuid"

// NewID makes an id that nobody has used: a version 7 UUID (RFC 9562). Within one process, ids sort in the order of
// their making. Safe for concurrent use.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
