package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite"
	"evrun/store/sqlite/copies"
	"evrun/store/sqlite/disk"
	"evrun/tasks/fault"
	"evrun/tasks/retention"
)

// store looks at the store's files, and at what the store says.
func (x *examination) store(ctx context.Context) {
	switch {
	case x.cfg == nil:
		return
	case x.cfg.Settings.Store.Shared():
		x.database(ctx)
		return
	}
	path, err := files.Resolve(x.cfg.Settings.Store.Path)
	if err == nil {
		_, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.add("store", Warning, "evrun serve makes it; evrun restore puts a backup there", "%s does not exist yet", x.cfg.Settings.Store.Path)
		return
	case err != nil:
		x.fail("store", err)
		return
	}
	if !x.private(path) {
		return
	}
	has, err := x.inspect(ctx, path)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, copies.ErrDamaged):
		x.add("integrity", Error, "stop the daemon, and put a backup in its place: evrun restore FILE", "%s: %v", path, err)
		return
	case err != nil:
		x.fail("store", err)
		return
	}
	x.last = has.Last
	if x.Quick {
		x.add("store", OK, "", "%s: events up to #%d, schema %d", path, has.Sequence, has.Schema)
	} else {
		x.add("integrity", OK, "", "%s: %s up to #%d, schema %d", path, fault.Plural(int(has.Events), "event"), has.Sequence, has.Schema)
	}
	s, err := sqlite.OpenReader(path)
	switch {
	case errors.Is(err, store.ErrOlder):
		x.add("version", Warning, "evrun serve brings it up to date; make a backup before: evrun backup FILE", "the store's schema has version %d, of an older evrun", has.Schema)
		return
	case err != nil:
		x.fail("store", err)
		return
	}
	defer s.Close()
	x.look(ctx, s, "space", func(ctx context.Context, s store.Store) error { return x.space(ctx, s, path, &has) })
	x.contents(ctx, s)
}

// contents looks at what is in a store of either kind.
func (x *examination) contents(ctx context.Context, s store.Store) {
	x.look(ctx, s, "retention", x.retention)
	x.look(ctx, s, "runs", x.runs)
	x.look(ctx, s, "reload", x.reloads)
}

func (x *examination) look(ctx context.Context, s store.Store, check string, do func(context.Context, store.Store) error) {
	if err := do(ctx, s); err != nil {
		x.add(check, Warning, "try again", "the store can't say: %v", err)
	}
}

// inspect says what the store has, and reads the whole of it unless that would take too long.
func (x *examination) inspect(ctx context.Context, path string) (store.Contents, error) {
	if x.Quick {
		return copies.Glance(ctx, path)
	}
	if x.Reading != nil {
		defer x.Reading()()
	}
	return copies.Inspect(ctx, path, x.Full)
}

// fail adds an error with the hint that it brings.
func (x *examination) fail(check string, err error) {
	hint := ""
	var untrusted *files.Error
	switch {
	case errors.As(err, &untrusted):
		hint = untrusted.Hint
	case errors.Is(err, fs.ErrPermission), errors.Is(err, store.ErrReadOnly):
		hint = "run evrun doctor as the user of the store, or as root"
	case errors.Is(err, store.ErrNewer):
		hint = "use the evrun that wrote it, or a newer one"
	case errors.Is(err, store.ErrNotStore):
		hint = "name another file as the store, or put a backup there: evrun restore FILE"
	}
	x.add(check, Error, hint, "%v", err)
}

// private checks who can read and write the store's files.
func (x *examination) private(path string) bool {
	if note, err := files.TrustedDir(filepath.Dir(path)); err != nil {
		x.fail("store", err)
		return false
	} else if note != "" {
		x.add("store", Warning, "", "%s", note)
	}
	open := false
	for _, suffix := range disk.Suffixes {
		name := path + suffix
		if note, err := files.Private(name, false); err != nil {
			x.fail("store", err)
			return false
		} else if note != "" {
			x.add("store", Warning, "", "%s", note)
		}
		if info, err := os.Lstat(name); err == nil && info.Mode().Perm()&0o077 != 0 {
			open = true
			x.add("store", Warning, "chmod 600 "+name, "%s is open to others (mode %o)", name, info.Mode().Perm())
		}
	}
	if !open {
		x.add("store", OK, "", "%s is its user's alone", path)
	}
	return true
}

// When the disk is getting full.
const (
	scarce     = 20       // one part in so many is free
	tight      = 64 << 20 // bytes
	soonFull   = 14 * 24 * time.Hour
	knowGrowth = time.Hour
)

// space looks at the disk, the log and the free pages.
func (x *examination) space(ctx context.Context, s store.Store, path string, has *store.Contents) error {
	sizes, err := s.Sizes(ctx)
	if err != nil {
		return err
	}
	level, hint := OK, ""
	text := "the store has " + size(sizes.File) + ", " + size(sizes.Free) + " of it unused; the log " + size(sizes.WAL)
	more := "make room, or keep less (retention)"
	if free, all, known := files.Space(path); known {
		text += "; " + size(free) + " of " + size(all) + " are free"
		grown := has.Last.Sub(has.First)
		steady := x.cfg.Settings.Retention.Events > 0 && grown >= x.cfg.Settings.Retention.Events
		switch {
		case free < tight:
			level, hint = Error, more
		case free < all/scarce:
			level, hint = Warning, more
		case grown > knowGrowth && sizes.Used() > 0 && !steady:
			if lasts := lasting(grown, free, sizes.Used()); lasts < soonFull {
				level, hint = Warning, more
				text += ", which last for " + fault.Plural(int(lasts.Hours()/24), "day") + " at its growth so far"
			}
		}
	}
	if bound := x.cfg.Settings.Store.MaxWAL; level == OK && bound > 0 && sizes.WAL > bound/2 {
		level, hint = Warning, "end what reads the store for so long: evrun status names it"
		text += " (at " + size(bound) + " nothing more is accepted)"
	}
	if unused := sizes.Free; level == OK && unused > sizes.File/2 && unused > tight && !sizes.Shrinks {
		level, hint = Warning, "a restored backup of it is as large; new data takes the unused part first"
	}
	x.add("space", level, hint, "%s", text)
	return nil
}

// lasting is how long free bytes last if used bytes came in a time, soonFull at most: what is further away is longer than a duration can be.
func lasting(grown time.Duration, free, used int64) time.Duration {
	return time.Duration(min(float64(soonFull), float64(grown)*float64(free)/float64(used)))
}

// retention says what is pruned, and whether that is announced.
func (x *examination) retention(ctx context.Context, s store.Store) error {
	set := x.cfg.Settings.Retention
	st, err := retention.StatusOf(ctx, s, retention.Policy{Events: set.Events, Size: set.Size, Dedupe: set.Dedupe}, x.now)
	if x.daemon != nil {
		st, err = x.daemon.Retention, nil
	}
	if err != nil {
		return err
	}
	switch {
	case st.BeginsAt != nil:
		x.add("retention", Warning, "evrun prune --dry-run shows what goes; retention: {events: off} keeps all",
			"pruning begins %s, for the first time in this store: chains older than %s go", x.within(*st.BeginsAt), st.Events)
	case st.Error != "":
		x.add("retention", Warning, "see the daemon's log", "the last round failed: %s", st.Error)
	case st.Over > 0:
		x.add("retention", Warning, "retry or drop dead runs, or set a larger retention.size", "the store is %s larger than retention.size: the rest is still needed", size(st.Over))
	case set.Events == 0 && set.Size == 0:
		x.add("retention", Warning, "set retention.events or retention.size", "nothing is ever pruned: the store grows without a bound")
	default:
		x.add("retention", OK, "", "chains older than %s go; %s so far", st.Events, fault.Plural(int(st.Pruned.Events), "event"))
	}
	for _, l := range st.Lost {
		x.add("handlers", Warning, "evrun handlers forget "+l.Handler+" if it does not come back", "%s, which left the file, has lost %s and %s by pruning", l.Handler, fault.Plural(int(l.Events), "event"), fault.Plural(int(l.Runs), "run"))
	}
	return nil
}

// runs says which runs are dead, and which handlers left with work to do, unless a daemon has said it.
func (x *examination) runs(ctx context.Context, s store.Store) (err error) {
	if x.marks, err = s.ScheduleMarks(ctx); err != nil || x.daemon != nil {
		return err
	}
	counts, err := s.Counts(ctx)
	if err != nil {
		return err
	}
	dead := 0
	for _, c := range counts {
		dead += c.Dead
	}
	if dead > 0 {
		x.add("runs", Warning, "evrun runs list --state dead; retry them with evrun runs retry, or drop them", "dead: %s", fault.Plural(dead, "run"))
	} else {
		x.add("runs", OK, "", "none is dead")
	}
	known, err := s.Handlers(ctx)
	if err != nil {
		return err
	}
	for _, h := range known {
		if h.State != store.Left {
			continue
		}
		if b, err := s.Backlog(ctx, h, 0); err == nil && !b.Empty() {
			x.add("handlers", Warning, "put it back into the file, or give its work up: evrun handlers forget "+h.Name, "%s left the file with work to do", h.Name)
		}
	}
	return nil
}

// The rejected wiring files that are shown, and how far back.
const (
	rejectedShown = 3
	rejectedSince = 24 * time.Hour
	rejectedLook  = 20_000
)

// reloads shows which wiring files were refused lately.
func (x *examination) reloads(ctx context.Context, s store.Store) error {
	p, err := events.ParsePattern(events.TypeConfigRejected)
	if err != nil {
		return err
	}
	part, err := s.ScanEvents(ctx, store.EventQuery{Patterns: []events.Pattern{p}, Since: x.now.Add(-rejectedSince), Last: true, Limit: rejectedShown}, rejectedLook)
	if err != nil {
		return err
	}
	for _, e := range part.Items {
		var data struct{ Errors []string }
		_ = json.Unmarshal(e.Data, &data) // of evrun's own
		first := "evrun events show " + e.ID + " says why"
		if len(data.Errors) > 0 {
			first = data.Errors[0]
		}
		x.add("reload", Warning, "evrun validate checks the file as it is now", "a wiring file was refused %s: %s", x.within(e.Time), first)
	}
	return nil
}
