package store

import (
	"time"

	"evrun/events"
)

// Wiring is what [Store.Rewire] puts in the place of the wiring before.
type Wiring struct {
	// Migrations are statements that make the handlers' own tables, in this order.
	Migrations []Migration
	// Within is how long the migrations may take in all, since they hold up every other write; 0: as long as they need.
	Within time.Duration
	// Handlers are the active ones from now on, as in Register; nil: those that are.
	Handlers []Registration
	// Marks are those of schedules that are new or changed, and Gone names schedules whose marks are deleted: should one of
	// the name come again, it begins anew.
	Marks []ScheduleMark
	Gone  []string
	// Events are accepted.
	Events []*events.Event
}

// Migration is what a handler's tables are made of. Each statement runs once in the life of a store: [Statement.Key] tells
// them apart.
type Migration struct {
	Handler    string
	Statements []*Statement
}
