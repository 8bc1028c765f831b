package guard

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	lib "modernc.org/sqlite/lib"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// maxKept is how many statements a connection keeps prepared.
const maxKept = 512

// Statements runs user statements on a connection under the guard, and keeps them prepared. Only the goroutine that uses the connection may call it.
type Statements struct {
	conn    *conn.Conn
	guard   *guard
	limits  *limiter
	value   int // the largest value, unless a function requires a smaller one
	changes *conn.Stmt
	version *conn.Stmt
	schema  int64 // the version of the schema that guard and kept are for
	kept    map[*store.Statement]*statement
	clock   int64
}

// statement is a kept user statement.
type statement struct {
	*parsed
	s     driver.Stmt         // nil: not compiled yet
	args  []driver.NamedValue // reused
	loops bool                // it may take long: it does more than insert the rows in its text
	bound bound               // by its functions
	used  int64               // when, by the clock
	takes time.Duration       // see Took
}

// New installs a guard on c. own are the tables that may only be read, in lower case; value is the largest value, in bytes.
func New(c *conn.Conn, own map[string]bool, value int) (_ *Statements, err error) {
	u := &Statements{conn: c, value: value, kept: map[*store.Statement]*statement{}}
	if u.guard, err = newGuard(c, own); err != nil {
		return nil, fmt.Errorf("guard: %w", conn.Translate(err))
	}
	if u.changes, err = c.Prepare(`SELECT changes()`); err != nil {
		return nil, err
	}
	if u.version, err = c.Prepare(`PRAGMA schema_version`); err != nil {
		return nil, err
	}
	if err := u.SchemaChanged(); err != nil {
		return nil, err
	}
	if u.limits, err = newLimiter(c.Raw()); err != nil {
		return nil, err
	}
	if err := u.limits.limitUser(value); err != nil {
		return nil, errors.Join(err, u.limits.Close())
	}
	return u, nil
}

// SchemaChanged discards everything that depends on the schema, compiled statements included, and reads the schema again.
func (u *Statements) SchemaChanged() (err error) {
	for s, st := range u.kept {
		u.drop(s, st)
	}
	if u.guard.schema, err = readCosts(u.conn); err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	return nil
}

// Refresh checks whether another connection has changed the schema, and then calls SchemaChanged.
func (u *Statements) Refresh() error {
	row := make([]driver.Value, 1)
	if err := u.version.QueryRow(row); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version, _ := row[0].(int64); version != u.schema {
		u.schema = version
		return u.SchemaChanged()
	}
	return nil
}

// Conn is the connection.
func (u *Statements) Conn() *conn.Conn { return u.conn }

// Close finalizes the kept statements. The connection stays open.
func (u *Statements) Close() error {
	var errs []error
	for _, st := range u.kept {
		errs = append(errs, st.s.Close())
	}
	clear(u.kept)
	return errors.Join(append(errs, u.limits.Close())...)
}

// Exec runs s, and stops it when ctx ends or at the limit. It returns the errors of [store.Tx]'s Exec.
func (u *Statements) Exec(ctx context.Context, limit Limit, s *store.Statement, args []any) (store.Result, error) {
	st, err := u.statement(s)
	if err != nil {
		return store.Result{}, err
	}
	if len(args) != len(st.Params) {
		return store.Result{}, fmt.Errorf("%w: it has %d parameters, not %d", store.ErrStatement, len(st.Params), len(args))
	}
	defer u.guard.on(st.rules(), st.calls)()
	if st.s == nil {
		if err := u.compile(st); err != nil {
			return store.Result{}, u.explain(err)
		}
		u.makeRoom()
		u.kept[s] = st
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
	if st.loops && limit.Wall > 0 {
		var end func()
		ctx, end = limit.within(ctx)
		defer end()
	}
	u.guard.loops, u.guard.bound = st.loops, st.bound
	r, err := u.run(ctx, st)
	st.loops, st.bound = u.guard.loops, u.guard.bound // SQLite may have prepared it again
	if st.Defines {
		u.drop(s, st) // it runs once
	}
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
		return store.Result{}, cause
	}
	return r, u.explain(err)
}

// statement finds s among the kept statements, or parses its text: the guard relies only on the text, not on the fields of s.
func (u *Statements) statement(s *store.Statement) (*statement, error) {
	u.clock++
	st := u.kept[s]
	if st == nil {
		p, err := parse(s.Text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrStatement, err)
		}
		st = &statement{parsed: p}
	}
	st.used = u.clock
	return st, nil
}

func (st *statement) rules() rules {
	if st.Defines {
		return define
	}
	return rows
}

// wrapped is the name of a user's query inside the query that is run instead.
const wrapped = "evrun_rows"

// compile prepares st. The driver watches the context only until the first row exists. So a query is wrapped in another that computes all rows, but
// no more than are read, before it returns the first.
func (u *Statements) compile(st *statement) (err error) {
	prepare := func(query string) (driver.Stmt, error) {
		return u.conn.Raw().(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	}
	u.guard.loops, u.guard.bound = st.Verb != "INSERT" && st.Verb != "REPLACE", bound{}
	if st.Reads {
		st.s, err = prepare(fmt.Sprintf("WITH %[1]s AS MATERIALIZED (SELECT * FROM (%[2]s\n) LIMIT %[3]d) SELECT * FROM %[1]s", wrapped, st.Text, store.MaxRows+1))
		if err != nil {
			alone, cause := prepare(st.Text)
			if cause == nil { // the query around it fails
				return errors.Join(err, alone.Close())
			}
			return cause // the error is about the user's own text
		}
	} else if st.s, err = prepare(st.Text); err != nil {
		return err
	}
	st.loops, st.bound = u.guard.loops, u.guard.bound
	st.args = make([]driver.NamedValue, len(st.Params))
	for i, p := range st.Params {
		st.args[i].Name = p.Name // without an Ordinal, so that the driver finds it without building an index first
	}
	return nil
}

// makeRoom drops the statement that was not used for the longest time.
func (u *Statements) makeRoom() {
	if len(u.kept) < maxKept {
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

func (u *Statements) drop(s *store.Statement, st *statement) {
	_ = st.s.Close() // it repeats the error of its last run
	delete(u.kept, s)
}

func (u *Statements) run(ctx context.Context, st *statement) (r store.Result, err error) {
	if !st.Returns {
		done, err := st.s.(driver.StmtExecContext).ExecContext(ctx, st.args)
		if err == nil && !st.Defines {
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
	if err == nil && !st.Reads {
		row := make([]driver.Value, 1)
		err = u.changes.QueryRow(row)
		r.Changes, _ = row[0].(int64)
	}
	return r, err
}

// Takes returns how long s is expected to take, its longest recent time; 0: unknown.
func (u *Statements) Takes(s *store.Statement) time.Duration {
	if st := u.kept[s]; st != nil {
		return st.takes
	}
	return 0
}

// Took records how long s took, its run and its events included.
func (u *Statements) Took(s *store.Statement, d time.Duration) {
	if st := u.kept[s]; st != nil {
		st.takes = max(1, d, st.takes-st.takes/8)
	}
}
