// Package transfer reads a store from a SQLite file, and fills one, for package transfer above.
//
// It has the store's lock, so that no daemon and no command of evrun writes meanwhile, and one connection. No goroutines.
package transfer

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/disk"
	"evrun/store/sqlite/schema"
	"evrun/store/transfer"
)

// Store is a source or a target in a file.
type Store struct {
	c     *conn.Conn // nil: a target that does not exist yet
	lock  *disk.Lock
	path  string
	id    string
	empty bool // a target that does not exist yet
}

var (
	_ transfer.Source = (*Store)(nil)
	_ transfer.Target = (*Store)(nil)
)

// OpenSource opens the store at path, and brings its tables up to date. The error is [store.ErrNotFound] if there is none, [store.ErrLocked] if it is in use.
func OpenSource(path string) (*Store, error) {
	s, err := lock(path)
	if err != nil {
		return nil, err
	}
	if s.empty {
		s.lock.Release()
		return nil, fmt.Errorf("open store %s: %w", path, store.ErrNotFound)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// OpenTarget opens a file that does not exist yet, or in which a transfer was interrupted.
func OpenTarget(path string) (*Store, error) {
	s, err := lock(path)
	if err != nil || s.empty {
		return s, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// lock takes the lock of a store.
func lock(name string) (s *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", name, err)
		}
	}()
	path, err := disk.Resolve(name)
	if err != nil {
		return nil, err
	}
	s = &Store{path: path}
	info, err := os.Stat(path)
	if s.empty = errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0; err != nil && !s.empty {
		return nil, err
	}
	if _, err := files.TrustedDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	s.lock, _, err = disk.Acquire(path + ".lock")
	return s, err
}

// open opens the connection, and brings the tables up to date.
func (s *Store) open() (err error) {
	if err := disk.CreatePrivate(s.path); err != nil {
		return err
	}
	if err := disk.CheckPrivate(s.path); err != nil {
		return err
	}
	if s.c, err = conn.Open(conn.Writer(s.path, "FULL")); err != nil {
		return err
	}
	if err := schema.Migrate(s.c); err != nil {
		return err
	}
	s.id, err = s.meta("id")
	return err
}

// Close implements [transfer.Reader].
func (s *Store) Close() error {
	defer s.lock.Release()
	if s.c == nil {
		return nil
	}
	return s.c.Close()
}

// ID implements [transfer.Source].
func (s *Store) ID() string { return s.id }

// meta reads a value of the table meta; empty: it has none.
func (s *Store) meta(key string) (string, error) {
	var row [1]driver.Value
	err := conn.Prepare(s.c.Prepared).QueryRow(row[:], `SELECT value FROM meta WHERE key = ?`, key)
	if conn.NoRows(err) {
		return "", nil
	}
	text, _ := row[0].(string)
	return text, err
}

func (s *Store) exec(query string, args ...driver.Value) error {
	_, err := conn.Prepare(s.c.Prepared).Exec(query, args...)
	return err
}

// setMeta writes a value of the table meta; empty: it has none.
func (s *Store) setMeta(key, value string) error {
	if value == "" {
		return s.exec(`DELETE FROM meta WHERE key = ?`, key)
	}
	return s.exec(`INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2`, key, value)
}

// Head implements [transfer.Reader].
func (s *Store) Head(context.Context) (int64, error) {
	return conn.Prepare(s.c.Prepared).Number(`SELECT ` + schema.JournalHead)
}

// Marked implements [transfer.Source].
func (s *Store) Marked(context.Context) (d transfer.Departure, err error) {
	text, err := s.meta(transfer.DepartureKey)
	if err == nil && text != "" {
		err = d.Decode(text)
	}
	return d, err
}

// Mark implements [transfer.Source].
func (s *Store) Mark(_ context.Context, d transfer.Departure) error {
	if d == (transfer.Departure{}) {
		return s.setMeta(transfer.DepartureKey, "")
	}
	text, err := d.Encode()
	if err != nil {
		return err
	}
	return s.setMeta(transfer.DepartureKey, text)
}

// blank is a query for 1 if a store has nothing yet: a move that was killed while it made the tables leaves such a store.
const blank = `SELECT CASE WHEN EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM handlers) OR EXISTS (SELECT 1 FROM users)
	OR EXISTS (SELECT 1 FROM schedules) OR EXISTS (SELECT 1 FROM pruned_keys) THEN 0 ELSE 1 END`

// Arrival implements [transfer.Target].
func (s *Store) Arrival(context.Context) (*transfer.Arrival, error) {
	if s.empty {
		return nil, nil
	}
	text, err := s.meta(transfer.ArrivalKey)
	switch {
	case err != nil:
		return nil, err
	case text == "":
		nothing, err := conn.Prepare(s.c.Prepared).Number(blank)
		if err == nil && nothing == 0 {
			err = fmt.Errorf("%s: %w: it is a store already", s.path, transfer.ErrNotEmpty)
		}
		return nil, err
	}
	a := &transfer.Arrival{}
	return a, a.Decode(text)
}

// Arrived implements [transfer.Target].
func (s *Store) Arrived(context.Context) (string, error) {
	if s.empty {
		return "", nil
	}
	return s.meta(transfer.ArrivedKey)
}

// Begin implements [transfer.Target].
func (s *Store) Begin(_ context.Context, a *transfer.Arrival) error {
	if s.c == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	s.empty = false
	return s.arrive(a)
}

func (s *Store) arrive(a *transfer.Arrival) error {
	text, err := a.Encode()
	if err != nil {
		return err
	}
	return s.setMeta(transfer.ArrivalKey, text)
}

// blocks are the rows of the table blocks, which says what occurs where in the journal: see migration 016.
const blocks = `DELETE FROM blocks;
	WITH seen AS MATERIALIZED (SELECT DISTINCT sequence >> 10 AS block, source, type FROM events),
		sources AS (SELECT block, count(DISTINCT source) AS n FROM seen GROUP BY block)
	INSERT INTO blocks (what, block)
		SELECT 't:' || type, block FROM seen
		UNION SELECT CASE WHEN n <= 16 THEN 's:' || source ELSE 's:' END, block FROM seen JOIN sources USING (block);
	INSERT INTO blocks (what, block) SELECT 'r:' || handler || ':' || state, block
		FROM (SELECT DISTINCT sequence >> 10 AS block, handler, CASE state WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 0 END AS state FROM runs)`

// Finish implements [transfer.Target].
func (s *Store) Finish(_ context.Context, a *transfer.Arrival, head int64) error {
	err := s.transaction(func() error {
		if err := s.c.Exec(blocks); err != nil {
			return err
		}
		for key, value := range map[string]string{"id": a.From, "head": fmt.Sprint(head), transfer.ArrivalKey: "", transfer.ArrivedKey: a.Token} {
			if err := s.setMeta(key, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(s.c.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`), disk.MendPrivate(s.path, func(string) {}))
}

func (s *Store) transaction(do func() error) error {
	if err := s.c.Exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if err := do(); err != nil {
		_ = s.c.Exec(`ROLLBACK`) // the first error says more
		return err
	}
	return s.c.Exec(`COMMIT`)
}

// Refusal is why a store can't be opened for writing because of its marks; nil: it can.
func Refusal(c *conn.Conn) error {
	s := &Store{c: c}
	left, err := s.meta(transfer.DepartureKey)
	if err != nil {
		return err
	}
	arriving, err := s.meta(transfer.ArrivalKey)
	if err != nil {
		return err
	}
	return transfer.Refusal(left, arriving)
}
