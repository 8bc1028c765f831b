package shape

import (
	"encoding/json"

	"evrun/cmd/hook"
	"evrun/events"
	"evrun/tasks/control"
)

// EventList is a page of the journal.
type EventList struct {
	Events []*events.Event `json:"events"`
	PageInfo
}

// RunList is a page of the runs.
type RunList struct {
	Runs []Run `json:"runs"`
	PageInfo
}

// UserList is a page of the users.
type UserList struct {
	Users []User `json:"users"`
	PageInfo
}

// BatchList is a list of the batches, newest first.
type BatchList struct {
	Batches []Batch `json:"batches"`
}

// ScheduleList is a list of the schedules, in the order of the file.
type ScheduleList struct {
	Schedules []Schedule `json:"schedules"`
	Hint      string     `json:"hint,omitempty"` // why no schedule has the labels
}

// HandlerList is a list of the handlers, in the order of the file.
type HandlerList struct {
	Handlers []control.HandlerStatus `json:"handlers"`
	Hint     string                  `json:"hint,omitempty"` // why no handler has the labels
}

// HookList is a list of the hooks, in the order of the file.
type HookList struct {
	Hooks []hook.Traffic `json:"hooks"`          // all, or those with the wanted labels
	Hint  string         `json:"hint,omitempty"` // why no hook has the labels
}

// TokenList is a list of the tokens: the owner's, those of the wiring file, then those that were made by command.
type TokenList struct {
	Tokens []Token `json:"tokens"` // the owner's first
}

// ReplayedList is a list of what was replayed, in the order of the request.
type ReplayedList struct {
	Replayed []Replayed `json:"replayed"`
}

// Health says that the daemon answers, or is ready.
type Health struct {
	Status string `json:"status"` // ok, or ready
}

// FollowLine is a line of an answer that follows an event: the receipt, then events and runs as they happen, and the end.
type FollowLine struct {
	Receipt *Receipt      `json:"receipt,omitempty"`
	Event   *events.Event `json:"event,omitempty"`
	Run     *Run          `json:"run,omitempty"`
	End     *End          `json:"end,omitempty"`
}

// StreamItem is a server-sent event: its name is that of the one member that it has, and its data is the member's value.
type StreamItem struct {
	Event *events.Event `json:"event,omitempty"`
	Run   *Run          `json:"run,omitempty"`
	Head  *StreamHead   `json:"head,omitempty"` // comes first
	Gap   *StreamGap    `json:"gap,omitempty"`  // something is missing

	Failed *StreamFailed `json:"failed,omitempty"` // a condition could not be evaluated
}

// NewUser is a user as an import takes it.
type NewUser struct {
	Name       string          `json:"name" needed:"true"`
	Email      string          `json:"email" needed:"true"`
	Attributes json.RawMessage `json:"attributes,omitempty"` // what else is known: a map
}

// StreamHead is the position of a stream: its block's id is where the stream can be resumed.
type StreamHead struct {
	Sequence int64 `json:"seq,string"`
}

// StreamFailed says of how many events or runs a stream's condition could not be evaluated, so that they were left out.
type StreamFailed struct {
	Failed  int    `json:"failed"`
	Failure string `json:"failure"` // the first reason
}

// StreamGap says that something is missing from a stream.
type StreamGap struct {
	Reason string `json:"reason"`                 // why it is missing
	After  int64  `json:"after,string,omitempty"` // the seq after which the stream goes on; missing: runs are missing, and no events
}
