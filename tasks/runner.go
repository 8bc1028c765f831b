package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/meter"
	"evrun/tasks/emitter"
	"evrun/tasks/measure"
	"evrun/tasks/trace"
)

// Options are the parts and settings of a Runner. Fields without a default are required.
type Options struct {
	Store    store.Store
	Bus      *events.Bus
	Emitter  *emitter.Emitter
	Handlers []*Handler
	Log      *slog.Logger
	// OpenDatabase opens databases other than evrun's own for actions: see [Surroundings]. Nil: actions can't open databases.
	OpenDatabase func(path string, create bool) (store.Database, error)
	// Unannounced is called for each dead run that no evrun.run.dead reports: a run on a notice of level 2 (see [emitter.Emitter.DeadLevel]). Nil: not called.
	Unannounced func()
	// Grace is how long attempts of outside handlers may continue after a stop. Then their contexts end: such an attempt is recorded as failed, but
	// does not count against the handler's attempts. Run waits 10 s more for the attempts to return, then returns an error; the next start counts the
	// remaining attempts as failed. Default 30s.
	Grace time.Duration
	// Variables are the environment variables with which programs that attempts run find this daemon. Nil: programs can't publish events in the name
	// of their run. See [Delivery.Variables].
	Variables map[string]string
	// Tracer knows the spans of events and attempts. Nil: there are none, and what a run hands on has the trace context of its event.
	Tracer *trace.Tracer
	// Accepted knows when events were accepted. Nil: the metrics do not say how long events wait.
	Accepted *meter.Clock
	// Node is this daemon among those that share the store: it decides which handlers run here. Nil: all do.
	Node *store.Node
	// Run calls Wired once the wiring, with its migrations, is in the store, and before the first attempt. Its error ends Run. Nil: not called.
	Wired func() error
}

// Runner runs the wired handlers on the events of the journal: at least once each, and exactly once for what they write to
// evrun's own database.
//
// Each handler has a worker, one goroutine that owns all its state: its position in the journal, the running attempts, the runs that wait for a
// retry. Workers share nothing, so a slow or stuck handler delays no other.
type Runner struct {
	o         Options
	attempts  attempts
	printings *printings
	measures  measure.Handlers
	scrapes   sync.Mutex     // held while Measures runs
	stored    measure.Stored // by scrapes
	head      int64          // the journal's, when Run began
	shared    bool           // other daemons may have the store, too
	ready     chan struct{}
	wired     atomic.Pointer[wired]
	lastCall  chan struct{} // closed when Run stops waiting for attempts
	failure   chan error    // the error of the first part that failed

	// Set by Run before ready is closed.
	running context.Context // ends when the runner is to stop
	cancel  context.CancelFunc
	work    context.Context // the context of attempts: outlives running by the grace period
	wg      sync.WaitGroup  // counts the goroutines that Run waits for

	foreign  foreign
	changing sync.Mutex // held while people change runs
	wiring   sync.Mutex // held while handlers are added or removed
	stopping bool
	leaving  map[string][]*member // no longer wired, not yet ended
}

// lastCallAfter is how long attempts may take to notice that the grace period is over. A command that ignores SIGTERM is killed
// 5 seconds after it, by default.
const lastCallAfter = 10 * time.Second

// NewRunner makes a runner; Run starts it.
func NewRunner(o Options) *Runner {
	if o.Grace <= 0 {
		o.Grace = 30 * time.Second
	}
	r := &Runner{o: o, attempts: attempts{variables: o.Variables}, printings: newPrintings(), ready: make(chan struct{}), lastCall: make(chan struct{}), foreign: foreign{wake: make(chan struct{}, 1)}, failure: make(chan error, 1), leaving: map[string][]*member{}}
	w := &wired{handlers: o.Handlers, members: make(map[string]*member, len(o.Handlers))}
	for _, h := range o.Handlers {
		w.members[h.Name] = newMember(r, h)
	}
	r.wired.Store(w)
	return r
}

// Ready is closed when the runner has read the unfinished runs and handles events.
func (r *Runner) Ready() <-chan struct{} { return r.ready }

// Handlers returns the wired handlers.
func (r *Runner) Handlers() []*Handler { return r.wired.Load().handlers }

// Matching returns the names of the handlers that an event goes to.
func (r *Runner) Matching(e *events.Event) []string {
	var names []string
	for _, h := range r.Handlers() {
		if h.Matches(e) {
			names = append(names, h.Name)
		}
	}
	return names
}

// registrations names handlers for [store.Handlers.Register].
func registrations(handlers []*Handler) []store.Registration {
	regs := make([]store.Registration, len(handlers))
	for i, h := range handlers {
		regs[i] = store.Registration{Name: h.Name, On: h.On, Was: h.Was, FromStart: h.FromStart, FromMark: h.FromMark, Disabled: h.Disabled}
	}
	return regs
}

// Run handles events until ctx ends. Then it starts no more attempts, waits for the running ones, for outside handlers at most for the grace period,
// and returns nil: unfinished work is in the store and continues at the next start. If an outside handler ignores the end of its context, Run returns
// an error: see [Options.Grace].
func (r *Runner) Run(ctx context.Context) (err error) {
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // stopped while it started
		}
	}()
	first := r.wired.Load()
	if r.head, err = r.o.Store.Head(ctx); err != nil {
		return err
	}
	nodes, err := r.o.Store.Nodes(ctx)
	if err != nil {
		return err
	}
	r.shared = len(nodes) > 0
	w := store.Wiring{Handlers: registrations(first.handlers)}
	for _, h := range first.handlers {
		first.members[h.Name].w.From(r.head)
		w.Migrations = append(w.Migrations, migration(h)...)
	}
	registered, err := r.register(ctx, first.handlers, w)
	if err != nil {
		return err
	}
	opened, paused, err := r.open(ctx, first, registered.known)
	if err != nil {
		return err
	}
	if r.o.Wired != nil {
		if err := r.o.Wired(); err != nil {
			return err
		}
	}

	r.running, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	work, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(nil)
	r.work = work
	graceOver, allEnded := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(r.running, func() {
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
	for _, m := range opened {
		ctx, stop := context.WithCancel(r.running)
		m.stop = stop
		close(m.begun)
		r.wg.Go(func() {
			defer r.ended(m)
			if err := m.w.run(ctx, r.work); err != nil {
				r.fail(m, err)
			}
		})
	}
	r.wiring.Lock()
	for _, m := range paused {
		r.begin(m, nil)
	}
	r.wiring.Unlock()
	close(r.ready)
	saving, stopSaving := context.WithCancel(context.WithoutCancel(ctx))
	var saver sync.WaitGroup
	saver.Go(func() { r.printings.save(saving, r.o.Store, r.o.Log) })
	r.wg.Go(func() { r.follow(r.running) })
	r.sweep(r.running)
	r.wiring.Lock()
	r.stopping = true
	r.wiring.Unlock()
	r.wg.Wait()
	stopSaving()
	saver.Wait()
	close(allEnded)
	interrupt(nil)
	if !stop() {
		<-graceOver
	}
	select {
	case err := <-r.failure:
		return err
	default:
		return nil
	}
}

// open opens the handlers of the first wiring, and returns them apart from those that begin nothing yet. known is what the store knows of each.
func (r *Runner) open(ctx context.Context, first *wired, known []store.Consumer) (opened, paused []*member, err error) {
	for i, h := range first.handlers {
		m := first.members[h.Name]
		m.inherits = known[i].Inherits
		if known[i].Paused || h.Disabled || m.inherits {
			paused = append(paused, m)
			continue
		}
		r.openAction(h)
		if err := m.w.open(ctx, known[i]); err != nil {
			return nil, nil, fmt.Errorf("handler %s: %w", h.Name, err)
		}
		opened = append(opened, m)
	}
	return opened, paused, nil
}

// sweepEvery is how often the marks of handlers without matching events are moved forward, so that a start doesn't read old events.
var sweepEvery = 30 * time.Second // changed by tests only

// sweep moves idle handlers' marks forward until ctx ends.
func (r *Runner) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, m := range r.wired.Load().members {
				select {
				case m.w.mark <- struct{}{}:
				default: // busy: it moves its mark itself
				}
			}
		case <-ctx.Done():
			return
		}
	}
}
