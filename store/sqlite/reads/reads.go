// Package reads answers the questions about a store in one SQLite file: its journal, runs, handlers, users and schedules, and the statements
// of users that only read. Package sqlite embeds its [Reader] in the store, beside the writer; a command that finds no daemon, but must not
// write, has a Reader alone.
//
// It writes nothing, has no goroutine, and never waits for the writer (WAL mode): what a method returns was committed when its query began, and
// may have changed since. The writer checks again, in its transaction, what it is told here ([PlanRegister], and the runs to retry or drop).
//
// evrun's own queries share a pool of connections, and are ended after 5 seconds: the write-ahead log can't start over while one runs
// (connections.go). Statements of users have two connections of their own, under package guard's rules (statements.go).
package reads

import (
	"database/sql"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/schema"
)

// Reader reads a store. Its methods are those of [store.Store] that write nothing; they are safe for concurrent use.
type Reader struct {
	id   string
	db   readers
	user *userReads // nil: Read is refused
}

// Open returns a reader beside the writer of the store at path. id is the store's; maxData is as in [store.Options].
func Open(path, id string, maxData int) (*Reader, error) {
	db, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	return &Reader{id: id, db: db, user: newUserReads(path, guard.MaxValue(maxData))}, nil
}

// OpenAlone returns a reader of the store at path, which another process may be writing to. It refuses a file that is no store of this version,
// and runs no statements of users.
func OpenAlone(path string) (*Reader, error) {
	db, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db}
	if err := r.check(); err != nil {
		db.Close()
		return nil, err
	}
	return r, nil
}

func openReaders(path string) (readers, error) {
	db, err := sql.Open("sqlite", conn.Reader(path))
	if err != nil {
		return readers{}, conn.Translate(err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return readers{db}, nil
}

// check checks that the file is a store of this version, and reads its id.
func (r *Reader) check() error {
	var application, version int
	if err := r.db.QueryRow(`PRAGMA application_id`).Scan(&application); err != nil {
		return conn.Translate(err)
	}
	if err := r.db.QueryRow(`PRAGMA user_version`).Scan(&version); err != nil {
		return conn.Translate(err)
	}
	if err := schema.CheckVersion(application, version, false); err != nil {
		return err
	}
	if version < schema.NewestVersion() {
		return store.ErrOlder
	}
	if err := r.db.QueryRow(`SELECT value FROM meta WHERE key = 'id'`).Scan(&r.id); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNotStore, conn.Translate(err))
	}
	return nil
}

// ID implements [store.Store].
func (r *Reader) ID() string { return r.id }

// Close waits for the running statements of users, and closes all connections.
func (r *Reader) Close() error {
	err := r.db.Close()
	if r.user != nil {
		err = errors.Join(err, r.user.Close())
	}
	return err
}
