// Package wiringtest runs the tests of a wiring file: it publishes the given events, waits for everything that they cause, and
// compares the runs, users and events in the store with the expected ones.
//
// Each test has its own runner and its own store, in a directory that is removed afterwards, or in a database: see [drivers.Scratch]. Kinds that write to evrun's own database
// run for real. Outside kinds don't act: a stub renders their inputs and returns the outcome that the test gives. Retries don't wait,
// and the clock stands still.
package wiringtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"evrun/cmd/config"
	"evrun/cmd/drivers"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
)

// patience is how long a test may take. One that takes longer waits for something that never happens.
const patience = 30 * time.Second

// Result is the result of one test.
type Result struct {
	Name        string
	Place       string // file:line
	Duration    time.Duration
	Err         error // the test could not be run to its end
	Differences []Difference
}

// OK reports whether the test passed.
func (r *Result) OK() bool { return r.Err == nil && len(r.Differences) == 0 }

// Run runs one test. log is the runner's logger.
func Run(ctx context.Context, cfg *config.Config, t *config.Test, log *slog.Logger) Result {
	started := time.Now()
	r := Result{Name: t.Name, Place: t.Place}
	r.Differences, r.Err = run(ctx, cfg, t, log)
	r.Duration = time.Since(started)
	return r
}

func run(ctx context.Context, cfg *config.Config, t *config.Test, log *slog.Logger) (_ []Difference, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not everything had ended after %v", patience))
	defer cancel()
	dir, err := os.MkdirTemp("", "evrun-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b, err := newBench(ctx, dir, cfg, t, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	for _, g := range t.Given {
		if err := b.give(ctx, g); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, fmt.Errorf("%s: %w", g.Place, err)
		}
	}
	return b.compare(ctx)
}

// bench runs the wiring for one test.
type bench struct {
	cfg     *config.Config
	test    *config.Test
	store   store.Store
	drop    func() error // removes the store
	bus     *events.Bus
	commits *events.Feed[store.Commit]
	emitter *emitter.Emitter
	runner  *tasks.Runner
	head    int64                // the journal's last sequence before the first given event
	given   map[int64]bool       // sequences of the given events
	fired   map[string]time.Time // the last slot of each schedule
	stop    []func() error       // in the order of stopping
	failed  chan error
}

func newBench(ctx context.Context, dir string, cfg *config.Config, t *config.Test, log *slog.Logger) (*bench, error) {
	b := &bench{cfg: cfg, test: t, bus: events.NewBus(), commits: events.NewFeed[store.Commit](), given: map[int64]bool{}, fired: map[string]time.Time{}, failed: make(chan error, 2)}
	clock := func() time.Time { return t.Clock }
	var err error
	own := slices.ContainsFunc(cfg.Wiring.Handlers, func(h *tasks.Handler) bool { return h.Kind == "sql" })
	b.store, b.drop, err = drivers.Scratch(ctx, cfg.Settings.Store, dir, own, drivers.Options{Options: store.Options{
		Now: clock, MaxData: cfg.Settings.Server.MaxEvent,
		WantRuns: func() bool { return true },
		OnCommit: func(c store.Commit) {
			b.bus.Publish(c.Events)
			b.commits.Publish(c)
		},
	}})
	if err != nil {
		return nil, err
	}
	b.emitter = emitter.New(b.store, cfg.Settings.Server.MaxEvent)
	b.emitter.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes)
	b.emitter.SetClock(clock)
	var wired []*tasks.Handler
	for _, h := range cfg.Wiring.Handlers {
		wired = append(wired, forTest(h, t.Stubs[h.Name]))
	}
	b.runner = tasks.NewRunner(tasks.Options{Store: b.store, Bus: b.bus, Emitter: b.emitter, Handlers: wired, Log: log})
	return b, nil
}

// debounceWait is the wait of every debounce in a test. Events that are accepted together, or are emitted by one run, are one burst
// however short it is; events of several runs are one burst if they come within this time.
const debounceWait = 20 * time.Millisecond

// forTest returns a copy of the handler for a test: it retries at once, has no rate and short waits, and a stub replaces an action that does more than
// write to evrun's database.
func forTest(h *tasks.Handler, stubs []config.Stub) *tasks.Handler {
	copied := *h.WithDefaults()
	copied.Retry.Backoff, copied.Retry.Max = 1, 1
	copied.Rate = tasks.Rate{}
	if copied.Debounce != nil {
		short := *copied.Debounce
		short.Wait, short.MaxWait = debounceWait, patience
		copied.Debounce = &short
	}
	copied.FromStart = false // the events that stored the test's users are not for handlers
	if tasks.Stubbed(h.Action) {
		copied.Action = &stub{action: h.Action, outcomes: stubs}
	}
	return &copied
}

// stub replaces such an action. It fails if the real action's inputs can't be rendered.
type stub struct {
	action   tasks.Action
	mu       sync.Mutex
	outcomes []config.Stub
}

// Do renders the inputs and returns the next outcome; the last one is repeated.
func (s *stub) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	if _, err := handlers.Render(s.action, d.Env); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.outcomes) == 0 {
		return nil, nil
	}
	out := s.outcomes[0]
	if len(s.outcomes) > 1 {
		s.outcomes = s.outcomes[1:]
	}
	switch {
	case out.Error == "":
		return out.Result, nil
	case out.Permanent:
		return nil, tasks.Permanent(errors.New(out.Error))
	}
	return nil, errors.New(out.Error)
}

// start runs the store, stores the users, and runs the runner.
func (b *bench) start(ctx context.Context) error {
	b.background(b.store.Run)
	if err := b.putUsers(ctx); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	var err error
	if b.head, err = b.store.Head(ctx); err != nil {
		return err
	}
	b.background(b.runner.Run)
	select {
	case <-b.runner.Ready():
		return nil
	case err := <-b.failed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// background runs a part until close, which stops the parts in reverse order.
func (b *bench) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx)
		if err != nil {
			b.failed <- err
		}
		ended <- err
	}()
	b.stop = append([]func() error{func() error {
		cancel()
		return <-ended
	}}, b.stop...)
}

func (b *bench) close() error {
	var errs []error
	for _, stop := range b.stop {
		errs = append(errs, stop())
	}
	b.commits.Close()
	b.bus.Close()
	return errors.Join(append(errs, b.store.Close(), b.drop())...)
}

// putUsers stores the test's users. A store takes users only as the effect of a run, so each one has an event and a run.
func (b *bench) putUsers(ctx context.Context) error {
	if len(b.test.Users) == 0 {
		return nil
	}
	seed, err := b.store.Register(ctx, []store.Registration{{Name: "there-before"}}, nil)
	if err != nil {
		return err
	}
	for _, u := range b.test.Users {
		e := &events.Event{ID: events.NewID(), Type: "evrun.test.user", Source: "/evrun/test", Time: b.test.Clock}
		if _, err := b.store.Append(ctx, []*events.Event{e}); err != nil {
			return err
		}
		user := store.User{EventID: e.ID}
		user.Name, _ = u.Value["name"].(string)
		user.Email, _ = u.Value["email"].(string)
		if user.Attributes, err = emitter.MarshalData(u.Value["attributes"]); err != nil {
			return err
		}
		settled, err := b.store.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{{
			Event: e, Handler: seed[0].ID, Attempt: 1, Started: b.test.Clock,
			Insert: &store.UserInsert{User: user, Then: func(_ store.User, err error) store.Outcome {
				if errors.Is(err, store.ErrConflict) {
					err = errors.New("a user with this e-mail address already exists")
				}
				if err != nil {
					return store.Outcome{State: store.Dead, Error: err.Error()}
				}
				return store.Outcome{State: store.Succeeded}
			}},
		}}})
		if err != nil {
			return err
		}
		if settled[0].State != store.Succeeded {
			return fmt.Errorf("%s: %s", u.Place("email"), settled[0].Error)
		}
	}
	return nil
}

// give publishes one given event, or several that come together, and waits until everything that they cause has ended.
func (b *bench) give(ctx context.Context, g config.Given) error {
	given := g.Together
	if given == nil {
		given = []config.Given{g}
	}
	var evs []*events.Event
	for i, one := range given {
		e, err := b.event(one, len(b.given)+i+1)
		if err != nil {
			return err
		}
		evs = append(evs, e)
	}
	listening := b.commits.Subscribe(64)
	defer listening.Unsubscribe()
	receipts, err := b.accept(ctx, given, evs)
	var refused *emitter.RefusedError
	switch {
	case g.Refused != "" && err == nil:
		return fmt.Errorf("the event was accepted, but should have been refused: %s", g.Refused)
	case g.Refused != "" && errors.As(err, &refused) && strings.Contains(refused.Error(), g.Refused):
		return nil
	case err != nil:
		return err
	}
	for i, e := range evs {
		if !receipts[i].Duplicate {
			b.given[e.Sequence] = true
		}
	}
	ended := make(chan error, 1)
	go func() {
		for i, e := range evs {
			if receipts[i].Duplicate {
				continue
			}
			if _, err := b.runner.Follow(ctx, e, b.commits, func(chain.Link) error { return nil }); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	select {
	case err := <-ended:
		return err
	case err := <-b.failed:
		b.commits.Close() // ends Follow
		return errors.Join(err, <-ended)
	}
}

// accept checks given events, as those of a schedule or as those of a sender, and accepts them in one transaction.
func (b *bench) accept(ctx context.Context, given []config.Given, evs []*events.Event) (_ []store.Receipt, err error) {
	for i, g := range given {
		if g.Schedule != nil {
			err = b.emitter.Own(g.Schedule.Part(), evs[i])
		} else {
			err = b.emitter.Check(evs[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return b.emitter.Accept(ctx, evs)
}

// event makes the nth given event.
func (b *bench) event(g config.Given, n int) (*events.Event, error) {
	if g.Schedule != nil {
		from := b.test.Clock
		if !g.At.After(from) {
			from = g.At.Add(-time.Nanosecond)
		}
		previous := b.fired[g.Schedule.Name]
		b.fired[g.Schedule.Name] = g.At
		return g.Schedule.Event(g.Schedule.Timing.CountedFrom(from), g.At, previous)
	}
	data, err := emitter.MarshalData(g.Data)
	if err != nil {
		return nil, err
	}
	e := &events.Event{Type: g.Type, Subject: g.Subject, ID: g.ID, Source: g.Source, Time: g.Time, Data: data}
	if e.ID == "" { // the same in each run, since expectations may contain it
		e.ID = fmt.Sprintf("given-%d", n)
	}
	return e, nil
}

// rendered returns the inputs of a run for its event, without secrets.
func (b *bench) rendered(ctx context.Context, r store.Run, e *events.Event) (any, error) {
	for _, h := range b.cfg.Wiring.Handlers {
		if h.Name != r.Handler {
			continue
		}
		env := expression.NewEnv(e)
		env.In(r.ID, r.Handler, r.Attempt)
		if h.Debounce != nil {
			burst, err := tasks.Burst(ctx, b.store, h.Debounce, r.HandlerID, e)
			if err != nil {
				return nil, err
			}
			env.SetEvents(burst)
		}
		with, _ := handlers.Render(h.Action, env) // a failure is in the run's error
		return with, nil
	}
	return nil, nil
}
