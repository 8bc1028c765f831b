// Package conn is a connection to an SQLite database below database/sql, with its addresses and its errors.
//
// It is below database/sql, which would prepare BEGIN and COMMIT again for each transaction: here all statements are prepared once and
// kept.
package conn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	driverpkg "modernc.org/sqlite"
)

// Conn is one connection to a database. Not safe for concurrent use.
type Conn struct {
	c        driver.Conn
	stmts    []*Stmt
	prepared map[string]*Stmt // those of Prepared
}

// OFDLocking has SQLite take locks of open files, where the system has them. It must be called before a database is opened by other
// means than [Open].
var OFDLocking = sync.OnceValue(func() error {
	// Without it, closing any other descriptor of the database file in this process would drop SQLite's locks.
	_, err := driverpkg.OFDLocking(true)
	if errors.Is(err, driverpkg.ErrOFDLockingUnavailable) {
		return nil // not Linux
	}
	return err
})

// Open opens the database at an address.
func Open(address string) (*Conn, error) {
	if err := OFDLocking(); err != nil {
		return nil, fmt.Errorf("switch to OFD locks: %w", err)
	}
	c, err := new(driverpkg.Driver).Open(address)
	if err != nil {
		return nil, Translate(err)
	}
	return &Conn{c: c, prepared: map[string]*Stmt{}}, nil
}

// Raw is the driver's connection. It still belongs to c.
func (c *Conn) Raw() driver.Conn { return c.c }

// KeepWAL has the connection leave the write-ahead log where it is when it is closed.
func (c *Conn) KeepWAL() error {
	control, ok := c.c.(driverpkg.FileControl)
	if !ok {
		return nil
	}
	_, err := control.FileControlPersistWAL("main", 1)
	return err
}

// Close finalizes the kept statements and closes the connection.
func (c *Conn) Close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.s.Close())
	}
	errs = append(errs, c.c.Close())
	return errors.Join(errs...)
}

// Exec runs a script.
func (c *Conn) Exec(script string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.Background(), script, nil)
	return Translate(err)
}

// Stmt is a prepared statement that lives as long as its connection.
type Stmt struct {
	s    driver.Stmt
	args []driver.NamedValue // reused
}

// Prepare compiles query and keeps it.
func (c *Conn) Prepare(query string) (*Stmt, error) {
	st, err := c.PrepareOnce(query)
	if err == nil {
		c.stmts = append(c.stmts, st)
	}
	return st, err
}

// PrepareOnce compiles query for the caller to close.
func (c *Conn) PrepareOnce(query string) (*Stmt, error) {
	s, err := c.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, Translate(err))
	}
	return &Stmt{s: s}, nil
}

// Close finalizes a statement of [Conn.PrepareOnce].
func (s *Stmt) Close() error { return s.s.Close() }

// bind fills the reused arguments: string, []byte, int64 or nil each.
func (s *Stmt) bind(values []driver.Value) []driver.NamedValue {
	for len(s.args) < len(values) {
		s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1})
	}
	for i, v := range values {
		s.args[i].Value = v
	}
	return s.args[:len(values)]
}

// Exec runs the statement and returns how many rows it changed.
func (s *Stmt) Exec(values ...driver.Value) (int64, error) {
	r, err := s.exec(values)
	if err != nil {
		return 0, err
	}
	n, _ := r.RowsAffected()
	return n, nil
}

// Insert runs an INSERT and returns the new row's id.
func (s *Stmt) Insert(values ...driver.Value) (int64, error) {
	r, err := s.exec(values)
	if err != nil {
		return 0, err
	}
	id, _ := r.LastInsertId()
	return id, nil
}

func (s *Stmt) exec(values []driver.Value) (driver.Result, error) {
	r, err := s.s.(driver.StmtExecContext).ExecContext(context.Background(), s.bind(values))
	return r, Translate(err)
}

// QueryRow reads the first row into dest, or returns io.EOF where there is none.
func (s *Stmt) QueryRow(dest []driver.Value, values ...driver.Value) error {
	return s.Query(func(row []driver.Value) error {
		copy(dest, row)
		return errStop
	}, values...)
}

var errStop = errors.New("stop")

// Query calls each with every row; the slice is reused. It returns io.EOF when there was no row. errStop ends it early.
func (s *Stmt) Query(each func(row []driver.Value) error, values ...driver.Value) (err error) {
	rows, err := s.s.(driver.StmtQueryContext).QueryContext(context.Background(), s.bind(values))
	if err != nil {
		return Translate(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = Translate(cerr)
		}
	}()
	row := make([]driver.Value, len(rows.Columns()))
	for n := 0; ; n++ {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF) && n == 0:
			return io.EOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return Translate(err)
		}
		if err := each(row); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Pairs reads the first two columns of a query, as texts.
func (c *Conn) Pairs(query string, args ...driver.Value) (list [][2]string, err error) {
	st, err := c.PrepareOnce(query)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	err = st.Query(func(row []driver.Value) error {
		var pair [2]string
		for i := range min(len(row), 2) {
			pair[i], _ = row[i].(string)
		}
		list = append(list, pair)
		return nil
	}, args...)
	if NoRows(err) {
		err = nil
	}
	return list, err
}
