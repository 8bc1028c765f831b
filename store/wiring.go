package store

import (
	"time"

	"evrun/events"
)

// Wiring is what [Store.Rewire] replaces the wiring with.
type Wiring struct {
	// Migrations are statements that make the handlers' own tables, in this order.
	Migrations []Migration
	// Within is how long the migrations may take in all, since they hold up every other write; 0: as long as they need.
	Within time.Duration
	// Handlers are the active handlers from now on, as in Register; nil: no change.
	Handlers []Registration
	// Marks are those of schedules that are new or changed, and Gone names schedules whose marks are deleted: should one of
	// the name come again, it starts over.
	Marks []ScheduleMark
	Gone  []string
	// Events are accepted.
	Events []*events.Event
}

// Migration has the statements that create a handler's tables. Each runs once in the life of a store; [Statement.Key] identifies it.
type Migration struct {
	Handler    string
	Statements []*Statement
}
