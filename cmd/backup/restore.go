package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite"
	"evrun/store/sqlite/copies"
	"evrun/store/sqlite/disk"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/fault"
)

// RestoreOptions say what is put in the place of the store.
type RestoreOptions struct {
	*cli.Env
	From string
	Yes  bool
}

// Restored describes a restored store.
type Restored struct {
	File     string     `json:"file"`
	Store    string     `json:"store"`
	ID       string     `json:"store_id"`
	Sequence int64      `json:"seq,string"` // of the last event in the backup
	Events   int64      `json:"events"`
	Last     *time.Time `json:"last_event_at,omitempty"`
	Next     int64      `json:"next_seq,string"`    // of the next event: no seq is given twice
	Replaced string     `json:"replaced,omitempty"` // where the store is that was there; empty: none was
	Lost     *int64     `json:"lost,omitempty"`     // how many seqs the replaced store had given since; absent: it is not known
	TookMS   float64    `json:"took_ms"`
}

// restoring is a restore under way. It holds the lock of the store until its end.
type restoring struct {
	*RestoreOptions
	cfg  *config.Config
	from string
	path string // the store's, resolved
	part string // the new store, until it is complete
	old  *store.Contents
	was  os.FileInfo // nil: there was no store
	made Restored
}

// Run puts a backup in the place of the store.
func (o *RestoreOptions) Run(ctx context.Context) error {
	begun := time.Now()
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	if at := cfg.Settings.Store; at.Shared() {
		return fmt.Errorf("%s is restored by PostgreSQL's own programs, while no daemon runs: pg_restore --clean, or a recovery to a moment; "+
			"evrun migrate --from copy.db puts a SQLite store into it", at)
	}
	r := &restoring{RestoreOptions: o, cfg: cfg}
	if r.path, err = files.Resolve(cfg.Settings.Store.Path); err != nil {
		return err
	}
	if err := r.source(); err != nil {
		return err
	}
	lock, _, err := disk.Acquire(r.path + ".lock")
	if err != nil {
		return fmt.Errorf("store %s: %w", r.path, err)
	}
	defer lock.Release()
	if held := disk.Holders(r.path); len(held) > 0 {
		return &cli.ExitError{Code: cli.ExitTryAgain, Err: fmt.Errorf("store %s: it is open in %s; end that first", r.path, strings.Join(held, ", "))}
	}
	r.part = r.path + ".restoring"
	r.discard() // of a restore that was killed
	defer r.discard()
	has, err := r.copy(ctx)
	if err != nil {
		return err
	}
	if err := r.confirm(ctx, has); err != nil {
		return err
	}
	if err := r.prepare(ctx, has); err != nil {
		return fmt.Errorf("the copy of the backup, which was removed: %w", err)
	}
	if err := r.swap(begun); err != nil {
		return err
	}
	r.made.TookMS = float64(time.Since(begun).Microseconds()) / 1000
	return r.say()
}

// source checks the file to restore.
func (r *restoring) source() (err error) {
	if r.from, err = files.Resolve(r.From); err != nil {
		return err
	}
	info, err := os.Stat(r.from)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &files.Error{Path: r.From, Msg: "it is " + files.Kind(info) + ", not a regular file", Hint: "name the file that evrun backup has made"}
	}
	if own, err := os.Stat(r.path); err == nil && os.SameFile(own, info) {
		return &files.Error{Path: r.From, Msg: "it is the store itself", Hint: "name a backup"}
	}
	if log, err := os.Stat(r.from + "-wal"); err == nil && log.Size() > 0 {
		return &files.Error{Path: r.From, Msg: "it has a write-ahead log beside it, so it is a store in use or a part of one, and not a backup",
			Hint: "make a backup of it with evrun backup"}
	}
	return nil
}

// copy copies the backup beside the store, and checks the copy.
func (r *restoring) copy(ctx context.Context) (has store.Contents, err error) {
	in, err := files.OpenRegular(r.from)
	if err != nil {
		return has, err
	}
	defer in.Close()
	p := r.Progress()
	defer p.Clear()
	p.Say("copying the backup")
	out, err := os.OpenFile(r.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return has, err
	}
	_, err = io.Copy(out, reading{ctx, in})
	if err := errors.Join(err, out.Close()); err != nil {
		return has, err
	}
	p.Say("checking the backup")
	has, err = copies.Check(ctx, r.part, true)
	switch {
	case ctx.Err() != nil:
		return has, ctx.Err()
	case errors.Is(err, store.ErrNewer):
		return has, &files.Error{Path: r.From, Msg: err.Error(), Hint: "restore it with the evrun that made it, or a newer one"}
	case err != nil:
		return has, &files.Error{Path: r.From, Msg: "it is not a backup of an evrun store, or not a whole one: " + err.Error(), Hint: "take an older backup; the store is as it was"}
	}
	return has, nil
}

// reading ends with its context.
type reading struct {
	ctx context.Context
	io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// confirm says what the backup would replace, and asks.
func (r *restoring) confirm(ctx context.Context, has store.Contents) (err error) {
	r.made = Restored{File: r.from, Store: r.path, ID: has.ID, Sequence: has.Sequence, Events: has.Events}
	if !has.Last.IsZero() {
		r.made.Last = &has.Last
	}
	if r.was, err = os.Stat(r.path); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	what := "a store that can't be read"
	if old, err := copies.Look(ctx, r.path); err == nil {
		r.old = &old
		what = fmt.Sprintf("the store (%s, up to #%d)", fault.Plural(int(old.Events), "event"), old.Sequence)
		if old.ID != has.ID {
			what = fmt.Sprintf("ANOTHER store, %s, which is no earlier or later state of this one (%s, up to #%d),", old.ID, fault.Plural(int(old.Events), "event"), old.Sequence)
		} else {
			lost := max(0, old.Sequence-has.Sequence)
			r.made.Lost = &lost
		}
	}
	if r.Yes {
		return nil
	}
	question := fmt.Sprintf("Replace %s with the backup (%s, up to #%d)?", what, fault.Plural(int(has.Events), "event"), has.Sequence)
	return r.Confirm(ctx, question, "it replaces the store", "nothing was changed")
}

// The seqs that are left out where it is not known which were given since the backup: so many, and many times what the store usually gets.
const (
	unknownSeqs  = 1_000_000
	unknownTimes = 10
)

// lastGiven is the last seq that was given, or a later one.
func (r *restoring) lastGiven(has store.Contents) int64 {
	last := has.Sequence
	if r.old != nil {
		last = max(last, r.old.Sequence)
		if r.old.ID == has.ID {
			return last
		}
	}
	last += unknownSeqs
	if age := has.Last.Sub(has.First); age > time.Minute {
		last += int64(float64(has.Events) / age.Seconds() * max(0, time.Since(has.Last).Seconds()) * unknownTimes)
	}
	return last
}

// prepare makes the copy the store to be: no seq is given twice, the tables are those of this evrun, and the journal says what happened.
func (r *restoring) prepare(ctx context.Context, has store.Contents) error {
	if err := copies.SkipTo(r.part, r.lastGiven(has)); err != nil {
		return err
	}
	return sqlite.With(ctx, r.part, sqlite.Options{Options: store.Options{Unattended: true}}, func(s *sqlite.Store) error { return r.record(ctx, s) })
}

// record accepts the event that says what happened.
func (r *restoring) record(ctx context.Context, s *sqlite.Store) error {
	data := map[string]any{"file": r.from, "seq": strconv.FormatInt(r.made.Sequence, 10)}
	if r.made.Lost != nil {
		data["lost"] = *r.made.Lost
	}
	em := emitter.New(s, r.cfg.Settings.Server.MaxEvent)
	e, err := audit.Event(ctx, em, events.TypeAuditStoreRestored, data)
	if err != nil {
		return err
	}
	receipts, err := s.Append(ctx, []*events.Event{e})
	if err == nil {
		r.made.Next = receipts[0].Sequence + 1
	}
	return err
}

// swap puts the copy in the place of the store, which keeps another name. At every moment the store's name has the old store with its log, a store with two
// names, which every evrun refuses, or the new one: a new file never has the log of the old one.
func (r *restoring) swap(now time.Time) error {
	if err := r.own(); err != nil {
		return err
	}
	if err := syncFile(r.part); err != nil {
		return err
	}
	if r.old != nil {
		// A restore that is killed before the rename then leaves no store without its log. If it can't be, both are kept all the same.
		_ = copies.Fold(r.path)
	}
	if r.was != nil {
		aside, err := unused(r.path + ".before-restore-" + now.UTC().Format(stamp))
		if err != nil {
			return err
		}
		for _, suffix := range []string{"", "-wal", "-journal"} {
			if err := os.Link(r.path+suffix, aside+suffix); err != nil && (suffix == "" || !errors.Is(err, os.ErrNotExist)) {
				_ = errors.Join(os.Remove(aside), os.Remove(aside+"-wal")) // so far they are second names
				return &files.Error{Path: r.path, Msg: "it can't be kept under another name: " + err.Error(), Hint: "move it away with its -wal, and restore again"}
			}
		}
		if err := syncFile(filepath.Dir(r.path)); err != nil {
			return err
		}
		r.made.Replaced = aside
	}
	for _, suffix := range []string{"-wal", "-journal", "-shm"} {
		if err := os.Remove(r.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(r.part, r.path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(r.path))
}

// unused returns a name that no file has: the given one, or that one with a number.
func unused(name string) (string, error) {
	for n, try := 2, name; ; n++ {
		if _, err := os.Lstat(try); errors.Is(err, os.ErrNotExist) {
			return try, nil
		} else if err != nil {
			return "", err
		}
		try = fmt.Sprintf("%s-%d", name, n)
	}
}

// own gives what root has made to the user of the store that was there, or of its directory.
func (r *restoring) own() error {
	like := r.was
	if like == nil {
		dir, err := os.Stat(filepath.Dir(r.path))
		if err != nil {
			return err
		}
		like = dir
	}
	uid, known := files.Owner(like)
	if os.Geteuid() != 0 || !known {
		return nil
	}
	return errors.Join(os.Chown(r.part, uid, -1), os.Chown(r.path+".lock", uid, -1))
}

// discard removes what is not in the store's place.
func (r *restoring) discard() {
	for _, suffix := range disk.Suffixes {
		_ = os.Remove(r.part + suffix)
	}
}

// say prints what was done, and what to expect.
func (r *restoring) say() error {
	m := &r.made
	if r.JSON() {
		return r.PrintJSON(m)
	}
	fmt.Fprintf(r.Out, "%s is the backup now: %s up to #%d", m.Store, fault.Plural(int(m.Events), "event"), m.Sequence)
	if m.Last != nil {
		fmt.Fprintf(r.Out, ", the last one accepted %s", humanize.Time(*m.Last))
	}
	if _, err := fmt.Fprintf(r.Out, ".\n"); err != nil {
		return err
	}
	if m.Replaced != "" {
		r.Note("the store that was there is %s; remove it when you need it no more", m.Replaced)
	}
	switch {
	case m.Lost != nil && *m.Lost > 0:
		r.Note("what came after #%d, up to #%d, is lost, and what it did in the store; no seq is given twice: the next is #%d", m.Sequence, m.Sequence+*m.Lost, m.Next)
	case m.Lost == nil:
		r.Note("events since the backup are lost; which seqs they had is not known, so some are left out: the next is #%d", m.Next)
	}
	r.Note("what ran outside since the backup (exec, http, notify) may run again: the runs of the backup's events keep their idempotency keys; slots since then follow the `missed` of their schedules")
	return nil
}
