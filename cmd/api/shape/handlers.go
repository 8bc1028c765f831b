package shape

import (
	"evrun/tasks/control"
)

// Resumed answers a request to resume a handler.
type Resumed struct {
	Name    string `json:"name"`
	Resumed bool   `json:"resumed"` // false: it was not paused
	control.Skipped
}

// Forgotten answers a request to forget a handler.
type Forgotten struct {
	Name      string `json:"name"`
	Forgotten bool   `json:"forgotten"`
	control.Skipped
}

// PausedHandler answers a request to pause a handler.
type PausedHandler struct {
	Name   string         `json:"name"`
	Paused bool           `json:"paused"`          // false: it was paused already
	Pause  *control.Pause `json:"pause,omitempty"` // who has paused it; nil: it returned late
}
