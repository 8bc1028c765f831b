package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/control"
	"evrun/tasks/explain"
	"evrun/tasks/fault"
	"evrun/tasks/process"
	"evrun/tasks/schedule"
)

// settings reads the settings that a client needs from the wiring file. If the file can't be read, or names another socket than the daemon
// that runs it has, that daemon is found by its noted address.
func (e *env) settings() (*config.Config, error) {
	return e.running(func() (*config.Config, error) { return config.LoadSettings(e.config, e.configOptions()) })
}

// running is settings with a function that reads the file, if the file is needed.
func (e *env) running(read func() (*config.Config, error)) (*config.Config, error) {
	if a := e.issuer(); a != nil {
		return a.Settings(), nil
	}
	cfg, err := read()
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
		Flags: e.flags.Flags(), Getenv: os.Getenv, ParseStatement: sqlite.ParseStatement,
	}
}

// issuer is the address of the daemon whose handler started this evrun, if that daemon runs the wiring file of this command; otherwise nil.
func (e *env) issuer() *daemon.Address { return daemon.Issuer(e.config, os.Getenv) }

// clientOf is a client of the daemon that has these settings.
func clientOf(cfg *config.Config) *client.Client {
	return client.New(cfg.Settings.Server.Socket, cfg.Path, cfg.Settings.Store.Path)
}

// client is a client of the daemon that has these settings. If that daemon's handler started this evrun, the client presents the secret
// of the run; no other daemon gets it.
func (e *env) client(cfg *config.Config) (*client.Client, error) {
	c := clientOf(cfg)
	if a := e.issuer(); a != nil && a.Socket == cfg.Settings.Server.Socket {
		c.RunToken = os.Getenv(tasks.VariableRunToken)
		if !runToken().MatchString(c.RunToken) {
			return nil, usage("%s is not the value that evrun set; unset it to publish events that belong to no run", tasks.VariableRunToken)
		}
		if left() {
			c.RunEnded = func() {
				e.note("the attempt that started this program has ended, and left it: the event is in no run, and begins a chain of its own")
			}
		}
	}
	return c, nil
}

// left reports whether a command with leave started this evrun: it may outlive its attempt. Then its event begins a new chain, and the limit
// of hops does not end a loop through it; each turn of such a loop starts a process.
func left() bool { return os.Getenv(process.LeaveVariable) != "" }

var runToken = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]+$`) })

// errIssuerGone: an event that belongs to a run can't be accepted without the daemon that knows the run.
var errIssuerGone = &exitError{code: exitNoDaemon, err: errors.New("the daemon that runs this command is gone, and the event belongs to the command's run; the run is tried again when evrun serve is back")}

// readStore opens a store for reading while do runs. The error is [store.ErrNotFound] where there is no file.
func readStore(path string, do func(store.Store) error) error {
	s, err := sqlite.OpenReader(path)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// access says what a command needs where no daemon answers it: a server of the API then runs in this process, see [env.inProcess].
type access struct {
	wiring    bool // handlers, schedules and event types: the wiring file is read whole
	storeless bool // nothing of the store
	write     bool // the store is opened for writing
	create    bool // a store that does not exist yet is made
	absent    bool // a store that does not exist yet counts as one that has nothing
	again     bool // asking a daemon again is safe, so a broken connection is not the end
}

var (
	readsStore      = access{}
	readsWiring     = access{wiring: true, absent: true}
	readsWiredStore = access{wiring: true}
	wiringAlone     = access{wiring: true, storeless: true}
	publishes       = access{wiring: true, write: true, create: true}
	changesRuns     = access{write: true}
	changesPlace    = access{wiring: true, write: true, absent: true} // of handlers, in the journal
)

// keepAsking is how long a command goes on trying while the daemon starts or stops.
const keepAsking = 10 * time.Second

// ask calls do with a client of the daemon, or, where none runs, with one that is answered in this process (alone is true then). do may be
// called several times: a daemon that starts or stops has the store, but not yet or no longer the socket.
func (e *env) ask(ctx context.Context, cfg *config.Config, a access, do func(*client.Client) error) (alone bool, err error) {
	c := clientOf(cfg)
	if a.write {
		if c, err = e.client(cfg); err != nil {
			return false, err
		}
	}
	deadline := time.Now().Add(keepAsking)
	for {
		err = do(c)
		alone = errors.Is(err, api.ErrNoDaemon)
		again := a.again && broken(ctx, err)
		if alone {
			err = e.inProcess(ctx, cfg, a, do)
			again = errors.Is(err, store.ErrLocked)
		}
		if !again || time.Now().After(deadline) {
			return alone, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return alone, ctx.Err()
		}
	}
}

// asked is [env.ask] for one answer.
func asked[T any](ctx context.Context, e *env, a access, get func(*client.Client) (T, error)) (answer T, err error) {
	cfg, err := e.settings()
	if err != nil {
		return answer, err
	}
	_, err = e.ask(ctx, cfg, a, func(c *client.Client) (err error) {
		answer, err = get(c)
		return err
	})
	return answer, err
}

// broken reports whether the connection broke before the daemon's answer.
func broken(ctx context.Context, err error) bool {
	var p *api.Problem
	var refused *client.ConnectError
	return err != nil && !errors.As(err, &p) && !errors.As(err, &refused) && ctx.Err() == nil
}

// each calls do for one after the other. It goes on where the daemon, or the store, refuses one of them, and fails at the end.
func (e *env) each(things string, names []string, do func(name string) error) error {
	failed := false
	for _, name := range names {
		switch err := do(name); {
		case isAboutOne(err):
			failed = true
			fmt.Fprintf(e.err, "evrun: %s\n", events.EscapeControl(err.Error()))
		case err != nil:
			return err
		}
	}
	if failed {
		return &exitError{code: exitFailed, err: fmt.Errorf("some %s were left as they are", things), silent: true}
	}
	return nil
}

// isAboutOne reports whether an error concerns only the thing that was asked for: it does not exist, or is not in the state for it.
func isAboutOne(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusConflict)
}

// look calls do with a client that the store answers in this process, whether or not a daemon runs: a list is read although the daemon is
// busy, stopping, or another user's.
func (e *env) look(ctx context.Context, do func(*client.Client) error) error {
	cfg, err := e.settings()
	if err != nil {
		return err
	}
	return e.inProcess(ctx, cfg, readsStore, do)
}

// liveWithin is how long a daemon may take to say that it can be asked.
const liveWithin = 2 * time.Second

// live is look for what changes while it is read: it asks the daemon, which knows more of what runs and waits than its store. Where none can be asked,
// the store answers.
func (e *env) live(ctx context.Context, do func(*client.Client) error) error {
	cfg, err := e.settings()
	if err != nil {
		return err
	}
	c := clientOf(cfg)
	asked, cancel := context.WithTimeout(ctx, liveWithin)
	defer cancel()
	if c.Ping(asked) == nil {
		return do(c)
	}
	return e.inProcess(ctx, cfg, readsStore, do)
}

// inProcess opens what a says while do runs, with a client that is answered by it in this process. It registers no handlers: the file
// may be half edited, or another one. Those that the next daemon has see the events that do publishes, new ones too.
func (e *env) inProcess(ctx context.Context, cfg *config.Config, a access, do func(*client.Client) error) error {
	if a.wiring {
		issuer := e.issuer()
		if a.write && issuer != nil && !left() {
			return errIssuerGone
		}
		var err error
		if cfg, err = e.load(); err != nil {
			return err
		}
		if a.write && issuer != nil {
			cfg.Settings.Store.Path = issuer.Store
		}
	}
	answer := func(s store.Store) error { return do(client.InProcess(serverOf(s, cfg).Handler())) }
	if a.storeless {
		return answer(nil)
	}
	path := cfg.Settings.Store.Path
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && !a.create {
		switch {
		case a.absent:
			return answer(nil)
		case a.write:
			return fmt.Errorf("store %s: %w", path, store.ErrNotFound)
		}
	}
	if a.write {
		return e.withStore(ctx, cfg, answer)
	}
	return readStore(path, answer)
}

// serverOf answers by a store that no daemon of this process has; nil: by the wiring alone.
func serverOf(s store.Store, cfg *config.Config) *api.Server {
	em := daemon.NewEmitter(s, cfg)
	return api.NewServer(api.Options{
		Store: s, Emitter: em,
		Handlers:  &tasks.Stored{Store: s, Emitter: em, Handlers: cfg.Wiring.Handlers},
		Schedules: &schedule.Stored{Store: s, Emitter: em, Entries: cfg.Wiring.Schedules},
		Explain:   func(ev *events.Event) explain.Report { return explain.Event(cfg.Wiring.Handlers, ev, cfg.Secrets) },
		Matches: func(ev *events.Event) (bool, string) {
			return explain.Matches(cfg.Wiring.Handlers, cfg.Wiring.Events, ev)
		},
		MaxData: cfg.Settings.Server.MaxEvent, Log: slog.New(slog.DiscardHandler),
	})
}

// withStore opens the store for writing while do runs.
func (e *env) withStore(ctx context.Context, cfg *config.Config, do func(store.Store) error) (err error) {
	s, err := sqlite.Open(cfg.Settings.Store.Path, sqlite.Options{
		Options:     store.Options{Unattended: true, MaxData: cfg.Settings.Server.MaxEvent, Warn: func(note string) { e.note("store: %s", note) }},
		Synchronous: cfg.Settings.Store.Synchronous, MaxWAL: cfg.Settings.Store.MaxWAL,
	})
	if err != nil {
		return err
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(writing) }()
	err = do(s)
	stop()
	return errors.Join(err, <-ended, s.Close())
}

// handlers lists the handlers as the daemon has them, or as the wiring file and the store do.
func (e *env) handlers(ctx context.Context) ([]control.HandlerStatus, error) {
	return asked(ctx, e, readsWiring, func(c *client.Client) ([]control.HandlerStatus, error) { return c.Handlers(ctx) })
}

// schedules lists the schedules, each with its next n slots, as the daemon has them, or as the wiring file and the store do.
func (e *env) schedules(ctx context.Context, n int) ([]api.Schedule, error) {
	return asked(ctx, e, readsWiring, func(c *client.Client) ([]api.Schedule, error) { return c.Schedules(ctx, n) })
}

// named returns the schedules with these names; no names: all.
func named[S any](all []S, nameOf func(S) string, names []string) ([]S, error) {
	if len(names) == 0 {
		return all, nil
	}
	known := make([]string, len(all))
	for i, s := range all {
		known[i] = nameOf(s)
	}
	var chosen []S
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			hint := fault.DidYouMean(name, known)
			if hint != "" {
				hint = "; " + hint
			}
			return nil, fmt.Errorf("there is no schedule %q%s", name, hint)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// eventAt is the event with a sequence, or nil.
func eventAt(ctx context.Context, c *client.Client, sequence int64) (*events.Event, error) {
	ev, err := c.Event(ctx, "#"+strconv.FormatInt(sequence, 10))
	var p *api.Problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound {
		return nil, nil
	}
	return ev, err
}

// followed prints the events and runs that an event causes, while publish publishes and follows it.
func (e *env) followed(ctx context.Context, wait time.Duration, typ string,
	publish func(accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error)) error {
	p := e.printer()
	sequence, hint := int64(0), "" // not accepted yet
	end, err := publish(func(rc api.Receipt) error {
		sequence, hint = rc.Sequence, rc.Hint
		return nil
	}, func(kind string, body json.RawMessage) error { return p.Item(kind, body) })
	switch {
	case err != nil && sequence > 0 && ctx.Err() == nil:
		return fmt.Errorf("the event was accepted as #%d, but: %w", sequence, err)
	case err != nil:
		return err
	case end.Timeout:
		return &exitError{code: exitTimeout, err: fmt.Errorf("not everything was done within %v; it goes on", wait)}
	case end.Dead:
		return &exitError{code: exitFailed, err: errors.New("a run is dead")}
	case end.Cancelled:
		return &exitError{code: exitFailed, err: errors.New("a run was cancelled")}
	case !end.Matched:
		return &exitError{code: exitNoHandler, err: fmt.Errorf("no handler matches %s%s", typ, asHint(hint))}
	}
	return nil
}
