package daemon

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/config"
	"evrun/cmd/config/include"
	"evrun/cmd/drivers"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/retention"
)

// lookEvery is how often the reloader checks whether the wiring file has changed. A changed file is read when it has been unchanged for
// quietFor, since people and editors save in several steps.
const (
	lookEvery = 500 * time.Millisecond
	quietFor  = time.Second
)

// reloader replaces the running wiring by the one of the wiring file: at a SIGHUP, at a request, and when the file changes. The whole
// file is checked first; a wrong file changes nothing.
type reloader struct {
	d *Daemon

	mu     sync.Mutex // one reload at a time
	inputs *include.Inputs

	last atomic.Pointer[api.Reloaded] // that changed the wiring or was refused; nil: none yet
	read atomic.Pointer[time.Time]    // when a right file was last read
}

func newReloader(d *Daemon) *reloader {
	r := &reloader{d: d, inputs: d.current.Load().Inputs}
	r.read.Store(&d.started)
	return r
}

// run reloads at signals and changes of the file until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	var looks <-chan time.Time // nil: not watched
	if r.d.current.Load().Settings.Server.Watch {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		looks = ticker.C
	}
	var terminal <-chan time.Time // nil: none
	if h := r.d.o.HangUps; h != nil && h.terminal {
		ticker := time.NewTicker(lookForTerminal)
		defer ticker.Stop()
		terminal = ticker.C
	}
	files := quiet{} // they may have changed since they were read
	for {
		select {
		case <-r.d.o.HangUps.signals():
			if r.d.o.HangUps.closed() {
				r.d.log.Info("the terminal that evrun was started in was closed")
				r.d.stop()
				return nil
			}
			_, _ = r.reload(byNobody(ctx), "signal") // its error is logged
		case <-terminal:
			if !r.d.o.HangUps.look() {
				terminal = nil
			}
		case <-looks:
			if files.look(r.look(), time.Now()) && r.changed() {
				_, _ = r.reload(byNobody(ctx), "file")
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// byNobody returns a context for an action of an unknown user: neither a signal nor a changed file says who it was.
func byNobody(ctx context.Context) context.Context { return audit.With(ctx, audit.Actor{UID: -1}) }

// asked is the reload that a request asks for.
func (r *reloader) asked(ctx context.Context) (api.Reloaded, error) { return r.reload(ctx, "request") }

// quiet detects that a state has stopped changing.
type quiet struct {
	seen    string
	since   time.Time
	noticed bool
}

// look is given the state at a time. It returns true once after each change, when the state has been the same for quietFor.
func (q *quiet) look(now string, at time.Time) bool {
	switch {
	case now != q.seen:
		*q = quiet{seen: now, since: at}
	case !q.noticed && at.Sub(q.since) >= quietFor:
		q.noticed = true
		return true
	}
	return false
}

// look describes the files of the wiring, and what the patterns of its include match. Files are polled and not watched by inotify: the store is
// often in the same directory, and each of its writes would wake the reloader.
func (r *reloader) look() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inputs.Look(time.Now())
}

// changed reports whether the files have changed since they were read.
func (r *reloader) changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inputs.Changed()
}

// reload reads the wiring file again, because of a request, a signal or a changed file. Its error is an *[api.Problem] where the file is wrong.
func (r *reloader) reload(ctx context.Context, because string) (done api.Reloaded, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.d.untold("a reload can't be reported to the supervisor", r.d.o.Manager.Reloading())
	defer func() {
		status := r.d.serves()
		if err != nil {
			status += "; its last reload failed"
		}
		r.d.untold("the end of a reload can't be reported to the supervisor", r.d.o.Manager.Ready(status, r.d.longestHold()))
	}()
	done = api.Reloaded{At: time.Now().UTC().Truncate(time.Millisecond)}
	cfg, err := r.d.o.Load()
	if faults, ok := errors.AsType[*config.Errors](err); ok { // the files that must be mended, or more of them
		r.inputs = faults.Inputs
	} else if err == nil {
		r.inputs = cfg.Inputs
		err = r.swap(ctx, cfg, &done)
	}
	switch {
	case errors.Is(err, tasks.ErrStopping), ctx.Err() != nil:
		return done, &api.Problem{Status: http.StatusServiceUnavailable, Title: "Service Unavailable", Detail: "evrun is stopping"}
	case err != nil:
		return done, r.rejected(ctx, done, err)
	}
	r.read.Store(&done.At)
	if done.None() {
		if r.refused() { // the mistake is mended: the file is again as it was before
			r.last.Store(&done)
		}
		r.d.log.Info("the wiring file was read again: nothing has changed")
		return done, nil
	}
	r.last.Store(&done)
	r.d.log.Info("the wiring was reloaded", "handlers", done.Handlers, "schedules", done.Schedules, "events", done.Events, "hooks", done.Hooks, "settings", done.Settings)
	if len(done.Restart) > 0 {
		r.d.log.Warn("some settings have changed that only a restart applies", "settings", done.Restart)
	}
	r.d.warn(cfg)
	data := map[string]any{"path": cfg.Path, "handlers": done.Handlers, "schedules": done.Schedules, "events": done.Events, "hooks": done.Hooks}
	if len(done.Restart) > 0 {
		data["restart"] = done.Restart
	}
	if len(done.Settings) > 0 {
		data["settings"] = done.Settings
	}
	if len(done.Left) > 0 {
		data["left"] = done.Left
	}
	if len(done.Paused) > 0 {
		data["paused"] = done.Paused
	}
	e, err := r.d.emitter.Notice(events.TypeConfigReloaded, "", data)
	r.publish(ctx, e, err)
	e, err = audit.Event(ctx, r.d.emitter, events.TypeAuditWiringReloaded, map[string]any{"path": cfg.Path, "because": because})
	r.publish(ctx, e, err)
	return done, nil
}

// lastRead reports whether the file was right when it was last read, and when a right one was.
func (r *reloader) lastRead() (ok bool, at time.Time) { return !r.refused(), *r.read.Load() }

// refused reports whether the file was refused when it was last read.
func (r *reloader) refused() bool {
	last := r.last.Load()
	return last != nil && last.Error != ""
}

// swap replaces the running wiring by the one of cfg: all of it, or nothing. Handlers, the tables that they need, and schedules are stored in
// one transaction; the steps after it can't fail.
func (r *reloader) swap(ctx context.Context, cfg *config.Config, done *api.Reloaded) (err error) {
	was := r.d.current.Load()
	done.Schedules, err = r.d.scheduler.Replace(ctx, cfg.Wiring.Schedules, func(marks []store.ScheduleMark, gone []string) error {
		replaced, err := r.d.runner.Replace(ctx, cfg.Wiring.Handlers, tasks.Along{
			Marks: marks, Gone: gone, Done: func() { r.d.emitter.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes) },
		})
		done.Handlers, done.Left, done.Paused, done.Unknown = replaced.Changes, replaced.Left, replaced.Paused, replaced.Unknown
		return err
	})
	if err != nil {
		return err
	}
	done.Events = tasks.Compare(was.Wiring.Events, cfg.Wiring.Events, func(t emitter.EventType) string { return t.Type },
		func(a, b emitter.EventType) bool { return a.Version == b.Version })
	done.Hooks = tasks.Compare(was.Wiring.Hooks, cfg.Wiring.Hooks, func(h *hook.Hook) string { return h.Name },
		func(a, b *hook.Hook) bool { return a.Version == b.Version })
	r.d.server.Hooks().Replace(cfg.Wiring.Hooks)
	done.Restart = was.Settings.Differing(cfg.Settings)
	kept := cfg.Settings.Retention
	if kept != was.Settings.Retention {
		done.Settings = append(done.Settings, "retention")
		r.d.keeper.Set(retention.Policy(kept))
	}
	zone := cfg.Settings.Timezone
	if zone != was.Settings.Timezone {
		done.Settings = append(done.Settings, "timezone")
	}
	if !access.Same(cfg.Wiring.Tokens, was.Wiring.Tokens) {
		done.Settings = append(done.Settings, "server.tokens")
	}
	cfg.Settings = was.Settings
	cfg.Settings.Retention, cfg.Settings.Timezone = kept, zone
	if err := r.d.useTokens(cfg); err != nil {
		r.d.log.Error("the owner's token can't be read again, and stays as it was", "error", err)
	}
	r.d.current.Store(cfg)
	r.d.loaded.Store(&done.At)
	if err := drivers.SetWiring(ctx, r.d.store, cfg.Digest); err != nil {
		r.d.log.Warn("the other daemons still see the wiring from before in their status", "error", err)
	}
	return nil
}

// rejected reports a refused file in the log and by an event, and returns the answer to the request.
func (r *reloader) rejected(ctx context.Context, done api.Reloaded, err error) error {
	done.Error = err.Error()
	r.last.Store(&done)
	p := &api.Problem{Status: http.StatusUnprocessableEntity, Title: "Unprocessable Entity", Detail: done.Error}
	lines := []string{done.Error}
	var faults *config.Errors
	if errors.As(err, &faults) {
		lines = nil
		for i := range faults.Faults {
			lines = append(lines, faults.Faults[i].String())
		}
		p.Faults, _ = events.MarshalJSON(faults.Faults) // of strings and numbers
	}
	r.d.log.Error("the wiring file was refused, and nothing has changed", "errors", lines)
	e, err := r.d.emitter.Notice(events.TypeConfigRejected, "", map[string]any{"path": r.d.current.Load().Path, "errors": lines})
	r.publish(ctx, e, err)
	return p
}

// publish publishes one of evrun's own events, unless err says that it could not be made.
func (r *reloader) publish(ctx context.Context, e *events.Event, err error) {
	if err == nil {
		_, err = r.d.emitter.Accept(ctx, []*events.Event{e})
	}
	if err != nil {
		r.d.log.Warn("an event of evrun's own can't be published", "error", err)
	}
}
