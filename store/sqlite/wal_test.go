package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/wal"
)

const maxLog = 8 << 20

// logged is a store with a small write-ahead log that only the test looks at.
type logged struct {
	*Store
	t     *testing.T
	path  string
	n     int
	mu    sync.Mutex
	notes []string
}

func openLogged(t *testing.T) *logged {
	t.Helper()
	l := &logged{t: t, path: filepath.Join(t.TempDir(), "evrun.db")}
	s, err := Open(l.path, Options{Unwatched: true, MaxWAL: maxLog, Options: store.Options{Warn: func(note string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.notes = append(l.notes, note)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	l.Store = s
	run(t, s)
	return l
}

// run runs the writer until the test ends, and then closes the store.
func run(t *testing.T, s *Store) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
}

// grow appends events until the log has so many bytes.
func (l *logged) grow(bytes int64) {
	l.t.Helper()
	for l.w.wal.Size() < bytes {
		if err := l.append(); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *logged) append() error {
	l.n++
	_, err := l.Append(context.Background(), []*events.Event{{ID: fmt.Sprint(l.n), Source: "/t", Type: "a", Data: []byte(`"` + strings.Repeat("x", 20_000) + `"`)}})
	return err
}

// noted returns the notes since the last call.
func (l *logged) noted() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.notes, "\n")
	l.notes = nil
	return text
}

func (l *logged) look(times int) store.WAL {
	for range times {
		l.w.wal.Look(context.Background())
	}
	return l.WAL()
}

// quiet runs that many checks, and fails if one of them is noted.
func (l *logged) quiet(looks int) {
	l.t.Helper()
	l.look(looks)
	if notes := l.noted(); notes != "" {
		l.t.Errorf("noted again, or too early: %s", notes)
	}
}

// hold opens a transaction that reads, as another program may, and returns its end.
func (l *logged) hold() (end func()) {
	l.t.Helper()
	db, err := sql.Open("sqlite", conn.Reader(l.path))
	if err != nil {
		l.t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		l.t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM events`).Scan(&n); err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			l.t.Error(err)
		}
	}
}

func TestTheLogsSpaceIsGivenBack(t *testing.T) {
	l := openLogged(t)
	if got := l.WAL(); got.Max != 0 || got.Bytes != 0 || got.Full || got.Held {
		t.Errorf("before the first look: %+v", got)
	}
	if err := l.append(); err != nil {
		t.Fatal(err)
	}
	if got := l.look(1); got.Bytes == 0 || got.Max != maxLog || got.Full || got.Held {
		t.Errorf("a small log is left alone: %+v", got)
	}
	l.grow(maxLog/wal.TendFrom + 1)
	if got := l.look(1); got.Bytes != 0 || got.Full || got.Held {
		t.Errorf("a larger one: %+v", got)
	}
	if notes := l.noted(); notes != "" {
		t.Errorf("notes: %s", notes)
	}
}

// A reader prevents the log from starting over: first there is a warning, at the bound writes are refused, and they succeed again when the reader has
// gone.
func TestAReaderHoldsTheLog(t *testing.T) {
	l := openLogged(t)
	end := l.hold()
	l.grow(maxLog/wal.TendFrom + 1)
	if l.quiet(wal.HeldAfter - 1); l.WAL().Held {
		t.Errorf("too early: %+v", l.WAL())
	}
	got := l.look(1)
	if !got.Held || got.Full || got.Bytes < maxLog/wal.TendFrom || got.Reason() != ": another program has been reading the store for long, end its transaction" {
		t.Errorf("held: %+v, %q", got, got.Reason())
	}
	if notes := l.noted(); !strings.HasPrefix(notes, "the write-ahead log has grown to ") || !strings.HasSuffix(notes, "; at 8.0 MiB (store.wal_max) nothing more is accepted") {
		t.Errorf("the warning: %s", notes)
	}
	l.quiet(2)
	if err := l.append(); err != nil {
		t.Errorf("below the bound: %v", err)
	}
	l.grow(maxLog)
	if got := l.look(1); !got.Full || !got.Held {
		t.Errorf("full: %+v", got)
	}
	if notes := l.noted(); !strings.HasPrefix(notes, "nothing more is accepted: the write-ahead log has grown to ") {
		t.Errorf("the note: %s", notes)
	}
	err := l.append()
	if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "(store.wal_max is 8.0 MiB)") {
		t.Errorf("at the bound: %v", err)
	}
	l.quiet(2)
	end()
	if got := l.look(1); got.Full || got.Held || got.Bytes != 0 {
		t.Errorf("after the reader: %+v", got)
	}
	if notes := l.noted(); notes != "the write-ahead log's space was given back" {
		t.Errorf("the note: %s", notes)
	}
	if err := l.append(); err != nil {
		t.Errorf("after the reader: %v", err)
	}
	l.quiet(2)
}
