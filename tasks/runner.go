package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
)

// Options are what a Runner is made of; those without a default are required.
type Options struct {
	Store    store.Store
	Bus      *events.Bus
	Emitter  *Emitter
	Handlers []*Handler
	Log      *slog.Logger
	// Grace is how long attempts of outside handlers may go on after a stop. Then their contexts end: such an attempt is recorded
	// as failed, and uses up none of the handler's. Those that have not returned 5 s later are left to themselves: Run returns an
	// error, and the next start counts them as failed. Default 30s.
	Grace time.Duration
}

// Runner runs the wired handlers on the events of the journal: at least once each, and exactly once for what they write to
// evrun's own database.
//
// Each handler has a consumer, one goroutine that owns all its state: where it is in the journal, what is in flight, what
// waits for a retry. Consumers share nothing, so a slow or stuck handler holds up no other.
type Runner struct {
	o         Options
	ready     chan struct{}
	consumers []*consumer
	byName    map[string]*consumer
	lastCall  chan struct{} // closed when attempts that have not ended are waited for no more
}

// lastCallAfter is how long attempts may take to notice that the grace period is over.
const lastCallAfter = 5 * time.Second

// NewRunner makes a runner; Run starts it.
func NewRunner(o Options) *Runner {
	if o.Grace <= 0 {
		o.Grace = 30 * time.Second
	}
	r := &Runner{o: o, ready: make(chan struct{}), byName: map[string]*consumer{}, lastCall: make(chan struct{})}
	for _, h := range o.Handlers {
		c := newConsumer(r, h)
		r.consumers = append(r.consumers, c)
		r.byName[h.Name] = c
	}
	return r
}

// Ready is closed when the runner has read what was left unsettled, and takes events.
func (r *Runner) Ready() <-chan struct{} { return r.ready }

// Handlers returns the wired handlers.
func (r *Runner) Handlers() []*Handler { return r.o.Handlers }

// Matching returns the names of the handlers that an event of this type goes to.
func (r *Runner) Matching(typ string) []string {
	var names []string
	for _, h := range r.o.Handlers {
		for _, p := range h.On {
			if p.Match(typ) {
				names = append(names, h.Name)
				break
			}
		}
	}
	return names
}

// Registrations names handlers for [store.Runs.Register].
func Registrations(handlers []*Handler) []store.Registration {
	regs := make([]store.Registration, len(handlers))
	for i, h := range handlers {
		regs[i] = store.Registration{Name: h.Name, FromStart: h.FromStart}
	}
	return regs
}

// Run handles events until ctx ends. Then it takes no more, lets what is in flight end, outside handlers for the grace
// period at most, and returns nil: whatever is left is in the store, and goes on at the next start. An outside handler that
// ignores the end of its context is an error: see [Options.Grace].
func (r *Runner) Run(ctx context.Context) (err error) {
	registered, err := r.o.Store.Register(ctx, Registrations(r.o.Handlers))
	if err != nil {
		return err
	}
	closeActions, err := r.openActions(ctx)
	defer func() { err = errors.Join(err, closeActions()) }()
	if err != nil {
		return err
	}
	for i, c := range r.consumers {
		if err := c.open(ctx, registered[i]); err != nil {
			return fmt.Errorf("handler %s: %w", c.h.Name, err)
		}
	}
	close(r.ready)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// work outlives ctx by the grace period.
	work, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(nil)
	graceOver, allEnded := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(graceOver)
		t := time.NewTimer(r.o.Grace)
		defer t.Stop()
		select {
		case <-t.C:
			interrupt(errors.New("evrun is stopping"))
			t.Reset(lastCallAfter)
			select {
			case <-t.C:
				close(r.lastCall)
			case <-allEnded:
			}
		case <-allEnded:
		}
	})
	errs := make(chan error, len(r.consumers)+1)
	var wg sync.WaitGroup
	for _, c := range r.consumers {
		wg.Go(func() {
			if err := c.run(ctx, work); err != nil {
				errs <- fmt.Errorf("handler %s: %w", c.h.Name, err)
				cancel()
			}
		})
	}
	wg.Go(func() { r.sweep(ctx) })
	wg.Wait()
	close(allEnded)
	interrupt(nil)
	if !stop() {
		<-graceOver
	}
	errs <- nil
	return <-errs
}

// sweepEvery is how often handlers that see no events of their own have their marks moved on, so that a start doesn't
// have to read what is long past.
const sweepEvery = 30 * time.Second

func (r *Runner) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, c := range r.consumers {
				select {
				case c.mark <- struct{}{}:
				default: // busy: it moves its mark by itself
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// Retry makes dead runs due again now, at most q.Limit of them, and returns them. Their budget of attempts is new; their
// history and their idempotency keys stay.
func (r *Runner) Retry(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	runs, err := r.o.Store.Retry(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		c, ok := r.byName[run.Handler]
		if !ok {
			continue // no longer wired: it waits in the store
		}
		select {
		case c.retried <- run:
		case <-c.ended:
		case <-ctx.Done():
			return runs, ctx.Err()
		}
	}
	return runs, nil
}
