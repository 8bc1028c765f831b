package tasks

import (
	"context"
	"fmt"
	"math"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/queue"
)

// Debounce makes one run for a burst of events: events with the same key that follow each other within Wait.
type Debounce struct {
	Wait time.Duration
	// MaxWait is the maximum duration of a burst, from its first event. Default 10 times Wait.
	MaxWait time.Duration
	By      *expression.Expr // the key; nil: all events of the handler are one burst
	// All gives the run all events of the burst; otherwise it gets only the last one.
	All bool
}

// defaultMaxWaits is the default of MaxWait, as a multiple of Wait.
const defaultMaxWaits = 10

func (d Debounce) withDefaults() *Debounce {
	if d.MaxWait <= 0 {
		if d.MaxWait = defaultMaxWaits * d.Wait; d.MaxWait/defaultMaxWaits != d.Wait {
			d.MaxWait = math.MaxInt64
		}
	}
	return &d
}

// giveEvents is readEvents on the worker's goroutine. It returns false if that fails: the attempt can't begin.
func (w *worker) giveEvents(ctx context.Context, t *queue.Task, d *Delivery) bool {
	if err := w.readEvents(ctx, t, d); err != nil {
		w.stuck(err) // the task is never done, so the mark doesn't pass it
		return false
	}
	return true
}

// readEvents reads the events of t's burst for its run. They are the same at each attempt. The error is the store's or ctx's.
func (w *worker) readEvents(ctx context.Context, t *queue.Task, d *Delivery) error {
	if w.h.Debounce == nil {
		return nil
	}
	for {
		var burst []*events.Event
		var err error
		if !t.First() || t.Err != nil && t.Claimed { // else t knows the joined events
			burst, err = Burst(ctx, w.r.o.Store, w.h.Debounce, w.id, t.Event)
		} else {
			burst, err = w.h.Debounce.events(ctx, w.r.o.Store, t.Joins, t.Event)
		}
		if err == nil {
			d.Env.SetEvents(burst)
			return nil
		}
		if !temporary(err) || !pause(ctx, storeRetryEvery) {
			return fmt.Errorf("read the events of a burst: %w", err)
		}
	}
}

// Burst returns the value of `events` in a recorded run of a handler with a debounce: the run's event and, with All, before it the events that joined
// it.
func Burst(ctx context.Context, s store.Store, d *Debounce, h store.HandlerID, last *events.Event) ([]*events.Event, error) {
	var joins []int64
	if d.All {
		var err error
		if joins, err = s.Joined(ctx, h, last.Sequence); err != nil {
			return nil, err
		}
	}
	return d.events(ctx, s, joins, last)
}

func (d *Debounce) events(ctx context.Context, s store.Journal, joins []int64, last *events.Event) (list []*events.Event, err error) {
	if !d.All || len(joins) == 0 {
		return []*events.Event{last}, nil
	}
	if list, err = store.EventsOf(ctx, s, joins); err != nil {
		return nil, err
	}
	return append(list, last), nil
}
