package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"

	driverpkg "modernc.org/sqlite"
)

// conn is one connection to the database below database/sql, so that statements (BEGIN and COMMIT too) are prepared once
// and kept. Not safe for concurrent use.
type conn struct {
	c     driver.Conn
	stmts []*stmt
}

var ofdLocking = sync.OnceValue(func() error {
	// Without it, closing any other descriptor of the database file in this process would drop SQLite's locks.
	_, err := driverpkg.OFDLocking(true)
	if errors.Is(err, driverpkg.ErrOFDLockingUnavailable) {
		return nil // not Linux
	}
	return err
})

// dsn is the address of the database at path. A writer's transactions are immediate, and durable at each commit.
func dsn(path string, readOnly bool, synchronous string) string {
	q := url.Values{"_defensive": {"1"}} // no statement can write the schema, or the file's pages
	q.Add("_pragma", "busy_timeout(5000)")
	q.Add("_pragma", "trusted_schema(0)")
	if readOnly {
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		// For a new file alone, and before the journal mode, which writes its first page: pruning can then give space back.
		// SQLite keeps a pointer to each page's parent for it, which is 5 % of the instructions of a write and 0.1 % of the file.
		q.Add("_pragma", "auto_vacuum(incremental)")
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous("+synchronous+")")
		q.Add("_pragma", "foreign_keys(1)")
		// SQLite's own checkpoints, each 1,000 pages within a commit, are left as they are. One beside the writer made
		// acknowledgements slower: the WAL then grows, and syncing a file that grows costs more than one written over.
		q.Add("_pragma", "journal_size_limit(67108864)")
		q.Add("_pragma", "cache_size(-16384)")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func openConn(dsn string) (*conn, error) {
	if err := ofdLocking(); err != nil {
		return nil, fmt.Errorf("switch to OFD locks: %w", err)
	}
	c, err := new(driverpkg.Driver).Open(dsn)
	if err != nil {
		return nil, translate(err)
	}
	return &conn{c: c}, nil
}

// Close finalizes the kept statements and closes the connection.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.s.Close())
	}
	errs = append(errs, c.c.Close())
	return errors.Join(errs...)
}

// exec runs a script.
func (c *conn) exec(script string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.Background(), script, nil)
	return translate(err)
}

// stmt is a prepared statement that lives as long as its connection.
type stmt struct {
	s    driver.Stmt
	args []driver.NamedValue // reused
}

// prepare compiles query and keeps it.
func (c *conn) prepare(query string) (*stmt, error) {
	st, err := c.prepareOnce(query)
	if err == nil {
		c.stmts = append(c.stmts, st)
	}
	return st, err
}

// prepareOnce compiles query for the caller to close.
func (c *conn) prepareOnce(query string) (*stmt, error) {
	s, err := c.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, translate(err))
	}
	return &stmt{s: s}, nil
}

// bind fills the reused arguments: string, []byte, int64 or nil each.
func (s *stmt) bind(values []driver.Value) []driver.NamedValue {
	for len(s.args) < len(values) {
		s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1})
	}
	for i, v := range values {
		s.args[i].Value = v
	}
	return s.args[:len(values)]
}

// exec runs the statement and returns how many rows it changed.
func (s *stmt) exec(values ...driver.Value) (int64, error) {
	r, err := s.s.(driver.StmtExecContext).ExecContext(context.Background(), s.bind(values))
	if err != nil {
		return 0, translate(err)
	}
	n, _ := r.RowsAffected()
	return n, nil
}

// insert runs an INSERT and returns the new row's id.
func (s *stmt) insert(values ...driver.Value) (int64, error) {
	r, err := s.s.(driver.StmtExecContext).ExecContext(context.Background(), s.bind(values))
	if err != nil {
		return 0, translate(err)
	}
	id, _ := r.LastInsertId()
	return id, nil
}

// queryRow reads the first row into dest, or returns io.EOF where there is none.
func (s *stmt) queryRow(dest []driver.Value, values ...driver.Value) error {
	return s.query(func(row []driver.Value) error {
		copy(dest, row)
		return errStop
	}, values...)
}

var errStop = errors.New("stop")

// query calls each with every row; the slice is reused. It returns io.EOF when there was no row. errStop ends it early.
func (s *stmt) query(each func(row []driver.Value) error, values ...driver.Value) (err error) {
	rows, err := s.s.(driver.StmtQueryContext).QueryContext(context.Background(), s.bind(values))
	if err != nil {
		return translate(err)
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = translate(cerr)
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
			return translate(err)
		}
		if err := each(row); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
