package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/fault"
	"evrun/tasks/process"
	"evrun/tasks/schedule"
)

// settings reads the settings that a client needs from the wiring file. Where the file can't be read, or leads elsewhere than to the
// daemon that runs it, that daemon is found by its address.
func (e *env) settings() (*config.Config, error) {
	if a := e.issuer(); a != nil {
		return a.Settings(), nil
	}
	cfg, err := config.LoadSettings(e.config, e.configOptions())
	a := daemon.Recall(e.config)
	switch {
	case a == nil, !a.Allowed(os.Getenv):
		return cfg, err
	case err == nil && a.Socket == cfg.Settings.Server.Socket:
		return cfg, nil
	case err == nil && a.Beside: // the file leads to another daemon, or to none
		return cfg, nil
	case !a.Answers(e.flags.Context()):
		return cfg, err
	}
	var faults *config.Errors
	if errors.As(err, &faults) {
		first := faults.Faults[0]
		first.Hint = ""
		e.note("%s (the file is wrong now; using the daemon that runs it, on %s)", first.String(), a.Socket)
	} else {
		e.note("%s names the socket %s; using the daemon that runs this file, on %s (a changed socket or store needs a restart)",
			e.config, cfg.Settings.Server.Socket, a.Socket)
	}
	return a.Settings(), nil
}

// load reads and checks the whole wiring file.
func (e *env) load() (*config.Config, error) {
	cfg, err := config.Load(e.config, e.configOptions())
	if err == nil {
		for _, n := range cfg.Notes {
			e.note("%s", n)
		}
	}
	return cfg, err
}

func (e *env) configOptions() config.Options {
	return config.Options{
		Flags: e.flags.Flags(), Getenv: os.Getenv,
	}
}

// issuer is the daemon that runs the command which this evrun is a part of, if it is the one of the wiring file that is asked
// for; otherwise nil.
func (e *env) issuer() *daemon.Address { return daemon.Issuer(e.config, os.Getenv) }

// clientOf is a client of the daemon that has these settings.
func clientOf(cfg *config.Config) *api.Client {
	return api.NewClient(cfg.Settings.Server.Socket, cfg.Path, cfg.Settings.Store.Path)
}

// client is a client of the daemon that has these settings. It presents the secret of the command which this evrun is a part of to the
// daemon that runs the command, and to no other.
func (e *env) client(cfg *config.Config) (*api.Client, error) {
	c := clientOf(cfg)
	if a := e.issuer(); a != nil && a.Socket == cfg.Settings.Server.Socket {
		c.RunToken = os.Getenv(tasks.VariableRunToken)
		if !runToken.MatchString(c.RunToken) {
			return nil, usage("%s is not what evrun set it to; unset it to publish events by themselves", tasks.VariableRunToken)
		}
		if left() {
			c.RunEnded = func() {
				e.note("the attempt that started this program has ended, and left it: the event is in no run, and begins a chain of its own")
			}
		}
	}
	return c, nil
}

// left reports whether a command with leave started this evrun: it may outlive its attempt. An event that it publishes then is in a chain
// of its own, so a loop through it is not cut off as one within a chain is; each turn of one starts such a process.
func left() bool { return os.Getenv(process.LeaveVariable) != "" }

var runToken = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// errIssuerGone: an event that belongs to a run can't be accepted without the daemon that knows the run.
var errIssuerGone = &exitError{code: exitNoDaemon, err: errors.New("the daemon that runs this command is gone, and the event belongs to the command's run; the run is tried again when evrun serve is back")}

// withReader opens the store for reading while do runs: beside the daemon, or without one.
func (e *env) withReader(do func(store.Store) error) error {
	cfg, err := e.settings()
	if err != nil {
		return err
	}
	return readStore(cfg.Settings.Store.Path, do)
}

// readStore opens a store for reading while do runs. The error is [store.ErrNotFound] where there is no file.
func readStore(path string, do func(store.Store) error) error {
	s, err := sqlite.OpenReader(path)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// deliverFor is how long a command goes on trying while the daemon starts or stops.
const deliverFor = 10 * time.Second

// withJournal lets do put events into the journal while no daemon runs. It registers no handlers, since the file may be half
// edited, or another one: those that the next daemon has see the events, new ones too.
func (e *env) withJournal(ctx context.Context, do func(context.Context, store.Store, *config.Config) error) error {
	issuer := e.issuer()
	if issuer != nil && !left() {
		return errIssuerGone
	}
	cfg, err := e.load()
	if err != nil {
		return err
	}
	if issuer != nil {
		cfg.Settings.Store.Path = issuer.Store
	}
	return e.withStore(ctx, cfg, func(ctx context.Context, s store.Store) error { return do(ctx, s, cfg) })
}

// daemonOrStore has the daemon do something, or does it in the store where there is none (alone is true then). It waits for a
// daemon that starts or stops: that has the store, but not yet or no longer the socket.
func (e *env) daemonOrStore(ctx context.Context, daemon, direct func(context.Context) error) (alone bool, err error) {
	deadline := time.Now().Add(deliverFor)
	for {
		if err = daemon(ctx); !errors.Is(err, api.ErrNoDaemon) {
			return false, err
		}
		if err = direct(ctx); !errors.Is(err, store.ErrLocked) || time.Now().After(deadline) {
			return true, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}

// withStore opens the store for writing while do runs.
func (e *env) withStore(ctx context.Context, cfg *config.Config, do func(context.Context, store.Store) error) (err error) {
	s, err := sqlite.Open(cfg.Settings.Store.Path, store.Options{Synchronous: cfg.Settings.Store.Synchronous, Unattended: true, MaxData: cfg.Settings.Server.MaxEvent, MaxWAL: cfg.Settings.Store.MaxWAL,
		Warn: func(note string) { e.note("store: %s", note) }})
	if err != nil {
		return err
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(writing) }()
	err = do(ctx, s)
	stop()
	return errors.Join(err, <-ended, s.Close())
}

// write appends an event to the journal, as the daemon would. what makes the event, and has the emitter check it.
func (e *env) write(ctx context.Context, what func(*tasks.Emitter, store.Store, *config.Config) (*events.Event, error)) (rc api.Receipt, err error) {
	err = e.withJournal(ctx, func(ctx context.Context, s store.Store, cfg *config.Config) error {
		em := daemon.NewEmitter(s, cfg)
		ev, err := what(em, s, cfg)
		if err != nil {
			return err
		}
		receipts, err := em.Accept(ctx, []*events.Event{ev})
		if err == nil {
			rc = api.Receipt{ID: ev.ID, Source: ev.Source, Sequence: receipts[0].Sequence, Duplicate: receipts[0].Duplicate}
		}
		return err
	})
	return rc, err
}

// handlers asks the daemon for the handlers, or finds out how the wiring file stands to the store where none runs.
func (e *env) handlers(ctx context.Context) ([]tasks.HandlerStatus, error) {
	cfg, err := e.settings()
	if err != nil {
		return nil, err
	}
	list, err := clientOf(cfg).Handlers(ctx)
	if !errors.Is(err, api.ErrNoDaemon) {
		return list, err
	}
	if cfg, err = e.load(); err != nil {
		return nil, err
	}
	err = e.withReader(func(s store.Store) (err error) {
		list, err = tasks.StoredStatuses(ctx, s, cfg.Wiring.Handlers)
		return err
	})
	if errors.Is(err, store.ErrNotFound) { // no daemon has run yet
		return tasks.NewStatuses(cfg.Wiring.Handlers), nil
	}
	return list, err
}

// schedules asks the daemon for the schedules, each with its next n slots; or works them out by the wiring file and the store
// where none runs.
func (e *env) schedules(ctx context.Context, n int) ([]api.Schedule, error) {
	cfg, err := e.settings()
	if err != nil {
		return nil, err
	}
	list, err := clientOf(cfg).Schedules(ctx, n)
	if !errors.Is(err, api.ErrNoDaemon) {
		return list, err
	}
	if cfg, err = e.load(); err != nil {
		return nil, err
	}
	var marks map[string]store.ScheduleMark
	err = e.withReader(func(s store.Store) (err error) { marks, err = s.ScheduleMarks(ctx); return err })
	if err != nil && !errors.Is(err, store.ErrNotFound) { // no daemon has run yet
		return nil, err
	}
	return api.SchedulesOf(schedule.StoredStates(marks, cfg.Wiring.Schedules), n), nil
}

// wired finds a schedule of the wiring file.
func wired(cfg *config.Config, name string) (*schedule.Entry, error) {
	known := make([]string, len(cfg.Wiring.Schedules))
	for i, s := range cfg.Wiring.Schedules {
		if s.Name == name {
			return s, nil
		}
		known[i] = s.Name
	}
	return nil, unknownSchedule(name, known)
}

func unknownSchedule(name string, known []string) error {
	hint := fault.DidYouMean(name, known)
	if hint != "" {
		hint = "; " + hint
	}
	return fmt.Errorf("there is no schedule %q%s", name, hint)
}

// findEvent finds an event as people name it. A number is its seq, or its id where no event has that seq.
func findEvent(ctx context.Context, s store.Store, name string) (*events.Event, error) {
	if n, err := strconv.ParseInt(name, 10, 64); err == nil && n > 0 {
		if e, err := eventAt(ctx, s, n); e != nil || err != nil {
			return e, err
		}
	}
	return s.Event(ctx, name)
}

// eventAt is the event with a sequence, or nil.
func eventAt(ctx context.Context, s store.Store, sequence int64) (*events.Event, error) {
	page, err := s.Events(ctx, store.EventQuery{After: sequence - 1, Before: sequence + 1})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	return page[0], nil
}

// followed prints what an event causes while publish publishes and follows it.
func (e *env) followed(ctx context.Context, wait time.Duration, typ string,
	publish func(accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error)) error {
	p := e.printer()
	sequence := int64(0) // not accepted yet
	end, err := publish(func(rc api.Receipt) error {
		sequence = rc.Sequence
		return nil
	}, func(kind string, body json.RawMessage) error { return p.item(kind, body) })
	switch {
	case err != nil && sequence > 0 && ctx.Err() == nil:
		return fmt.Errorf("the event was accepted as #%d, but: %w", sequence, err)
	case err != nil:
		return err
	case end.Timeout:
		return &exitError{code: exitTimeout, err: fmt.Errorf("not everything was done within %v; it goes on", wait)}
	case end.Dead:
		return &exitError{code: exitFailed, err: errors.New("a run is dead")}
	case !end.Matched:
		return &exitError{code: exitNoHandler, err: fmt.Errorf("no handler matches %s", typ)}
	}
	return nil
}
