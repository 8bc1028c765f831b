package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/cmd/daemon"
	"evrun/cmd/drivers"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/explain"
	"evrun/tasks/process"
	"evrun/tasks/retention"
	"evrun/tasks/schedule"
)

// Settings reads the settings that a client needs from the wiring file. If the file can't be read, or names another socket than the daemon
// that runs it has, that daemon is found by its noted address.
func (e *Env) Settings() (*config.Config, error) {
	return e.Running(func() (*config.Config, error) { return config.LoadSettings(e.Config, e.ConfigOptions()) })
}

// Running is [Env.Settings] with a function that reads the file, if the file is needed.
func (e *Env) Running(read func() (*config.Config, error)) (*config.Config, error) {
	if a := e.issuer(); a != nil {
		return a.Settings(), nil
	}
	cfg, err := read()
	a := daemon.Recall(e.Config)
	switch {
	case a == nil, !a.Allowed(os.Getenv):
		return cfg, err
	case err == nil && a.Socket == cfg.Settings.Server.Socket:
		return cfg, nil
	case err == nil && a.Beside: // the file leads to another daemon, or to none
		return cfg, nil
	case !a.Answers(e.Command.Context()):
		return cfg, err
	}
	var faults *config.Errors
	if errors.As(err, &faults) {
		first := faults.Faults[0]
		first.Hint = ""
		e.Note("%s (the file is wrong now; using the daemon that runs it, on %s)", first.String(), a.Socket)
	} else {
		e.Note("%s names the socket %s; using the daemon that runs this file, on %s (a changed socket or store needs a restart)",
			e.Config, cfg.Settings.Server.Socket, a.Socket)
	}
	return a.Settings(), nil
}

// Load reads and checks the whole wiring file.
func (e *Env) Load() (*config.Config, error) {
	cfg, err := config.Load(e.Config, e.ConfigOptions())
	if err == nil {
		for _, n := range cfg.Notes {
			e.Note("%s", n)
		}
	}
	return cfg, err
}

// ConfigOptions are how a command reads a wiring file.
func (e *Env) ConfigOptions() config.Options {
	return config.Options{
		Flags: e.Command.Flags(), Getenv: os.Getenv, Parsers: drivers.Parsers,
	}
}

// issuer is the address of the daemon whose handler started this evrun, if that daemon runs the wiring file of this command; otherwise nil.
func (e *Env) issuer() *daemon.Address { return daemon.Issuer(e.Config, os.Getenv) }

// ClientOf is a client of the daemon that has these settings.
func ClientOf(cfg *config.Config) *client.Client {
	return client.New(cfg.Settings.Server.Socket, cfg.Path, cfg.Settings.Own())
}

// Client is a client of the daemon that has these settings. If that daemon's handler started this evrun, the client presents the secret
// of the run; no other daemon gets it.
func (e *Env) Client(cfg *config.Config) (*client.Client, error) {
	c := ClientOf(cfg)
	if a := e.issuer(); a != nil && a.Socket == cfg.Settings.Server.Socket {
		c.RunToken = os.Getenv(tasks.VariableRunToken)
		if !runToken().MatchString(c.RunToken) {
			return nil, Usage("%s is not the value that evrun set; unset it to publish events that belong to no run", tasks.VariableRunToken)
		}
		if left() {
			c.RunEnded = func() {
				e.Note("the attempt that started this program has ended, and left it: the event is in no run, and begins a chain of its own")
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
var errIssuerGone = &ExitError{Code: ExitNoDaemon, Err: errors.New("the daemon that runs this command is gone, and the event belongs to the command's run; the run is tried again when evrun serve is back")}

// InProcess opens what a says while do runs, with a client that is answered by it in this process. It registers no handlers: the file
// may be half edited, or another one. Those that the next daemon has see the events that do publishes, new ones too.
func (e *Env) InProcess(ctx context.Context, cfg *config.Config, a Access, do func(*client.Client) error) error {
	if a.wiring {
		issuer := e.issuer()
		if a.write && issuer != nil && !left() {
			return errIssuerGone
		}
		var err error
		if cfg, err = e.Load(); err != nil {
			return err
		}
		if a.write && issuer != nil {
			cfg.Settings.Store = settings.Named(issuer.Store, cfg.Settings.Store)
		}
	}
	answerWith := func(s store.Store, f *api.Following) error {
		return do(client.InProcess(serverOf(s, cfg, f).Handler()))
	}
	answer := func(s store.Store) error { return answerWith(s, nil) }
	if a.storeless {
		return answer(nil)
	}
	at := cfg.Settings.Store
	follow := a.follow && at.Shared()
	if (a.write || follow) && !a.create {
		none, err := a.none(ctx, at)
		if err != nil {
			return err
		}
		if none {
			return answer(nil)
		}
	}
	switch {
	case follow:
		return e.followedStore(ctx, cfg, answerWith)
	case a.write:
		return drivers.With(ctx, at, e.storeOptions(cfg), answer)
	}
	s, err := drivers.OpenReader(ctx, at)
	switch {
	case a.absent && errors.Is(err, store.ErrNotFound):
		return answer(nil)
	case err != nil:
		return err
	}
	defer s.Close()
	return answer(s)
}

// none reports whether the store does not exist yet, and counts as one that has nothing. Where it must exist, that is an error.
func (a Access) none(ctx context.Context, at settings.Store) (bool, error) {
	exists, err := drivers.Exists(ctx, at)
	if err == nil && !exists && !a.absent {
		err = fmt.Errorf("store %s: %w; no daemon has run here yet: start evrun serve", at, store.ErrNotFound)
	}
	return !exists, err
}

// serverOf answers by a store that no daemon of this process has; nil: by the wiring alone. f is nil if it can't follow.
func serverOf(s store.Store, cfg *config.Config, f *api.Following) *api.Server {
	em := daemon.NewEmitter(s, cfg)
	id := "nostore"
	if s != nil {
		id = s.ID()
	}
	tokens := access.NewTokens()
	tokens.Set(access.File, cfg.Wiring.Tokens)
	return api.NewServer(api.Options{
		Store: s, Emitter: em, Tokens: tokens, Version: Version(), Following: f,
		Handlers:  &tasks.Stored{Store: s, Emitter: em, Handlers: cfg.Wiring.Handlers},
		Schedules: &schedule.Stored{Store: s, Emitter: em, Entries: cfg.Wiring.Schedules},
		Explain: func(ev *events.Event) explain.Report {
			return explain.Event(cfg.Wiring.Handlers, ev, id, cfg.Secrets).Among(cfg.Wiring.Events)
		},
		Wired: func() []*tasks.Handler { return cfg.Wiring.Handlers },
		Matches: func(ev *events.Event) (bool, string) {
			return explain.Matches(cfg.Wiring.Handlers, cfg.Wiring.Events, ev)
		},
		Retention: func() retention.Policy { return retention.Policy(cfg.Settings.Retention) },
		Hooks:     cfg.Wiring.Hooks,
		MaxData:   cfg.Settings.Server.MaxEvent, Log: slog.New(slog.DiscardHandler),
	})
}

// storeOptions are those of a store that is opened for writing without a daemon.
func (e *Env) storeOptions(cfg *config.Config) drivers.Options {
	return drivers.Options{
		Options: store.Options{Unattended: true, MaxData: cfg.Settings.Server.MaxEvent, Warn: func(note string) { e.Note("store: %s", note) }},
	}
}
