// Package wal bounds the write-ahead log of a store.
package wal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/disk"
)

// Log is the write-ahead log of a database, and bounds it.
//
// The log starts over when all of it is in the database and nobody reads it. A long read (another program's open transaction) makes it
// grow with every write: by 725 MB in 30 s in a test. Log checks its size in a goroutine beside the writer, copies as much as possible into the
// database, and frees the space when the reader has gone. When the log reaches its bound, before the disk is full, the store refuses writes, as on a
// full disk.
type Log struct {
	path  string // the database's
	max   int64
	state atomic.Pointer[store.WAL]
	held  int // how often in a row its space could not be freed
	told  bool
	warn  func(note string)

	salt  uint32 // of the log's header, which SQLite increments when the log begins anew; 0: none seen
	begun int64
}

// New returns the log of the database at path, bounded to max bytes. warn gets notes for people.
func New(path string, max int64, warn func(note string)) *Log {
	return &Log{path: path, max: max, warn: warn}
}

// Path is the database's.
func (l *Log) Path() string { return l.path }

// State returns the state at the last check, nil before the first.
func (l *Log) State() *store.WAL { return l.state.Load() }

const (
	// tendEvery is the interval of the checks of the log's size.
	tendEvery = 500 * time.Millisecond
	// TendFrom divides the bound: from that size on, Tend frees the log's space.
	TendFrom = 16
	// HeldAfter is how many times freeing must fail before a warning: evrun's own reads are short.
	HeldAfter = 3
)

// Tend keeps the log within its bound until ctx ends.
func (l *Log) Tend(ctx context.Context) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.Look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

const (
	saltAt    = 16      // of sqlite.org/fileformat2.html, 4.1
	mostBegun = 100_000 // a larger step is another log's: a new file begins with a random number
)

// Size is the size of the log, in bytes.
func (l *Log) Size() int64 { return files.Size(l.path + "-wal") }

// Look checks the log once.
func (l *Log) Look(ctx context.Context) {
	s := store.WAL{Bytes: l.Size(), Max: l.max}
	if s.Bytes < l.max/TendFrom || l.GiveBack(ctx) {
		l.held = 0
	} else if ctx.Err() == nil {
		l.held++
	}
	s.Bytes = l.Size()
	l.countBegun()
	s.Full, s.Begun = s.Bytes >= l.max, l.begun
	if s.Held = l.held >= HeldAfter || s.Full && l.held > 0; s.Held {
		s.Holders = disk.Holders(l.path)
	}
	before := l.state.Swap(&s)
	switch {
	case s.Full && (before == nil || !before.Full):
		l.warn((&walFull{s}).Error())
		l.told = true
	case s.Held && !l.told:
		l.warn(fmt.Sprintf("the write-ahead log has grown to %s and can't be given back%s; at %s (store.wal_max) nothing more is accepted",
			humanize.IBytes(uint64(s.Bytes)), s.Reason(), humanize.IBytes(uint64(s.Max))))
		l.told = true
	case l.held == 0 && l.told:
		l.warn("the write-ahead log's space was given back")
		l.told = false
	}
}

// countBegun counts how often the log began anew since the last look.
func (l *Log) countBegun() {
	f, err := os.Open(l.path + "-wal")
	if err != nil {
		return
	}
	defer f.Close()
	var salt [4]byte
	if _, err := f.ReadAt(salt[:], saltAt); err != nil {
		return // it is empty
	}
	now := binary.BigEndian.Uint32(salt[:])
	if more := now - l.salt; l.salt != 0 && more < mostBegun {
		l.begun += int64(more)
	}
	l.salt = now
}

// GiveBack copies the log into the database and empties its file. It returns false while a reader is open.
func (l *Log) GiveBack(ctx context.Context) bool {
	db, err := sql.Open("sqlite", conn.Writer(l.path, "FULL"))
	if err != nil {
		return false
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return false
	}
	defer c.Close()
	checkpoint := func(mode string) bool {
		var busy, frames, copied int64
		err := c.QueryRowContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &frames, &copied)
		return err == nil && busy == 0 && copied == frames
	}
	// The long part runs while others write; the rest blocks them only for moments.
	if _, err := c.ExecContext(ctx, `PRAGMA busy_timeout = 50`); err != nil || !checkpoint("PASSIVE") {
		return false
	}
	return checkpoint("TRUNCATE")
}

// Full returns the error of a write while the log is at its bound, otherwise nil.
func (l *Log) Full() error {
	if s := l.state.Load(); s != nil && s.Full {
		return &walFull{*s}
	}
	return nil
}

// walFull is a [store.ErrFull] with its own text: nothing was written, and the store recovers by itself.
type walFull struct{ store.WAL }

func (e *walFull) Error() string {
	return fmt.Sprintf("nothing more is accepted: the write-ahead log has grown to %s (store.wal_max is %s)%s",
		humanize.IBytes(uint64(e.Bytes)), humanize.IBytes(uint64(e.Max)), e.Reason())
}

func (e *walFull) Is(target error) bool { return target == store.ErrFull }
