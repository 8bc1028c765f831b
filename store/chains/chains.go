// Package chains says which chains of a journal nobody needs any more, so that they can be pruned: see [store.Retention] for what goes and what stays.
// The drivers read what it asks for ([Source]), and delete what it finds.
//
// No goroutines.
package chains

import (
	"slices"

	"evrun/store"
)

// Event is what a look knows of an event.
type Event struct {
	Sequence, Chain, Accepted int64 // times are microseconds
	ID, Source, Type, Target  string
	Bytes                     int64 // about: see [Event.Size]
	Runs                      []Run
	Bare                      bool // there are only runs: somebody else deleted the event
	place                     int  // among the events of the look, in order of sequence
}

// The sizes of rows beside their texts, about.
const eventRow, runRow = 60, 40

// Size sets Bytes, from the size of what the event has beside its id, source and type.
func (e *Event) Size(more int64) {
	e.Bytes = more + int64(eventRow+2*(len(e.ID)+len(e.Source))+len(e.Type))
}

func (e *Event) ran(h store.HandlerID) bool {
	return slices.ContainsFunc(e.Runs, func(r Run) bool { return r.Handler == h })
}

// Run is what a look knows of a run.
type Run struct {
	Sequence int64
	Handler  store.HandlerID
	State    store.RunState
	Joined   int64 // 0: none
	Bytes    int64 // of its texts
}

// Output is what an attempt has printed.
type Output struct{ Sequence, Bytes int64 }

// Chain is a chain that goes.
type Chain struct {
	Key    int64 // the sequence of its first event
	Events []*Event
	Large  bool // Events has only the first one
	store.Pruned
	Lost Losses
}

// Losses are what handlers that have left lose, by their names.
type Losses map[store.HandlerID]store.Lost

func (l Losses) add(h *handler, events, runs int64) {
	sum := l[h.ID]
	l[h.ID] = store.Lost{Handler: h.Name, Events: sum.Events + events, Runs: sum.Runs + runs}
}

// Add adds other losses.
func (l Losses) Add(more Losses) {
	for h, n := range more {
		sum := l[h]
		l[h] = store.Lost{Handler: n.Handler, Events: sum.Events + n.Events, Runs: sum.Runs + n.Runs}
	}
}

// Source reads a store, all of it as it is at one moment.
type Source interface {
	// Scanned is the sequence up to which the journal was looked at.
	Scanned() (int64, error)
	// Moving reports whether an action on a selection goes on, that made its last step after a time.
	Moving(since int64) (bool, error)
	Handlers() ([]store.Consumer, error)
	// Unattended is the head of the journal before the first event that was accepted while no handlers were registered; -1: there is none.
	Unattended() (int64, error)
	// AcceptedAt is when the last event up to a sequence was accepted; 0: there is none.
	AcceptedAt(upTo int64) (int64, error)
	// Window returns the first events after a sequence and up to another, in order.
	Window(after, upTo int64, limit int) ([]*Event, error)
	// Members returns events behind a sequence that belong to the chains from one key to another, in order of chain and sequence. Those that begin a
	// chain are not among them.
	Members(first, last, behind int64, limit int) ([]*Event, error)
	// Before reports whether an event is stored that began a chain, or one of the chain before a sequence.
	Before(chain, sequence int64) (bool, error)
	// RunsBetween returns the runs on the events after a sequence and up to another, and their outputs.
	RunsBetween(after, upTo int64) ([]Run, []Output, error)
	// RunsOf returns the runs on some events, and their outputs.
	RunsOf(sequences []int64) ([]Run, []Output, error)
	// StateOf returns the state of the run of a handler on an event; 0: there is none.
	StateOf(sequence int64, h store.HandlerID) (store.RunState, error)
}
