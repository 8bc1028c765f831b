package queue

import (
	"context"
	"time"

	"evrun/events"
	"evrun/store"
)

// Source decides which task a worker runs next. Only one goroutine at a time may call it.
type Source interface {
	// Next returns the task to run now, or nil if there is none: then Wait says what to wait for. The worker owns a task until Done. If the end of a
	// task can't be stored, the worker never calls Done, so that the low-water mark doesn't pass it. The error is the store's or ctx's.
	Next(ctx context.Context) (*Task, error)
	// Wait says when to call Next again after it returned nil: after a batch of events from live (nil: no event is wanted now), which the worker must
	// pass to Received, or after d. Next may also return a task after an attempt has ended.
	Wait() (live <-chan []*events.Event, d time.Duration)
	// Received takes the batch that the worker read from Wait's channel.
	Received(batch []*events.Event, ok bool) error
	// Begin counts an attempt of t, which begins now or when the worker has a place for it, against the handler's rate and concurrency; End reports
	// that it has returned. A skipped task, or one with an Err, needs neither.
	Begin(t *Task)
	End(t *Task)
	// Done returns a task that the store has settled.
	Done(t *Task, out store.Settled)
	// LowWater is the sequence up to which every event of the held slots has a run, once these tasks are settled.
	LowWater(settling []*Task) int64
	// Gain, Leave, Held and Busy are about the slots that the source has: see [Queue.Gain].
	Gain(ctx context.Context, g store.Grant) error
	Leave(slots store.Slots) (given []*Task)
	Held() store.Slots
	Rest(until time.Time)
	Busy(slots store.Slots) store.Slots
	// TakeChanged takes what people have changed. Next does it, too; a worker that takes no more tasks calls it alone.
	TakeChanged(ctx context.Context) error
	// Waiting returns the lowest sequence that waits and has no run; 0: there is none. running are first attempts that don't count. It may return a
	// sequence before the first that waits, while the journal was not read so far. left is how many events that were accepted since Open were not for the
	// handler, though its patterns matched.
	Waiting(running map[int64]bool) (first, left int64)
	// Waits says what tasks wait for, as far as it is known; After is the sequence of the last event that the source has taken from the journal.
	Waits(sequences map[int64]bool) map[int64]Wait
	After() int64
	// Close ends the subscription to the bus.
	Close()
}

// Journal is the part of [store.Store] that a Queue reads.
type Journal interface {
	Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error)
	Head(ctx context.Context) (int64, error)
	Pending(ctx context.Context, h store.HandlerID, slots store.Slots, limit int) ([]store.Run, error)
	Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error)
	PendingAfter(ctx context.Context, h store.HandlerID, after int64, limit int) ([]store.Run, error)
}
