package store

import (
	"time"

	"evrun/events"
)

// Wiring is the new wiring for [Store.Rewire].
type Wiring struct {
	// Migrations are statements that make the handlers' own tables, in this order.
	Migrations []Migration
	// Within is how long the migrations may take together, because they block all other writes; 0: no limit.
	Within time.Duration
	// Handlers are the active handlers from now on, as in Register; nil: no change.
	Handlers []Registration
	// Marks are the marks of new and changed schedules. Gone names the schedules whose marks are deleted: a later schedule of such a name starts
	// over.
	Marks []ScheduleMark
	Gone  []string
	// Events are appended to the journal.
	Events []*events.Event
}

// Migration has the statements that create a handler's tables. Each statement runs once in the life of a store; [Statement.Key] identifies it.
type Migration struct {
	Handler    string
	Statements []*Statement
}
