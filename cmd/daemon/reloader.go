package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/tasks"
)

// lookEvery is how often it is looked whether the wiring file has changed. It is read once it has been quiet for so long:
// people save in several steps, and editors write in several.
const (
	lookEvery = 500 * time.Millisecond
	quietFor  = time.Second
)

// reloader puts what the wiring file says now in the place of the wiring that runs: at a SIGHUP, when somebody asks for it, and
// when the file changes. The file is checked whole first; one that is wrong changes nothing.
type reloader struct {
	d *Daemon

	mu   sync.Mutex // one reload at a time
	seen [sha256.Size]byte
	last *api.Reloaded // nil: none yet
}

func newReloader(d *Daemon) *reloader {
	r := &reloader{d: d}
	r.seen = r.digest()
	return r
}

// run reloads at signals and changes until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	var looks <-chan time.Time // nil: not watched
	if r.d.current.Load().Settings.Server.Watch {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		looks = ticker.C
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
			_, _ = r.reload(ctx) // it is logged
		case <-looks:
			if files.look(r.look(), time.Now()) && r.changed() {
				_, _ = r.reload(ctx)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// quiet notices when something that changes has stopped doing so.
type quiet struct {
	seen    string
	since   time.Time
	noticed bool
}

// look takes what is seen at a time. It is true once after each change, when nothing has changed for quietFor.
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

// look sums up what the system says of the files that the wiring is read from, wherever symbolic links lead. It is asked for
// again and again, and not the system for notice: in the folder of the file there is often the store, and each of its writes
// would be a notice.
func (r *reloader) look() string {
	var b strings.Builder
	for _, path := range r.files() {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%d %d %d\n", info.Size(), info.ModTime().UnixNano(), inode(info))
		} else {
			fmt.Fprintln(&b, "gone")
		}
	}
	return b.String()
}

// inode tells a file from another one that was put in its place.
func inode(info os.FileInfo) uint64 {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return sys.Ino
	}
	return 0
}

// files are those that the wiring is read from.
func (r *reloader) files() []string {
	cfg := r.d.current.Load()
	return append([]string{cfg.Path}, cfg.Files...)
}

// changed says whether the files are other than they were at the last reload.
func (r *reloader) changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.digest() != r.seen
}

// digest sums up the files that the wiring is read from. One that is gone counts as empty.
func (r *reloader) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range r.files() {
		if f, err := files.OpenRegular(path); err == nil {
			_, _ = io.Copy(h, io.LimitReader(f, 2<<20)) // what can't be read, load says
			f.Close()
		}
		h.Write([]byte{0})
	}
	h.Sum(sum[:0])
	return sum
}

// reload reads the wiring file again. Its error is an *[api.Problem] where the file is wrong.
func (r *reloader) reload(ctx context.Context) (api.Reloaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = r.digest()
	done := api.Reloaded{At: time.Now().UTC()}
	cfg, err := r.d.o.Load()
	if err == nil {
		err = r.swap(ctx, cfg, &done)
	}
	switch {
	case errors.Is(err, tasks.ErrStopping), ctx.Err() != nil:
		return done, &api.Problem{Status: http.StatusServiceUnavailable, Title: "Service Unavailable", Detail: "evrun is stopping"}
	case err != nil:
		return done, r.rejected(ctx, done, err)
	case done.None():
		r.d.log.Info("the wiring file was read again: nothing has changed")
		return done, nil
	}
	r.last = &done
	r.seen = r.digest() // it may name other schema files now
	r.d.log.Info("the wiring was reloaded", "handlers", done.Handlers, "schedules", done.Schedules, "events", done.Events)
	if len(done.Restart) > 0 {
		r.d.log.Warn("some settings have changed that only a restart applies", "settings", done.Restart)
	}
	r.d.warn(cfg)
	data := map[string]any{"path": cfg.Path, "handlers": done.Handlers, "schedules": done.Schedules, "events": done.Events}
	if len(done.Restart) > 0 {
		data["restart"] = done.Restart
	}
	if len(done.Left) > 0 {
		data["left"] = done.Left
	}
	if len(done.Paused) > 0 {
		data["paused"] = done.Paused
	}
	r.tell(ctx, events.TypeConfigReloaded, data)
	return done, nil
}

// lastOne is the last reload that changed something, or was refused; nil: none.
func (r *reloader) lastOne() *api.Reloaded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// swap puts cfg in the place of what runs: all of it, or nothing. What is stored of it (handlers, the tables that they need, and
// schedules) is one transaction; what follows can't fail.
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
	done.Events = tasks.Compare(was.Wiring.Events, cfg.Wiring.Events, func(t tasks.EventType) string { return t.Type },
		func(a, b tasks.EventType) bool { return a.Version == b.Version })
	done.Restart = was.Settings.Differing(cfg.Settings)
	cfg.Settings = was.Settings
	r.d.current.Store(cfg)
	r.d.loaded.Store(&done.At)
	return nil
}

// rejected reports a refused file in the log and by an event, and gives the answer to the caller.
func (r *reloader) rejected(ctx context.Context, done api.Reloaded, err error) error {
	done.Error = err.Error()
	r.last = &done
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
	r.tell(ctx, events.TypeConfigRejected, map[string]any{"path": r.d.current.Load().Path, "errors": lines})
	return p
}

// tell publishes one of evrun's own events.
func (r *reloader) tell(ctx context.Context, typ string, data map[string]any) {
	e, err := r.d.emitter.Notice(typ, "", data)
	if err == nil {
		_, err = r.d.emitter.Accept(ctx, []*events.Event{e})
	}
	if err != nil {
		r.d.log.Warn("an event of evrun's own can't be published", "type", typ, "error", err)
	}
}
