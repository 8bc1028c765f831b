// Package daemon wires the parts of evrun together and runs them as one: the store, the bus, the emitter, the runner of the handlers,
// the scheduler, the HTTP API on the control socket and the TCP port, and what keeps them current (reloads, metrics, the note of the daemon's address).
// It is the only place that knows all of them.
//
//	d, err := daemon.New(ctx, cfg, daemon.Options{Load: load, Log: log})
//	if err != nil {
//		return err
//	}
//	err = d.Run(ctx, func() { fmt.Println("ready") })
//	return errors.Join(err, d.Close())
//
// New opens the store and starts nothing. Run starts every part in a goroutine of its own, and returns when all of them have
// ended: it stops first what lets events in, then the runner with its grace period, then bus and store. Close releases what New and
// Run took, and must be called after Run has returned.
//
// A daemon notes its address where the commands of its user look for it (see [Address]): a wiring file alone does not always say
// where its daemon is.
package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"evrun/cmd/activity"
	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/daemon/sockets"
	"evrun/cmd/daemon/supervisor"
	"evrun/cmd/drivers"
	"evrun/cmd/metrics"
	"evrun/cmd/web"
	"evrun/cmd/wiring"
	"evrun/events"
	"evrun/store"
	"evrun/store/meter"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/process"
	"evrun/tasks/retention"
	"evrun/tasks/schedule"
	"evrun/tasks/trace/otlp"
)

// Options are the parts of a daemon that are not in its wiring file.
type Options struct {
	Passed   *sockets.Passed                // sockets that the service manager opened; nil: none
	Load     func() (*config.Config, error) // reads the wiring file again, for a reload
	Log      *slog.Logger                   // default: nothing is logged
	HangUps  *HangUps                       // the SIGHUPs that ask for a reload; default: none
	Version  string                         // of evrun, for its status
	Revision string                         // the commit that it was built from
	Manager  *supervisor.Supervisor         // the service manager that started this process; default: none
	Reap     bool                           // reap every child of this process, with those that [process.Adopt] brings back
	Tune     func(*StoreOptions)            // changes how the store is opened; default: it does not
	// Spans say where spans go; nil: there are none. SpanFaults are what is wrong with the variables that they come from.
	Spans      *otlp.Settings
	SpanFaults []otlp.Fault
}

// Daemon is the daemon of one wiring file. Its methods are called in the order New, Run, Close.
type Daemon struct {
	o         Options
	cfg       *config.Config                // the one that it was started with: its settings hold until the end
	current   atomic.Pointer[config.Config] // the one whose wiring runs
	loaded    atomic.Pointer[time.Time]     // when that was read
	log       *slog.Logger
	store     store.Store
	bus       *events.Bus
	commits   *events.Feed[store.Commit]
	emitter   *emitter.Emitter
	runner    *tasks.Runner
	scheduler *schedule.Scheduler
	keeper    *retention.Keeper
	reloader  *reloader
	stop      context.CancelFunc // ends the context of Run
	server    *api.Server
	tokens    *access.Tokens // that are valid by TCP
	socket    *socket
	control   *net.UnixListener    // the one that was passed for it; nil: none
	tcp       net.Listener         // nil: there is no TCP port
	cert      *sockets.Certificate // of the TCP port; nil: it has no TLS
	address   notes                // noted while the socket is open
	started   time.Time
	made      atomic.Bool   // New is done
	retoken   chan struct{} // has a token when those of the store have changed elsewhere
	accepted  meter.Clock
	metrics   *metrics.Metrics
	activity  *activity.Sampler
	spans     *otlp.Exporter // nil: none are wanted
}

// New opens the store of a wiring file, and checks that the control socket can be opened. It starts no goroutine. Its error is
// [store.ErrLocked] where another daemon has the store; then, and after any other error, there is nothing to close.
func New(ctx context.Context, cfg *config.Config, o Options) (_ *Daemon, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Daemon{o: o, cfg: cfg, log: o.Log, bus: events.NewBus(), commits: events.NewFeed[store.Commit](), started: time.Now(), metrics: metrics.New(), tokens: access.NewTokens(), retoken: make(chan struct{}, 1)}
	d.current.Store(cfg)
	d.loaded.Store(&d.started)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	server := cfg.Settings.Server
	if d.control, err = o.Passed.Control(server); err != nil {
		return nil, err
	}
	if server.TLS.On() {
		if d.cert, err = sockets.LoadCertificate(server.TLS, d.log); err != nil {
			return nil, err
		}
	}
	opt := d.storeOptions()
	if d.store, err = openStore(ctx, cfg, opt, d.control == nil, d.log); err != nil {
		return nil, err
	}
	d.makeSpans()
	d.endLeftovers(ctx)
	if d.control == nil {
		if err = vacate(server.Socket); err != nil {
			return nil, err
		}
	}
	if d.tcp, err = sockets.Listen(ctx, server, o.Passed); err != nil {
		return nil, err
	}
	d.address = notes{Address: addressOf(cfg)}
	d.emitter = NewEmitter(d.store, cfg)
	d.runner = tasks.NewRunner(tasks.Options{
		Store: d.store, Bus: d.bus, Emitter: d.emitter, Handlers: cfg.Wiring.Handlers, Log: d.log, Grace: cfg.Settings.Grace,
		OpenDatabase: drivers.OpenFile,
		Tracer:       d.tracer(),
		Node:         opt.Node,
		Variables:    d.address.variables(),
		Wired:        d.open,
		Unannounced:  d.metrics.Unannounced,
		Accepted:     &d.accepted,
	})
	d.scheduler = schedule.NewScheduler(schedule.Options{
		Store: d.store, Emitter: d.emitter, Entries: cfg.Wiring.Schedules, Log: d.log, Settled: d.settled,
		Observe: d.metrics.SlotAccepted, Leases: d.store,
	})
	d.keeper = retention.New(retention.Options{Store: d.store, Policy: retention.Policy(cfg.Settings.Retention), Log: d.log, Now: opt.Now, Leases: d.store})
	d.activity = activity.New(activity.Sources{Accepted: d.metrics.Accepted, Handlers: d.runner.EachMeasured, Backlog: d.runner.Measures})
	d.reloader = newReloader(d)
	d.server = api.NewServer(api.Options{
		Store: d.store, Emitter: d.emitter, Handlers: d.runner, Schedules: d.scheduler, Explain: d.explain, Matches: d.matches, Wired: d.wired, Redact: d.redact,
		Log: d.log, Retention: d.keeper.Policy,
		MaxData: server.MaxEvent, MaxConnections: d.connections(), MaxStreams: server.MaxStreams, Tokens: d.tokens, TrustedProxies: server.TrustedProxies, Hosts: hostsOf(server),
		Version: d.o.Version,
		Hooks:   cfg.Wiring.Hooks,
		Pages:   web.Pages,
		Daemon: &api.Daemon{Runner: d.runner, Bus: d.bus, Commits: d.commits, Status: d.status, Reload: d.reloader.asked, Metrics: d.metrics.Handler(), URL: d.Dashboard, Examine: d.examine, Activity: d.activity.Answer,
			Wiring: wiring.New(wiring.Options{Current: d.current.Load, Load: o.Load, Parsers: drivers.Parsers})},
	})
	if err = d.loadTokens(ctx); err != nil {
		return nil, err
	}
	d.watch()
	d.made.Store(true)
	return d, nil
}

// NewEmitter makes an emitter that knows the types which the wiring file declares.
func NewEmitter(journal store.Journal, cfg *config.Config) *emitter.Emitter {
	em := emitter.New(journal, cfg.Settings.Server.MaxEvent)
	em.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes)
	return em
}

// StoreOptions are the options of the store.
type StoreOptions = drivers.Options

// storeOptions makes the store publish each commit: its events to the bus, and all of it to the followers of commits.
func (d *Daemon) storeOptions() StoreOptions {
	opt := StoreOptions{Options: store.Options{
		MaxData:   d.cfg.Settings.Server.MaxEvent,
		Warn:      func(note string) { d.log.Warn("store: " + note) },
		Wrote:     d.metrics.Wrote,
		WantRuns:  func() bool { return d.made.Load() && d.spans != nil || d.commits.Subscribers() > 0 },
		OnForeign: d.changedElsewhere,
		OnCommit: func(c store.Commit) {
			if !d.made.Load() { // of another daemon; nobody follows yet
				return
			}
			d.noteAccepted(c) // first: a worker may be quick
			d.bus.Publish(c.Events)
			if d.spans != nil && !c.Elsewhere {
				d.spans.Observe(c)
			}
			c.Attempts = nil // its events are not kept while readers are slow
			if d.commits.Subscribers() > 0 {
				d.commits.Publish(c)
			}
		},
	}}
	opt.Node = d.node()
	if d.o.Tune != nil {
		d.o.Tune(&opt)
	}
	return opt
}

// endLeftovers ends the processes that the commands of a killed daemon left behind, before the next attempts of their runs begin.
func (d *Daemon) endLeftovers(ctx context.Context) {
	ended, left := process.EndLeftovers(ctx, d.store.ID())
	if ended > 0 {
		d.log.Warn("ended processes that the commands of a killed evrun had left running", "processes", ended)
	}
	if len(left) > 0 {
		d.log.Error("processes that the commands of a killed evrun had left running could not be ended: they may disturb new attempts", "pids", left)
	}
}

const (
	// openStoreFor is how long a start waits for a command without a daemon that is writing to the store.
	openStoreFor = 3 * time.Second
	// awaitServerFor is how long a start waits for the server that has the store. After it, who started evrun starts it again: that takes so long that
	// systemd does not give up (StartLimitBurst in StartLimitIntervalSec of evrun's unit).
	awaitServerFor = time.Minute
)

// openStore opens the store. With ask, the process that answers at the socket is a daemon that has it, and keeps it.
func openStore(ctx context.Context, cfg *config.Config, opt StoreOptions, ask bool, log *slog.Logger) (store.Store, error) {
	began, said := time.Now(), false
	for {
		s, err := drivers.Open(ctx, cfg.Settings.Store, opt)
		opening, ok := errors.AsType[*store.OpenError](err)
		switch waited := time.Since(began); {
		case ok && opening.Passes && waited < awaitServerFor:
			if !said {
				log.Warn("waiting for the database", "error", err, "for", awaitServerFor, "hint", opening.Hint)
				said = true
			}
		case err == nil || !errors.Is(err, store.ErrLocked) || waited > openStoreFor:
			return s, err
		}
		if ask && client.New(cfg.Settings.Server.Socket, cfg.Path, cfg.Settings.Own()).Ping(ctx) == nil {
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close closes the socket and the store. It must not be called while Run runs.
func (d *Daemon) Close() error {
	var errs []error
	d.bus.Close()
	d.commits.Close()
	if d.socket != nil {
		d.address.forget()
		if err := d.socket.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if d.tcp != nil {
		_ = d.tcp.Close() // Run has closed it, if it ran
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// open opens the control socket.
func (d *Daemon) open() (err error) {
	if d.socket, err = openSocket(d.cfg.Settings.Server, d.control); err != nil {
		return err
	}
	d.address.remember()
	return nil
}

// connections is how many connections each of socket and TCP port can have.
func (d *Daemon) connections() int {
	wanted := d.cfg.Settings.Server.MaxConnections
	if d.tcp == nil {
		return wanted
	}
	most := sockets.Connections(wanted)
	if most < wanted {
		d.log.Warn("this process may open too few files for server.max_connections; raise the limit (ulimit -n, LimitNOFILE= of the unit)", "max_connections", wanted, "possible", most)
	}
	return most
}
