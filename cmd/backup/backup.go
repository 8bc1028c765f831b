// Package backup makes copies of a store, for `evrun backup`, and puts one in a store's place, for `evrun restore`.
//
// A backup is written to a file beside its final one, with the same owner and mode 0600, checked, synced, and only then renamed: a half one never has the
// name. The file is the caller's. A running daemon fills it, because only its writer can copy a store that changes without making the log grow; it
// does so for its own user and for root. In all other cases this process reads the store. The file is locked meanwhile, so that what a killed
// backup has left behind is known as such, and removed by the next one.
package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite"
	"evrun/store/sqlite/copies"
	"evrun/store/sqlite/disk"
	"evrun/tasks/fault"
)

// Options say what is copied, and where to.
type Options struct {
	*cli.Env
	To    string // a file, a directory, or - for the standard output
	Force bool   // replace a file
	Keep  int    // in a directory, how many backups stay; 0: all
}

// Made describes a backup.
type Made struct {
	File     string     `json:"file,omitempty"` // empty: the standard output
	Sequence int64      `json:"seq,string"`     // the copy is equal to the store as it was after this event
	Events   int64      `json:"events"`
	Last     *time.Time `json:"last_event_at,omitempty"`
	Bytes    int64      `json:"bytes"`
	Store    string     `json:"store_id"`
	Schema   int        `json:"schema"`
	By       string     `json:"by"` // daemon, or evrun: this process has read the store
	TookMS   float64    `json:"took_ms"`
	Removed  []string   `json:"removed,omitempty"` // older backups
}

// Run makes a backup.
func (o *Options) Run(ctx context.Context) error {
	begun := time.Now()
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	if at := cfg.Settings.Store; at.Shared() {
		return fmt.Errorf("%s is backed up by PostgreSQL's own programs: pg_dump --format=custom for a copy of one moment, or a base backup with the archive of its log to go back to any moment; "+
			"evrun migrate --to copy.db makes a SQLite store of it", at)
	}
	info, err := os.Stat(cfg.Settings.Store.Path)
	if err != nil {
		return fmt.Errorf("store %s: %w; no daemon has run here yet: start evrun serve", cfg.Settings.Store.Path, store.ErrNotFound)
	}
	t, err := o.target(cfg, begun)
	if err != nil {
		return err
	}
	if err := t.open(); err != nil {
		return err
	}
	defer t.discard()
	made := Made{File: t.final}
	told, err := o.fill(ctx, cfg, info, t, &made)
	if err != nil {
		return err
	}
	p := o.Progress()
	p.Say("checking the copy")
	has, err := copies.Check(ctx, t.part, false)
	p.Clear()
	switch {
	case err != nil:
		return fmt.Errorf("the copy, which was removed: %w", err)
	case has.Sequence != told:
		return fmt.Errorf("the copy ends with #%d, and should end with #%d: it was removed", has.Sequence, told)
	}
	if o.To == "-" {
		err = t.print(o.Out)
	} else {
		err = t.keep(o.Force)
	}
	if err != nil {
		return err
	}
	made.Sequence, made.Events, made.Bytes, made.Store, made.Schema = has.Sequence, has.Events, has.Bytes, has.ID, has.Schema
	if !has.Last.IsZero() {
		made.Last = &has.Last
	}
	made.TookMS = float64(time.Since(begun).Microseconds()) / 1000
	if o.Keep > 0 {
		made.Removed, err = t.rotate(o.Keep)
	}
	return errors.Join(o.say(made), err)
}

// say prints what was made. On the standard output is the backup itself, if that is where it went.
func (o *Options) say(m Made) error {
	out, name := o.Out, m.File
	if o.To == "-" {
		out, name = o.Err, "the backup"
	}
	if o.JSON() {
		return events.WriteJSON(out, m)
	}
	_, err := fmt.Fprintf(out, "%s: equal to the store at #%d, %s, %s, in %v\n", events.EscapeControl(name), m.Sequence,
		fault.Plural(int(m.Events), "event"), humanize.IBytes(uint64(m.Bytes)), (time.Duration(m.TookMS * float64(time.Millisecond))).Round(10*time.Millisecond))
	if err == nil && len(m.Removed) > 0 {
		o.Note("removed %s", fault.Plural(len(m.Removed), "older backup"))
	}
	return err
}

// fill copies the store to the target's file, and returns the sequence of the last event in it.
func (o *Options) fill(ctx context.Context, cfg *config.Config, from os.FileInfo, t *target, made *Made) (sequence int64, err error) {
	p := o.Progress()
	defer p.Clear()
	report := func(done, all int64) {
		p.Say("copied %s of %s", humanize.IBytes(uint64(done)), humanize.IBytes(uint64(all)))
	}
	back := t.lend(from)
	proof := rand.Text()
	if err := os.WriteFile(t.part, []byte(proof), 0o600); err != nil {
		return 0, err
	}
	sequence, err = cli.ClientOf(cfg).Backup(ctx, api.BackupRequest{Path: t.part, Proof: proof}, report)
	if err := back(); err != nil {
		return 0, err
	}
	if made.By = "daemon"; err == nil || !isForUs(err) {
		return sequence, err
	}
	made.By = "evrun"
	if !errors.Is(err, api.ErrNoDaemon) && o.Verbose {
		o.Note("this process reads the store, and the log may grow meanwhile: %s", events.EscapeControl(err.Error()))
	}
	if err := os.Truncate(t.part, 0); err != nil {
		return 0, err
	}
	return sqlite.Backup(ctx, cfg.Settings.Store.Path, t.part, report)
}

// isForUs reports whether the error of a daemon means that it can't copy the store for us: there is none, it is another user's, its evrun is older, or it
// can't write the file.
func isForUs(err error) bool {
	var p *api.Problem
	var unreachable *client.ConnectError
	return errors.Is(err, api.ErrNoDaemon) || errors.As(err, &unreachable) ||
		errors.As(err, &p) && (p.Status == http.StatusForbidden || p.Status == http.StatusNotFound)
}

// target is where a backup goes.
type target struct {
	final string // empty: the standard output
	part  string // what it is until it is complete
	like  string // the pattern of the names in a directory; empty: final was named
	lock  *disk.Lock
}

// stamp is the time in the names of backups in a directory.
const stamp = "20060102T150405Z"

// target finds out where the backup goes, and refuses what must not be overwritten.
func (o *Options) target(cfg *config.Config, now time.Time) (*target, error) {
	if o.To == "-" {
		if o.Keep > 0 {
			return nil, cli.Usage("--keep goes with a directory")
		}
		dir, err := os.MkdirTemp("", "evrun-backup-")
		return &target{part: filepath.Join(dir, "part")}, err
	}
	path, err := filepath.Abs(o.To)
	if err != nil {
		return nil, err
	}
	t := &target{final: path}
	info, err := os.Lstat(path)
	if linked, serr := os.Stat(path); serr == nil && linked.IsDir() {
		info = linked
	}
	switch {
	case err == nil && info.IsDir():
		name := strings.TrimSuffix(filepath.Base(cfg.Settings.Store.Path), ".db")
		t.like = filepath.Join(path, name+"-*.db")
		t.final = filepath.Join(path, name+"-"+now.UTC().Format(stamp)+".db")
	case o.Keep > 0 && errors.Is(err, os.ErrNotExist):
		return nil, cli.Usage("--keep goes with a directory, and %s does not exist: make it first", o.To)
	case o.Keep > 0:
		return nil, cli.Usage("--keep goes with a directory, and %s is not one", o.To)
	}
	dir := filepath.Dir(t.final)
	if strings.HasSuffix(o.To, "/") {
		dir = path
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, &files.Error{Path: dir, Msg: "no such directory", Hint: "make it first (mkdir -p)"}
	}
	t.part = filepath.Join(filepath.Dir(t.final), "."+filepath.Base(t.final)+".part")
	return t, o.refuse(cfg, t.final)
}

// refuse says why a file must not be made or replaced.
func (o *Options) refuse(cfg *config.Config, path string) error {
	real, err := files.Resolve(path)
	if err != nil {
		return err
	}
	own, err := files.Resolve(cfg.Settings.Store.Path)
	if err != nil {
		return err
	}
	for _, suffix := range disk.Suffixes {
		if own+suffix == real {
			return &files.Error{Path: path, Msg: "it is a file of the store itself", Hint: "name another file"}
		}
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &files.Error{Path: path, Msg: "it is " + files.Kind(info) + ", not a regular file", Hint: "name a file that does not exist, or a directory"}
	case !o.Force:
		return &files.Error{Path: path, Msg: "it already exists", Hint: "name another file or a directory, or replace it with --force"}
	}
	for _, of := range []string{own, cfg.Path} {
		if other, err := os.Stat(of); err == nil && os.SameFile(info, other) {
			return &files.Error{Path: path, Msg: "it is " + of + " itself", Hint: "name another file"}
		}
	}
	return nil
}

// open makes the file that the backup is until it is complete, or takes the one that a killed backup has left.
func (t *target) open() (err error) {
	t.sweep()
	t.lock, _, err = disk.Acquire(t.part)
	switch {
	case errors.Is(err, store.ErrLocked):
		return &cli.ExitError{Code: cli.ExitTryAgain, Err: fmt.Errorf("another backup to %s is being made", t.final)}
	case errors.Is(err, store.ErrReadOnly): // its text is about the store
		return &files.Error{Path: filepath.Dir(t.part), Msg: "evrun can't write a file there", Hint: "name a directory that it may write to"}
	}
	return err
}

// sweep removes what killed backups to the directory have left.
func (t *target) sweep() {
	if t.like == "" {
		return
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(t.like), "."+filepath.Base(t.like)+".part")) // the pattern is right
	for _, part := range left {
		if lock, _, err := disk.Acquire(part); err == nil {
			_ = os.Remove(part) // the next one tries again
			lock.Release()
		}
	}
}

// lend gives the file to the user of the store, if root makes the backup of another user's, whose daemon then can write it. It returns what takes it back.
func (t *target) lend(from os.FileInfo) (back func() error) {
	uid, known := files.Owner(from)
	if os.Geteuid() != 0 || !known || uid == 0 || os.Chown(t.part, uid, -1) != nil {
		return func() error { return nil }
	}
	return func() error { return os.Chown(t.part, 0, -1) }
}

// keep gives the complete file its name, once it is on the disk.
func (t *target) keep(force bool) error {
	if err := syncFile(t.part); err != nil {
		return err
	}
	err := os.Rename
	if !force {
		err = renameNew
	}
	if err := err(t.part, t.final); err != nil {
		return err
	}
	return syncFile(filepath.Dir(t.final))
}

// renameNew renames a file, and fails if the new name is taken.
func renameNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return errors.Join(err, os.Remove(from))
	}
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) { // a file system without links
		return fmt.Errorf("%s: %w", to, os.ErrExist)
	}
	return os.Rename(from, to)
}

// print writes the complete file to out.
func (t *target) print(out io.Writer) error {
	f, err := os.Open(t.part)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}

// discard removes the file, if it was not kept.
func (t *target) discard() {
	if t.lock == nil {
		return
	}
	_ = os.Remove(t.part) // usually it has another name now
	t.lock.Release()
	if t.final == "" {
		_ = os.Remove(filepath.Dir(t.part))
	}
}

// rotate removes all backups of the directory but the newest ones.
func (t *target) rotate(keep int) (removed []string, err error) {
	found, err := filepath.Glob(t.like) // sorted, so the oldest come first
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(t.like, "*.db")
	var own []string
	for _, path := range found {
		if _, err := time.Parse(stamp, strings.TrimSuffix(strings.TrimPrefix(path, prefix), ".db")); err == nil {
			own = append(own, path)
		}
	}
	for _, path := range own[:max(0, len(own)-keep)] {
		if err := os.Remove(path); err != nil {
			return removed, err
		}
		removed = append(removed, path)
	}
	return removed, nil
}

// syncFile has a file, or a directory, on the disk when it returns.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
