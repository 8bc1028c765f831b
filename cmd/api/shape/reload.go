package shape

import (
	"time"

	"evrun/tasks"
	"evrun/tasks/control"
)

// Reloaded is the result of a reload of the wiring file.
type Reloaded struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why the file was refused: the wiring has not changed
	// The changes.
	Handlers  tasks.Changes `json:"handlers,omitzero"`
	Schedules tasks.Changes `json:"schedules,omitzero"`
	Events    tasks.Changes `json:"events,omitzero"`
	Hooks     tasks.Changes `json:"hooks,omitzero"` // of hooks
	// Left are removed handlers with waiting events or runs. Paused are handlers that returned after more than an hour.
	Left     []control.Unfinished `json:"left,omitempty"`
	Paused   []control.Unfinished `json:"paused,omitempty"`
	Unknown  []tasks.UnknownWas   `json:"unknown_was,omitempty"` // handlers whose was names a handler that the store has never had
	Settings []string             `json:"settings,omitempty"`    // changed settings that have taken effect
	Restart  []string             `json:"restart,omitempty"`     // changed settings that need a restart
}

// None reports whether nothing has changed.
func (r *Reloaded) None() bool {
	return r.Handlers.None() && r.Schedules.None() && r.Events.None() && r.Hooks.None() && len(r.Settings)+len(r.Restart) == 0
}
