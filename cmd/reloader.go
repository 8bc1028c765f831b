package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/tasks"
)

// The events that tell of a reload.
const (
	typeReloaded = "evrun.config.reloaded"
	typeRejected = "evrun.config.rejected"
)

// settleFor is how long a file has to be left alone before it is read: editors write in several steps.
const settleFor = 200 * time.Millisecond

// reloader puts what the wiring file says now in the place of the wiring that runs: at a SIGHUP, when somebody asks for it, and
// when the file changes. The file is checked whole first; one that is wrong changes nothing.
type reloader struct {
	a    *app
	load func() (*config.Config, error)

	mu   sync.Mutex // one reload at a time
	seen [sha256.Size]byte
	last *api.Reloaded // nil: none yet
}

// run reloads at signals and changes until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	hangUp := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(hangUp, syscall.SIGHUP)
		defer signal.Stop(hangUp)
	}
	var changes chan fsnotify.Event // nil: not watched
	var faults chan error
	var files watched
	if r.a.current.Load().Settings.Server.Watch {
		w, err := fsnotify.NewWatcher()
		if err != nil {
			r.a.log.Warn("the wiring file can't be watched: evrun reload, or SIGHUP, reads it again", "error", err)
		} else {
			defer w.Close()
			changes, faults = w.Events, w.Errors
			files = watched{w: w}
			r.lookAfter(&files)
		}
	}
	settled := time.NewTimer(time.Hour)
	defer settled.Stop()
	for {
		select {
		case <-hangUp:
			_, _ = r.reload(ctx) // it is logged
		case e := <-changes:
			if files.touches(e.Name) {
				settled.Reset(settleFor)
			}
		case err := <-faults:
			r.a.log.Debug("watching the wiring file", "error", err)
			settled.Reset(settleFor) // something was overlooked, perhaps
		case <-settled.C:
			if changes == nil {
				break
			}
			if r.lookAfter(&files); r.changed() {
				_, _ = r.reload(ctx)
				r.lookAfter(&files)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// lookAfter watches the files that the wiring is read from.
func (r *reloader) lookAfter(files *watched) {
	cfg := r.a.current.Load()
	if err := files.set(append([]string{cfg.Path}, cfg.Files...)); err != nil {
		r.a.log.Warn("the wiring file can't be watched: evrun reload, or SIGHUP, reads it again", "error", err)
	}
}

// changed says whether the files are other than they were at the last reload.
func (r *reloader) changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.digest() != r.seen
}

// digest sums up the files that the wiring is read from. One that is gone counts as empty.
func (r *reloader) digest() (sum [sha256.Size]byte) {
	cfg := r.a.current.Load()
	h := sha256.New()
	for _, path := range append([]string{cfg.Path}, cfg.Files...) {
		if f, err := os.Open(path); err == nil {
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
	cfg, err := r.load()
	if err == nil {
		err = r.swap(ctx, cfg, &done)
	}
	switch {
	case errors.Is(err, tasks.ErrStopping), ctx.Err() != nil:
		return done, &api.Problem{Status: http.StatusServiceUnavailable, Title: "Service Unavailable", Detail: "evrun is stopping"}
	case err != nil:
		return done, r.rejected(ctx, done, err)
	case done.None():
		r.a.log.Info("the wiring file was read again: nothing has changed")
		return done, nil
	}
	r.last = &done
	r.seen = r.digest() // it may name other schema files now
	r.a.log.Info("the wiring was reloaded", "handlers", done.Handlers, "schedules", done.Schedules, "events", done.Events)
	if len(done.Restart) > 0 {
		r.a.log.Warn("some settings have changed that only a restart applies", "settings", done.Restart)
	}
	r.a.warn(cfg)
	r.tell(ctx, typeReloaded, map[string]any{
		"path": cfg.Path, "handlers": done.Handlers, "schedules": done.Schedules, "events": done.Events, "restart": done.Restart,
	})
	return done, nil
}

// lastOne is the last reload that changed something, or was refused; nil: none.
func (r *reloader) lastOne() *api.Reloaded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// swap puts cfg in the place of what runs: all of it, or nothing.
func (r *reloader) swap(ctx context.Context, cfg *config.Config, done *api.Reloaded) (err error) {
	was := r.a.current.Load()
	if done.Handlers, err = r.a.runner.Replace(ctx, cfg.Wiring.Handlers); err != nil {
		return err
	}
	r.a.emitter.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes)
	if done.Schedules, err = r.a.scheduler.Replace(ctx, cfg.Wiring.Schedules); err != nil {
		r.a.emitter.Declare(was.Wiring.Events, was.Wiring.StrictTypes)
		_, back := r.a.runner.Replace(ctx, was.Wiring.Handlers)
		return errors.Join(err, back)
	}
	done.Events = tasks.Compare(was.Wiring.Events, cfg.Wiring.Events, func(t tasks.EventType) string { return t.Type },
		func(a, b tasks.EventType) bool { return a.Version == b.Version })
	done.Restart = was.Settings.Differing(cfg.Settings)
	cfg.Settings = was.Settings
	r.a.current.Store(cfg)
	r.a.loaded.Store(&done.At)
	return nil
}

// rejected tells of a file that was not taken, and gives the answer for who asked.
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
		p.Faults, _ = json.Marshal(faults.Faults) // of strings and numbers
	}
	r.a.log.Error("the wiring file is wrong: the wiring is as it was", "errors", lines)
	r.tell(ctx, typeRejected, map[string]any{"path": r.a.current.Load().Path, "errors": lines})
	return p
}

// tell publishes one of evrun's own events.
func (r *reloader) tell(ctx context.Context, typ string, data any) {
	e, err := r.a.emitter.Own(typ, "", data)
	if err == nil {
		_, err = r.a.emitter.Accept(ctx, []*events.Event{e})
	}
	if err != nil {
		r.a.log.Warn("an event of evrun's own can't be published", "type", typ, "error", err)
	}
}

// watched are files whose changes are looked for: their folders are watched, as files are replaced rather than written, and the
// folders of symbolic links on the way, as these are turned elsewhere.
type watched struct {
	w       *fsnotify.Watcher
	names   map[string]bool
	folders []string
}

// touches says whether a change of this name may change one of the files.
func (f *watched) touches(name string) bool { return f.names[name] }

// set watches other files.
func (f *watched) set(paths []string) error {
	f.names = map[string]bool{}
	for _, p := range paths {
		f.follow(p, 40)
	}
	var folders []string
	for name := range f.names {
		folders = append(folders, filepath.Dir(name))
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	var errs []error
	for _, dir := range f.folders {
		if !slices.Contains(folders, dir) {
			_ = f.w.Remove(dir) // it may be gone by itself
		}
	}
	for _, dir := range folders {
		if err := f.w.Add(dir); err != nil { // again, as a folder may be a new one of the same name
			errs = append(errs, err)
		}
	}
	f.folders = folders
	return errors.Join(errs...)
}

// follow adds a path, and where the symbolic links in it lead to.
func (f *watched) follow(path string, links int) {
	f.names[path] = true
	for at := path; at != filepath.Dir(at) && links > 0; at = filepath.Dir(at) {
		to, err := os.Readlink(at)
		if err != nil {
			continue
		}
		f.names[at] = true
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(at), to)
		}
		rest, _ := filepath.Rel(at, path)
		f.follow(filepath.Join(to, rest), links-1)
		return
	}
}
