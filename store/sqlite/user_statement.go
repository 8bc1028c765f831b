package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	driverpkg "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"evrun/store"
)

// maxUserStatements is how many statements of the user's own a connection keeps prepared.
const maxUserStatements = 512

// userStatements runs the statements of the user's own on a connection, each under its guard, and keeps them prepared.
// It belongs to the goroutine that uses the connection.
type userStatements struct {
	conn    *conn
	guard   *guard
	limits  *limiter
	value   int // the largest value, where no function asks for less
	changes *stmt
	version *stmt
	schema  int64 // the version of the schema that guard and kept are for
	kept    map[*store.Statement]*userStatement
	clock   int64
}

// userStatement is one that is kept.
type userStatement struct {
	s     driver.Stmt
	args  []driver.NamedValue // reused
	loops bool                // it may take long: more than a row that is written out is behind it
	bound bound               // by its functions
	used  int64               // when, by the clock
	takes time.Duration       // see takes
}

// newUserStatements guards c: own are the tables that may only be read, value is the largest value, in bytes.
func newUserStatements(c *conn, own map[string]bool, value int) (_ *userStatements, err error) {
	u := &userStatements{conn: c, value: value, kept: map[*store.Statement]*userStatement{}}
	if u.guard, err = newGuard(c, own); err != nil {
		return nil, fmt.Errorf("guard: %w", translate(err))
	}
	if u.changes, err = c.prepare(`SELECT changes()`); err != nil {
		return nil, err
	}
	if u.version, err = c.prepare(`PRAGMA schema_version`); err != nil {
		return nil, err
	}
	if err := u.schemaChanged(); err != nil {
		return nil, err
	}
	if u.limits, err = newLimiter(c.c); err != nil {
		return nil, err
	}
	if err := u.limits.limitUser(value); err != nil {
		return nil, errors.Join(err, u.limits.Close())
	}
	return u, nil
}

// schemaChanged drops what is cached of the schema: compiled statements, and its functions.
func (u *userStatements) schemaChanged() (err error) {
	for s, st := range u.kept {
		u.drop(s, st)
	}
	if u.guard.schema, err = u.conn.schemaCosts(); err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	return nil
}

// refresh looks whether somebody else has changed the schema.
func (u *userStatements) refresh() error {
	row := make([]driver.Value, 1)
	if err := u.version.queryRow(row); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version, _ := row[0].(int64); version != u.schema {
		u.schema = version
		return u.schemaChanged()
	}
	return nil
}

// Close finalizes what is kept.
func (u *userStatements) Close() error {
	var errs []error
	for _, st := range u.kept {
		errs = append(errs, st.s.Close())
	}
	clear(u.kept)
	return errors.Join(append(errs, u.limits.Close())...)
}

// timeLimit says when a statement is stopped: after so much time by the clock, and of the processor. 0: never.
type timeLimit struct{ wall, processor time.Duration }

// within is ctx with the limit; end lets go of it.
func (l timeLimit) within(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	begun := time.Now()
	read, unlock := func() time.Duration { return time.Since(begun) }, func() {}
	first := l.wall
	if l.processor > 0 {
		read, unlock = processorTime()
		first = l.processor
	}
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(first, func() {
		<-ready
		used := read()
		switch {
		case l.processor > 0 && used >= l.processor:
			cancel(fmt.Errorf("%w: more than %v", store.ErrTimeout, l.processor))
		case time.Since(begun) >= l.wall:
			cancel(fmt.Errorf("%w: more than %v", store.ErrTimeout, l.wall))
		default:
			timer.Reset(max(l.processor-used, time.Millisecond))
		}
	})
	close(ready)
	return ctx, func() {
		timer.Stop()
		cancel(nil)
		unlock()
	}
}

// exec runs s, and stops it when ctx ends or at the limit. The error of a failed statement is the
// driver's, seen by explain.
func (u *userStatements) exec(ctx context.Context, limit timeLimit, s *store.Statement, args []any) (store.Result, error) {
	if len(args) != len(s.Params()) {
		return store.Result{}, fmt.Errorf("%w: it has %d parameters, not %d", store.ErrStatement, len(s.Params()), len(args))
	}
	rules := rows
	if s.Defines() {
		rules = define
	}
	defer u.guard.on(rules, s.Calls())()
	st, err := u.prepared(s)
	if err != nil {
		return store.Result{}, u.explain(err)
	}
	if st.bound.length > 0 {
		if err := u.limits.set(lib.SQLITE_LIMIT_LENGTH, min(st.bound.length, u.value)); err != nil {
			return store.Result{}, err
		}
		defer func() { _ = u.limits.set(lib.SQLITE_LIMIT_LENGTH, u.value) }() // it fails on a closed connection only
	}
	for i, a := range args {
		st.args[i].Value = a
	}
	if st.loops && limit.wall > 0 {
		var end func()
		ctx, end = limit.within(ctx)
		defer end()
	}
	u.guard.loops, u.guard.bound = st.loops, st.bound
	r, err := u.run(ctx, s, st)
	st.loops, st.bound = u.guard.loops, u.guard.bound // it may have been prepared anew
	if s.Defines() {
		u.drop(s, st) // it runs once
	}
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
		return store.Result{}, cause
	}
	return r, u.explain(err)
}

// prepared gives s as a prepared statement.
func (u *userStatements) prepared(s *store.Statement) (*userStatement, error) {
	u.clock++
	st, ok := u.kept[s]
	if !ok {
		u.makeRoom()
		u.guard.loops, u.guard.bound = s.Verb() != "INSERT" && s.Verb() != "REPLACE", bound{}
		prepared, err := u.prepare(s)
		if err != nil {
			return nil, err
		}
		st = &userStatement{s: prepared, args: make([]driver.NamedValue, len(s.Params())), loops: u.guard.loops, bound: u.guard.bound}
		for i, name := range s.Params() {
			st.args[i].Name = name // without an Ordinal: the driver then looks for it without making an index first
		}
		u.kept[s] = st
	}
	st.used = u.clock
	return st, nil
}

// wrapped names a query inside the one that is run for it.
const wrapped = "evrun_rows"

// prepare compiles s. The driver watches the context only until the first row is there, so a query is made to have all its
// rows by then, and no more of them than are taken.
func (u *userStatements) prepare(s *store.Statement) (driver.Stmt, error) {
	compile := func(query string) (driver.Stmt, error) {
		return u.conn.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	}
	if !s.Reads() {
		return compile(s.String())
	}
	st, err := compile(fmt.Sprintf("WITH %[1]s AS MATERIALIZED (SELECT * FROM (%[2]s\n) LIMIT %[3]d) SELECT * FROM %[1]s", wrapped, s, store.MaxRows+1))
	if err == nil {
		return st, nil
	}
	alone, cause := compile(s.String())
	if cause == nil { // it is the whole that fails
		return nil, errors.Join(err, alone.Close())
	}
	return nil, cause // that tells of the user's own text
}

// makeRoom drops the statement that was not used for the longest time.
func (u *userStatements) makeRoom() {
	if len(u.kept) < maxUserStatements {
		return
	}
	var oldest *store.Statement
	for s, st := range u.kept {
		if oldest == nil || st.used < u.kept[oldest].used {
			oldest = s
		}
	}
	u.drop(oldest, u.kept[oldest])
}

func (u *userStatements) drop(s *store.Statement, st *userStatement) {
	_ = st.s.Close() // it repeats the error of its last run
	delete(u.kept, s)
}

func (u *userStatements) run(ctx context.Context, s *store.Statement, st *userStatement) (r store.Result, err error) {
	if !s.Returns() {
		done, err := st.s.(driver.StmtExecContext).ExecContext(ctx, st.args)
		if err == nil && !s.Defines() {
			r.Changes, err = done.RowsAffected()
		}
		return r, err
	}
	rows, err := st.s.(driver.StmtQueryContext).QueryContext(ctx, st.args)
	if err != nil {
		return r, err
	}
	err = read(rows, &r)
	if cerr := rows.Close(); err == nil {
		err = cerr
	}
	if err == nil && !s.Reads() {
		row := make([]driver.Value, 1)
		err = u.changes.queryRow(row)
		r.Changes, _ = row[0].(int64)
	}
	return r, err
}

// read takes all rows, up to the bounds.
func read(rows driver.Rows, r *store.Result) error {
	r.Columns = rows.Columns()
	row := make([]driver.Value, len(r.Columns))
	size := 0
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(r.Rows) == store.MaxRows {
			return fmt.Errorf("%w: it returns more than %d rows; a LIMIT bounds them", store.ErrStatement, store.MaxRows)
		}
		values := make([]any, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v)
			default:
				size += 8
			}
			values[i] = v
			if t, ok := v.(time.Time); ok { // the driver's doing, for columns declared so
				values[i] = timeText(t, rows.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(i))
			}
		}
		if size > store.MaxResultBytes {
			return fmt.Errorf("%w: it returns more than %d bytes; select fewer columns or rows", store.ErrStatement, store.MaxResultBytes)
		}
		r.Rows = append(r.Rows, values)
	}
}

func timeText(t time.Time, declared string) string {
	if declared == "DATE" && t.Equal(t.Truncate(24*time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

// explain gives an error of a user's statement its name in package store. What concerns the database as a whole is named as
// for evrun's own statements; the rest is the statement's own fault, and would be again.
func (u *userStatements) explain(err error) error {
	var e *driverpkg.Error
	switch {
	case err == nil:
		return nil
	case u.guard.denied != "":
		return fmt.Errorf("%w: %s", store.ErrStatement, u.guard.denied)
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_BUSY, lib.SQLITE_IOERR, lib.SQLITE_INTERNAL, lib.SQLITE_PROTOCOL, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN,
		lib.SQLITE_PERM, lib.SQLITE_NOTADB:
		return translate(err)
	case lib.SQLITE_CORRUPT:
		if e.Code() != lib.SQLITE_CORRUPT_VTAB { // that is one virtual table's matter
			return translate(err)
		}
	case lib.SQLITE_CONSTRAINT:
		if kind := translate(err); errors.Is(kind, store.ErrConflict) {
			return fmt.Errorf("%w: %s", store.ErrConflict, message(e))
		}
	}
	text := message(e)
	switch {
	case e.Code() == lib.SQLITE_TOOBIG && u.guard.bound.function == fullText:
		text = fmt.Sprintf("a value is larger than %s, the limit for a statement that writes this fts5 table, since SQLite can't be stopped while it "+
			"indexes a text; index a part of it, as with substr(), in a statement of its own", sizeText(u.guard.bound.length))
	case e.Code() == lib.SQLITE_TOOBIG && u.guard.bound.length > 0:
		text = fmt.Sprintf("a value is larger than %s, the limit for a statement that calls %s like this, since SQLite can't be stopped within that function; "+
			"leave the function out, or keep such values out of the statement", sizeText(u.guard.bound.length), u.guard.bound.function)
	case e.Code() == lib.SQLITE_TOOBIG:
		text = fmt.Sprintf("a value is larger than %s, the limit for all statements: twice server.max_event and 1 MiB", sizeText(u.value))
	case strings.HasPrefix(text, "LIKE or GLOB pattern too complex"):
		text = fmt.Sprintf("the pattern of a LIKE or GLOB is longer than %d bytes, its limit; instr() finds a longer text", maxPattern)
	}
	return fmt.Errorf("%w: %s", store.ErrStatement, text)
}

func sizeText(bytes int) string {
	if bytes >= 1<<20 && bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// message is what SQLite says, without the driver's frame of the code's own text before it and the number behind.
func message(e *driverpkg.Error) string {
	text := strings.TrimSuffix(e.Error(), fmt.Sprintf(" (%d)", e.Code()))
	for _, frame := range []string{"SQL logic error: ", "constraint failed: "} {
		text = strings.TrimPrefix(text, frame)
	}
	if strings.HasPrefix(text, "no such table: ") || strings.HasPrefix(text, "no such column: ") {
		text += " (migrate makes tables at start)"
	}
	return text
}
