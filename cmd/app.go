package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/process"
	"evrun/tasks/schedule"
)

// app is the daemon: the one place that wires its parts together.
type app struct {
	cfg       *config.Config                // that it was started with: its settings hold until the end
	current   atomic.Pointer[config.Config] // whose wiring runs
	loaded    atomic.Pointer[time.Time]     // when that was read
	log       *slog.Logger
	store     *sqlite.Store
	bus       *events.Bus
	commits   *events.Feed[store.Commit]
	emitter   *tasks.Emitter
	runner    *tasks.Runner
	scheduler *schedule.Scheduler
	reloader  *reloader
	hangUps   *hangUps
	stop      func() // ends the context of run
	server    *api.Server
	socket    *socket
	address   notes // noted while the socket is open
	started   time.Time
}

// newApp opens the store, and sees that the socket can be opened. Nothing runs yet; close undoes it. tune changes what the store
// is opened with, load reads the wiring file again.
func newApp(ctx context.Context, cfg *config.Config, load func() (*config.Config, error), h *hangUps, logTo io.Writer, tune ...func(*store.Options)) (_ *app, err error) {
	a := &app{cfg: cfg, log: newLogger(cfg.Settings, logTo), bus: events.NewBus(), commits: events.NewFeed[store.Commit](),
		hangUps: h, started: time.Now()}
	a.current.Store(cfg)
	a.loaded.Store(&a.started)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	opt := store.Options{
		Synchronous: cfg.Settings.Store.Synchronous,
		MaxData:     cfg.Settings.Server.MaxEvent,
		MaxWAL:      cfg.Settings.Store.MaxWAL,
		Warn:        func(note string) { a.log.Warn("store: " + note) },
		WantRuns:    func() bool { return a.commits.Subscribers() > 0 },
		OnCommit: func(c store.Commit) {
			for _, e := range c.Events {
				a.bus.Publish(e)
			}
			if a.commits.Subscribers() > 0 {
				a.commits.Publish(c)
			}
		},
	}
	for _, t := range tune {
		t(&opt)
	}
	if a.store, err = openStore(ctx, cfg, opt); err != nil {
		return nil, err
	}
	a.endLeftovers(ctx)
	if err = vacate(cfg.Settings.Server.Socket); err != nil {
		return nil, err
	}
	a.address = notes{address: addressOf(cfg)}
	a.emitter = newEmitter(a.store, cfg)
	metrics := newMetrics()
	metrics.watch(a.store.WAL)
	a.runner = tasks.NewRunner(tasks.Options{
		Store: a.store, Bus: a.bus, Emitter: a.emitter, Handlers: cfg.Wiring.Handlers, Log: a.log, Grace: cfg.Settings.Grace,
		Variables:   a.address.variables(),
		Wired:       a.open,
		Unannounced: metrics.unannounced,
	})
	a.scheduler = schedule.NewScheduler(schedule.Options{
		Store: a.store, Emitter: a.emitter, Entries: cfg.Wiring.Schedules, Log: a.log, Settled: a.settled,
		Observe: metrics.slotAccepted,
	})
	a.reloader = &reloader{a: a, load: load}
	a.reloader.seen = a.reloader.digest()
	a.server = api.NewServer(api.Options{
		Store: a.store, Emitter: a.emitter, Runner: a.runner, Scheduler: a.scheduler, Bus: a.bus, Commits: a.commits, Log: a.log,
		MaxData: cfg.Settings.Server.MaxEvent, Status: a.status, Reload: a.reloader.reload, Explain: a.explain, Metrics: metrics.handler(),
	})
	return a, nil
}

// endLeftovers ends what the commands of a daemon that was killed left behind, before the next attempts of their runs begin.
func (a *app) endLeftovers(ctx context.Context) {
	ended, left := process.EndLeftovers(ctx, a.store.ID())
	if ended > 0 {
		a.log.Warn("ended processes that the commands of a killed evrun had left running", "processes", ended)
	}
	if len(left) > 0 {
		a.log.Error("processes that the commands of a killed evrun had left running could not be ended: they may disturb new attempts", "pids", left)
	}
}

// newEmitter makes an emitter that knows the types which the wiring file declares.
func newEmitter(journal store.Journal, cfg *config.Config) *tasks.Emitter {
	em := tasks.NewEmitter(journal, cfg.Settings.Server.MaxEvent)
	em.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes)
	return em
}

// openStoreFor is how long a start waits for an emit that is just writing to the store by itself.
const openStoreFor = 3 * time.Second

func openStore(ctx context.Context, cfg *config.Config, opt store.Options) (*sqlite.Store, error) {
	deadline := time.Now().Add(openStoreFor)
	for {
		s, err := sqlite.Open(cfg.Settings.Store.Path, opt)
		if err == nil || !errors.Is(err, store.ErrLocked) || time.Now().After(deadline) {
			return s, err
		}
		if c := clientOf(cfg); c.Ping(ctx) == nil {
			return nil, err // a daemon: it won't go away
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// close releases what newApp and run took.
func (a *app) close() error {
	var errs []error
	a.bus.Close()
	a.commits.Close()
	if a.socket != nil {
		a.address.forget()
		if err := a.socket.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// part is a long-lived part of the daemon while it runs.
type part struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// run runs the daemon until ctx ends or a part fails, and stops it in two phases: first what lets events in, then the
// runner, with its grace period for what is in flight; the API answers until then. Bus and store go last. ready is called
// once everything runs. The runner opens the socket when the handlers' migrations have run: whoever sends before finds no
// daemon, and tries again.
func (a *app) run(ctx context.Context, ready func()) error {
	failed := make(chan *part, 7)
	var parts sync.WaitGroup
	start := func(name string, run func(context.Context) error) *part {
		ctx, stop := context.WithCancel(context.Background())
		p := &part{name: name, stop: stop, done: make(chan struct{})}
		parts.Go(func() {
			p.err = run(ctx)
			if close(p.done); p.err != nil {
				failed <- p
			}
		})
		return p
	}
	stop := func(p *part) {
		p.stop()
		<-p.done
	}
	reaper := start("reaper", process.Reap)
	writer := start("store", a.store.Run)
	runner := start("runner", a.runner.Run)
	var scheduler, server, reloading, keeping *part
	select {
	case <-a.runner.Ready():
		scheduler = start("scheduler", a.scheduler.Run)
		server = start("API", func(context.Context) error { return a.server.Serve(a.socket) })
		keeping = start("socket", a.keepSocket)
		reloading = start("watch", a.reloader.run)
		ready()
	case <-runner.done:
	case <-ctx.Done():
	}

	var first *part
	select {
	case <-ctx.Done():
		a.log.Info("stopping", "grace", a.cfg.Settings.Grace)
	case first = <-failed:
		a.log.Error("a part failed; stopping", "part", first.name, "error", first.err)
	}
	if server != nil {
		a.server.Drain()
		stop(keeping)
		stop(reloading)
		stop(scheduler)
	}
	runner.stop()
	a.await(runner)
	var err error
	if server != nil {
		closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = a.server.Close(closing)
		stop(server)
	}
	a.commits.Close()
	a.bus.Close()
	stop(writer)
	stop(reaper)
	parts.Wait()
	if first == nil {
		select {
		case first = <-failed: // while it stopped
		default:
		}
	}
	if first != nil {
		return fmt.Errorf("%s: %w", first.name, first.err)
	}
	return err
}

// open opens the control socket.
func (a *app) open() (err error) {
	if a.socket, err = openSocket(a.cfg.Settings.Server); err != nil {
		return err
	}
	a.address.remember()
	return nil
}

// settled waits until all that an event caused has ended. One that is not in the journal (any more) has caused nothing.
func (a *app) settled(ctx context.Context, source, id string) error {
	page, err := a.store.Events(ctx, store.EventQuery{ID: id, Source: source})
	if err != nil || len(page) == 0 {
		return err
	}
	_, err = a.runner.Follow(ctx, page[0], a.commits, func(tasks.Link) error { return nil })
	return err
}

// warn logs what is probably not meant in a wiring file.
func (a *app) warn(cfg *config.Config) {
	for _, w := range cfg.Warnings {
		a.log.Warn("wiring: "+w.Message, "at", w.Place(), "hint", w.Hint)
	}
}

// status is what GET /v1/status answers.
func (a *app) status(ctx context.Context) (api.Status, error) {
	cfg := a.current.Load()
	s := api.Status{
		Version: version(), PID: os.Getpid(), StartedAt: a.started.UTC(), Config: cfg.Path, LoadedAt: a.loaded.Load().UTC(), Reload: a.reloader.lastOne(),
		Store: cfg.Settings.Store.Path, Socket: cfg.Settings.Server.Socket,
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.Store + suffix); err == nil {
			s.StoreSize += info.Size()
		}
	}
	wal := a.store.WAL()
	s.WAL = api.WAL{Bytes: wal.Bytes, Max: wal.Max, Held: wal.Held, Full: wal.Full, Holders: wal.Holders}
	var err error
	if s.Head, err = a.store.Head(ctx); err != nil {
		return s, err
	}
	if s.Handlers, err = a.runner.Status(ctx); err != nil {
		return s, err
	}
	states, err := a.scheduler.States(ctx)
	if errors.Is(err, tasks.ErrStopping) { // the rest is of interest all the more
		err = nil
	}
	s.Schedules = api.SchedulesOf(states, 0)
	return s, err
}

func newLogger(s config.Settings, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: s.Log.Level}
	if s.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(events.JSONWriter{W: w}, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
