package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"evrun/cmd/config"
	"evrun/tasks"
	"evrun/tasks/fault"
	"evrun/tasks/process"
)

// part is a long-lived part of the daemon while it runs.
type part struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error // once done is closed
}

// parts are the parts that were started.
type parts struct {
	running sync.WaitGroup
	failed  chan *part // has a place for each part
}

// start runs a part in a goroutine of its own, until its stop is called.
func (ps *parts) start(name string, run func(context.Context) error) *part {
	ctx, stop := context.WithCancel(context.Background())
	p := &part{name: name, stop: stop, done: make(chan struct{})}
	ps.running.Go(func() {
		p.err = run(ctx)
		if close(p.done); p.err != nil {
			ps.failed <- p
		}
	})
	return p
}

// end stops a part, and waits for its end. A nil part was never started.
func (p *part) end() {
	if p != nil {
		p.stop()
		<-p.done
	}
}

// Run runs the daemon until ctx ends or a part fails, and stops it in two phases: first the parts that let events in, then the runner,
// with its grace period for running attempts; the API answers until then. Bus and store go last. ready is called once everything
// runs. The runner opens the control socket when the migrations of the handlers have run: a command that sends before finds no daemon, and
// tries again. Run returns the error of the part that failed first.
func (d *Daemon) Run(ctx context.Context, ready func()) error {
	ctx, d.stop = context.WithCancel(ctx)
	defer d.stop()
	d.warn(d.cfg)
	d.warnOfSpans()
	ps := &parts{failed: make(chan *part, 20)}
	var reaper, starting, scheduler, server, tcp, reloading, keeping, pruning, watching, sampling, retokening *part
	if d.o.Reap {
		reaper = ps.start("reaper", process.Reap)
	}
	sending := ps.start("spans", d.sendSpans)
	writer := ps.start("store", d.store.Run)
	runner := ps.start("runner", d.runner.Run)
	select {
	case <-d.runner.Ready():
		if !d.publishStart(ctx) {
			starting = ps.start("start", d.publishStartLater)
		}
		scheduler = ps.start("scheduler", d.scheduler.Run)
		server = ps.start("API", func(context.Context) error { return d.server.Serve(d.socket) })
		if d.tcp != nil {
			d.listening()
			tcp = ps.start("TCP port", func(context.Context) error { return d.server.ServeTCP(d.tcp, d.cert.Config()) })
		}
		keeping = ps.start("socket", d.keepSocket)
		reloading = ps.start("watch", d.reloader.run)
		pruning = ps.start("retention", d.keeper.Run)
		retokening = ps.start("tokens", d.followTokens)
		sampling = ps.start("activity", d.activity.Run)
		watching = ps.start("watchdog", func(ctx context.Context) error { return d.o.Manager.Watch(ctx, d.alive, d.untold) })
		ready()
		d.untold("the supervisor can't be told that evrun is ready", d.o.Manager.Ready(d.serves(), d.longestHold()))
	case <-runner.done:
	case <-ctx.Done():
	}

	var first *part
	select {
	case <-ctx.Done():
		d.log.Info("stopping", "grace", d.cfg.Settings.Grace)
	case first = <-ps.failed:
		d.log.Error("a part failed; stopping", "part", first.name, "error", first.err)
	}
	d.tellStop("stopping")
	if server != nil {
		d.server.Drain()
	}
	keeping.end()
	reloading.end()
	pruning.end()
	sampling.end()
	retokening.end()
	starting.end()
	scheduler.end()
	runner.stop()
	if d.cfg.Settings.Store.Shared() {
		defer time.AfterFunc(d.cfg.Settings.Grace+databaseWithin, writer.stop).Stop()
	}
	d.await(runner)
	var err error
	if server != nil {
		closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = d.server.Close(closing)
	}
	server.end()
	tcp.end()
	d.commits.Close()
	d.bus.Close()
	watching.end()
	writer.end()
	sending.end() // after the last commit
	reaper.end()
	ps.running.Wait()
	if first == nil {
		select {
		case first = <-ps.failed: // while it stopped
		default:
		}
	}
	if first != nil {
		return fmt.Errorf("%s: %w", first.name, first.err)
	}
	return err
}

// databaseWithin is how long, after the grace, a stop waits for a database that does not say what became of a commit. Then the store gives up by itself,
// within seconds.
const databaseWithin = 5 * time.Second

// How a stop logs the runs that it waits for.
const (
	logFirst = 200 * time.Millisecond // most attempts have ended by then
	logEvery = 10 * time.Second
	logMost  = 20 // runs by their names
)

// await waits for the runner, and logs again and again which runs it waits for.
func (d *Daemon) await(runner *part) {
	next := time.NewTimer(logFirst)
	defer next.Stop()
	for {
		select {
		case <-runner.done:
			return
		case <-next.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		var runs []string
		all := d.runner.InFlight(ctx)
		cancel()
		for _, f := range all[:min(len(all), logMost)] {
			runs = append(runs, fmt.Sprintf("%s (attempt %d, for %v)", f.RunID, f.Attempt, time.Since(f.Since).Round(time.Millisecond)))
		}
		if len(all) > logMost {
			runs = append(runs, fmt.Sprintf("and %d more", len(all)-logMost))
		}
		if len(runs) > 0 {
			d.log.Info("stopping: waiting for what is in flight", "runs", strings.Join(runs, ", "))
			d.tellStop(fmt.Sprintf("stopping: waits for %s, such as %s", fault.Plural(len(all), "run"), runs[0]))
		}
		next.Reset(logEvery)
	}
}

// alive waits until the store's writer has its turn: a daemon whose writer is stuck must be restarted. One that waits for a database on another machine must
// not, since that would help nobody.
func (d *Daemon) alive(ctx context.Context) error {
	if d.cfg.Settings.Store.Shared() {
		return nil
	}
	return d.store.Ping(ctx)
}

// serves says in a line what the daemon does, for its supervisor.
func (d *Daemon) serves() string {
	cfg := d.current.Load()
	return fmt.Sprintf("%s and %s of %s", fault.Plural(len(cfg.Wiring.Handlers), "handler"), fault.Plural(len(cfg.Wiring.Schedules), "schedule"), cfg.Path)
}

// longestHold is how long a handler's statement may hold the writer, where that is longer than usual.
func (d *Daemon) longestHold() (longest time.Duration) {
	for _, h := range d.current.Load().Wiring.Handlers {
		if stating, ok := h.Action.(tasks.Stating); ok {
			_, hold := stating.UserStatement()
			longest = max(longest, hold)
		}
	}
	return longest
}

// tellStop tells the supervisor that the daemon stops, and asks it to wait until the next call and for the end of the rest.
func (d *Daemon) tellStop(status string) {
	d.untold("the supervisor can't be told that evrun stops", d.o.Manager.Stopping(status, 3*logEvery))
}

// untold logs what a supervisor was not told. A nil error logs nothing.
func (d *Daemon) untold(msg string, err error) {
	if err != nil {
		d.log.Warn(msg, "error", err)
	}
}

// warn logs the probable mistakes of a wiring file.
func (d *Daemon) warn(cfg *config.Config) {
	for _, w := range cfg.Warnings {
		d.log.Warn("wiring: "+w.Message, "at", w.Place(), "hint", w.Hint)
	}
}
