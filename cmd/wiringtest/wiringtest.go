// Package wiringtest runs the tests of a wiring file: events come in, and what the wiring makes of them is held against what
// the file expects.
//
// Each test has a runner and a store of its own, in a folder that is removed. What writes to evrun's own database (the
// inside kinds) runs for real; what acts on the outside is not done: its inputs are rendered, and it ends as the test's
// stubs say. Retries wait for nothing, and the clock stands still.
package wiringtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
)

// patience is how long a test may take: one that takes longer waits for something that never comes.
const patience = 30 * time.Second

// Result is what came of a test.
type Result struct {
	Name        string
	Place       string // file:line
	Duration    time.Duration
	Err         error // the test could not be run to its end
	Differences []Difference
}

// OK says whether all was as expected.
func (r *Result) OK() bool { return r.Err == nil && len(r.Differences) == 0 }

// Run runs one test. log gets what the runner has to say.
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
	b, err := newBench(dir, cfg, t, log)
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

// bench is a wiring that is being tested, with all that it takes to run it.
type bench struct {
	cfg     *config.Config
	test    *config.Test
	store   *sqlite.Store
	bus     *events.Bus
	commits *events.Feed[store.Commit]
	emitter *tasks.Emitter
	runner  *tasks.Runner
	head    int64                // what came before the test proper
	given   map[int64]bool       // sequences of the events that came in
	fired   map[string]time.Time // the last slot of each schedule
	stop    []func() error       // in the order of stopping
	failed  chan error
}

func newBench(dir string, cfg *config.Config, t *config.Test, log *slog.Logger) (*bench, error) {
	b := &bench{cfg: cfg, test: t, bus: events.NewBus(), commits: events.NewFeed[store.Commit](), given: map[int64]bool{}, fired: map[string]time.Time{}, failed: make(chan error, 2)}
	clock := func() time.Time { return t.Clock }
	var err error
	b.store, err = sqlite.Open(filepath.Join(dir, "test.db"), sqlite.Options{Synchronous: "normal", Options: store.Options{
		Now: clock, MaxData: cfg.Settings.Server.MaxEvent,
		WantRuns: func() bool { return true },
		OnCommit: func(c store.Commit) {
			for _, e := range c.Events {
				b.bus.Publish(e)
			}
			b.commits.Publish(c)
		},
	}})
	if err != nil {
		return nil, err
	}
	b.emitter = tasks.NewEmitter(b.store, cfg.Settings.Server.MaxEvent)
	b.emitter.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes)
	b.emitter.SetClock(clock)
	var wired []*tasks.Handler
	for _, h := range cfg.Wiring.Handlers {
		wired = append(wired, forTest(h, t.Stubs[h.Name]))
	}
	b.runner = tasks.NewRunner(tasks.Options{Store: b.store, Bus: b.bus, Emitter: b.emitter, Handlers: wired, Log: log})
	return b, nil
}

// debounceWait is how long a burst is waited for: what comes together, or is emitted by one run, is one however short it is, and
// what several runs emit has to come within it.
const debounceWait = 20 * time.Millisecond

// forTest is the handler as a test runs it: retries at once, no rate, short waits, and the outside stubbed.
func forTest(h *tasks.Handler, stubs []config.Stub) *tasks.Handler {
	copied := *h.WithDefaults()
	copied.Retry.Backoff, copied.Retry.Max = 1, 1
	copied.Rate = tasks.Rate{}
	if copied.Debounce != nil {
		short := *copied.Debounce
		short.Wait, short.MaxWait = debounceWait, patience
		copied.Debounce = &short
	}
	copied.FromStart = false // the users that are there before are no events
	if _, outside := h.Action.(tasks.Outside); outside {
		copied.Action = &stub{action: h.Action, outcomes: stubs}
	}
	return &copied
}

// stub stands in for an outside action. It fails where the real one would for its inputs.
type stub struct {
	action   tasks.Action
	mu       sync.Mutex
	outcomes []config.Stub
}

// Do renders the inputs, and ends as the next outcome says; the last one stays.
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

// start runs the store, puts the users there, and runs the runner.
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

// background runs a part until close, which stops the last one first.
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
	return errors.Join(append(errs, b.store.Close())...)
}

// putUsers stores the users that are there before, as the effect of a run: that is how users come into a store.
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
		if user.Attributes, err = tasks.MarshalData(u.Value["attributes"]); err != nil {
			return err
		}
		settled, err := b.store.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{{
			Event: e, Handler: seed[0].ID, Attempt: 1, Started: b.test.Clock,
			Effect: func(tx store.Tx) store.Outcome {
				_, err := tx.InsertUser(user, store.Fail)
				if errors.Is(err, store.ErrConflict) {
					err = errors.New("there is a user with this e-mail address already")
				}
				if err != nil {
					return store.Outcome{State: store.Dead, Error: err.Error()}
				}
				return store.Outcome{State: store.Succeeded}
			},
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

// give lets an event in, or those that come together, and waits until all that it causes has ended.
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
	var refused *tasks.RefusedError
	switch {
	case g.Refused != "" && err == nil:
		return fmt.Errorf("the event was accepted, and should have been refused: %s", g.Refused)
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
			if _, err := b.runner.Follow(ctx, e, b.commits, func(tasks.Link) error { return nil }); err != nil {
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

// accept accepts a test's given events: those of schedules, and those from outside.
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

// event makes the event that comes in, number n of all.
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
	data, err := tasks.MarshalData(g.Data)
	if err != nil {
		return nil, err
	}
	e := &events.Event{Type: g.Type, Subject: g.Subject, ID: g.ID, Source: g.Source, Time: g.Time, Data: data}
	if e.ID == "" { // the same each time, as it may stand in what is expected
		e.ID = fmt.Sprintf("given-%d", n)
	}
	return e, nil
}

// rendered gives the inputs that a run had for its event, without secrets.
func (b *bench) rendered(ctx context.Context, r store.Run, e *events.Event) (any, error) {
	for _, h := range b.cfg.Wiring.Handlers {
		if h.Name != r.Handler {
			continue
		}
		env := expression.NewEnv(e)
		if h.Debounce != nil {
			burst, err := tasks.Burst(ctx, b.store, h.Debounce, r.HandlerID, e)
			if err != nil {
				return nil, err
			}
			env.SetEvents(burst)
		}
		with, _ := handlers.Render(h.Action, env) // what failed is in the run's error
		return with, nil
	}
	return nil, nil
}
