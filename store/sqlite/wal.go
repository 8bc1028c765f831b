package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/disk"
)

// The write-ahead log starts over when all of it is in the database and nobody reads it. A long read (of another
// program with an open transaction) makes it grow with every write: by 725 MB in 30 s in a test. wal looks at its size beside
// the writer, copies as much as possible into the database, and gives the space back when the reader has gone. At its bound, before the disk is
// full, the store takes no more, as on a full disk.
type wal struct {
	path  string // the database's
	max   int64
	state atomic.Pointer[store.WAL]
	held  int // how often in a row it could not be given back
	told  bool
	warn  func(note string)
}

const (
	// tendEvery is how often the log's size is looked at.
	tendEvery = 500 * time.Millisecond
	// tendFrom is the share of the bound, as a divisor, from which on the log's space is to be given back.
	tendFrom = 16
	// heldAfter is how many times it must fail before a warning: evrun's own reads are short.
	heldAfter = 3
)

// tend keeps the log in bounds until ctx ends.
func (l *wal) tend(ctx context.Context) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (l *wal) size() int64 {
	info, err := os.Lstat(l.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

func (l *wal) look(ctx context.Context) {
	s := store.WAL{Bytes: l.size(), Max: l.max}
	if s.Bytes < l.max/tendFrom || l.giveBack(ctx) {
		l.held = 0
	} else if ctx.Err() == nil {
		l.held++
	}
	s.Bytes = l.size()
	s.Full = s.Bytes >= l.max
	if s.Held = l.held >= heldAfter || s.Full && l.held > 0; s.Held {
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

// giveBack copies the log into the database and empties its file. It returns false while a reader is open.
func (l *wal) giveBack(ctx context.Context) bool {
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
	// The long work is done while others write; what is left holds them up for moments.
	if _, err := c.ExecContext(ctx, `PRAGMA busy_timeout = 50`); err != nil || !checkpoint("PASSIVE") {
		return false
	}
	return checkpoint("TRUNCATE")
}

// full is the error of a write while the log is at its bound, or nil.
func (l *wal) full() error {
	if s := l.state.Load(); s != nil && s.Full {
		return &walFull{*s}
	}
	return nil
}

// walFull is an [store.ErrFull] in other words: nothing was written, and it goes on by itself.
type walFull struct{ store.WAL }

func (e *walFull) Error() string {
	return fmt.Sprintf("nothing more is accepted: the write-ahead log has grown to %s (store.wal_max is %s)%s",
		humanize.IBytes(uint64(e.Bytes)), humanize.IBytes(uint64(e.Max)), e.Reason())
}

func (e *walFull) Is(target error) bool { return target == store.ErrFull }

// WAL gives the state of the write-ahead log, as it was checked last: twice a second while the store runs.
func (s *Store) WAL() store.WAL {
	if s.w == nil || s.w.wal.state.Load() == nil {
		return store.WAL{}
	}
	return *s.w.wal.state.Load()
}
