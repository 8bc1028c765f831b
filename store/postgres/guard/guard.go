// Package guard runs user statements on PostgreSQL, in the transactions and with the role of evrun's own, and refuses those that may not run.
//
// A statement shares its transaction with the record of its run, so that both commit or neither does. So it shares its session and role, too, and these have
// every right on evrun's tables. What holds a statement in bounds is a check before its first run:
//
//   - The server itself parses it, as the body of a function that is never kept (CREATE FUNCTION … BEGIN ATOMIC …), with the types of parameters that it will
//     run with. A statement that is not one SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE has no such body: SET, COPY, CALL, TRUNCATE, EXPLAIN, DO.
//   - The tree that the server keeps of the body (pg_proc.prosqlbody) names every relation, with the rights that are needed of it, and every function and
//     operator. The catalog says what else these bring along: views, rules, triggers, defaults, checks, indexes, policies, partitions, bodies of functions.
//   - Relations of the schema evrun and the server's own can be read, not written or locked. Functions may be called that work on their arguments alone: see
//     rules.go. A function that evrun can't see through may be called if it runs as another role, without rights on the schema evrun (SECURITY DEFINER).
//   - Migrations ([Statements.Migrate]) are checked by what they did to the catalog: anything about evrun's own schema takes them back.
//
// A check holds until another migration ran, on whichever daemon: the transaction of a statement holds a lock that migrations wait for. Who changes tables and
// functions by other means than evrun answers for what the statements then do.
//
// The server stops a statement that takes too long. Its result is bounded: see [store.MaxRows]. Statements are never serialized: they see what others have
// committed meanwhile (READ COMMITTED).
//
//	u, err := guard.New(ctx, c)
//	outcome, err := u.Effect(ctx, 50*time.Millisecond, settlement.Effect) // in a transaction on c
package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store"
	"evrun/store/postgres/conn"
)

// maxKept is how many statements a connection keeps prepared.
const maxKept = 512

// maxMessage bounds what is read of a result at once. Results of queries are much smaller: the server bounds them.
const maxMessage = 80 << 20

// Statements runs user statements on a connection, and keeps them prepared. Only the goroutine that uses the connection may call it.
type Statements struct {
	c       *pgx.Conn
	kept    map[*store.Statement]*statement
	clock   int64
	version string // how many migrations there were when the kept statements were checked
	usual   string // the session's time limits, as a statement that sets them
	reading bool   // the transaction can only read: nothing can be checked in it
}

// statement is a prepared and checked statement.
type statement struct {
	*parsed
	name    string
	types   []uint32 // of its parameters
	bounded bool     // the server bounds its result: two columns come before its own
	used    int64
}

// tooLarge are statements whose result was too large to be read, and cost their connection.
var tooLarge sync.Map // of *store.Statement

// New prepares a connection for user statements: it sets how their values are written, and where unqualified names are looked up. evrun's own statements
// must qualify theirs.
func New(ctx context.Context, c *pgx.Conn) (*Statements, error) {
	u := &Statements{c: c, kept: map[*store.Statement]*statement{}}
	c.PgConn().Frontend().SetMaxBodyLen(maxMessage)
	var statement, lock string
	err := c.QueryRow(ctx, `SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), set_config('DateStyle', 'ISO', false),
		set_config('TimeZone', 'UTC', false), set_config('IntervalStyle', 'postgres', false), set_config('bytea_output', 'hex', false),
		set_config('standard_conforming_strings', 'on', false), set_config('extra_float_digits', '1', false)`).Scan(&statement, &lock, nil, nil, nil, nil, nil, nil)
	if err == nil {
		_, err = c.PgConn().Exec(ctx, searchPath).ReadAll()
	}
	u.usual = limits(statement, lock)
	return u, err
}

// searchPath is where unqualified names are looked up: the users' own tables first. They are not in the schema with the name of the role where that is
// called evrun, as in all examples.
const searchPath = `SELECT set_config('search_path', CASE WHEN current_user = 'evrun' THEN 'public, evrun' ELSE '"$user", public, evrun' END, false); `

func limits(statement, lock string) string {
	return fmt.Sprintf(`SELECT set_config('statement_timeout', '%s', true), set_config('lock_timeout', '%s', true)`, statement, lock)
}

// begin does something first, and reads how many migrations there are, in the transaction of a user statement. Its lock on their table keeps out further ones
// until the transaction ends.
func (u *Statements) begin(ctx context.Context, first string) error {
	results, err := u.c.PgConn().Exec(ctx, first+`SELECT count(*) FROM evrun.user_migrations`).ReadAll()
	if err != nil {
		return err
	}
	version := string(results[len(results)-1].Rows[0][0])
	if version != u.version {
		u.version = version
		return u.forget(ctx)
	}
	return nil
}

func (u *Statements) forget(ctx context.Context) error {
	for s := range u.kept {
		if err := u.drop(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (u *Statements) drop(ctx context.Context, s *store.Statement) error {
	st := u.kept[s]
	delete(u.kept, s)
	return u.c.PgConn().Deallocate(ctx, st.name)
}

// statement finds s among the kept statements, or checks and prepares it. An error that belongs to the statement leaves the transaction as it was.
func (u *Statements) statement(ctx context.Context, s *store.Statement, wrap bool) (*statement, error) {
	u.clock++
	if st := u.kept[s]; st != nil {
		st.used = u.clock
		return st, nil
	}
	if _, is := tooLarge.Load(s); is {
		return nil, refused(fmt.Sprintf("it returned more than %d bytes in one row; select fewer columns", maxMessage))
	}
	p, err := parse(s.Text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrStatement, err)
	}
	if p.Defines {
		return nil, refused(p.Verb + " can't run for each event")
	}
	if err := u.makeRoom(ctx); err != nil {
		return nil, err
	}
	st := &statement{parsed: p, name: fmt.Sprintf("evrun_user_%d", u.clock), used: u.clock}
	if err := u.apart(ctx, func() error { return u.check(ctx, st) }); err != nil {
		return nil, err
	}
	if err := u.prepare(ctx, st, wrap && p.Reads); err != nil {
		return nil, err
	}
	u.kept[s] = st
	return st, nil
}

// makeRoom drops the statement that was not used for the longest time.
func (u *Statements) makeRoom(ctx context.Context) error {
	if len(u.kept) < maxKept {
		return nil
	}
	var oldest *store.Statement
	for s, st := range u.kept {
		if oldest == nil || st.used < u.kept[oldest].used {
			oldest = s
		}
	}
	return u.drop(ctx, oldest)
}

// apart does something and takes it back.
func (u *Statements) apart(ctx context.Context, do func() error) error {
	if _, err := u.c.PgConn().Exec(ctx, `SAVEPOINT evrun_user`).ReadAll(); err != nil {
		return err
	}
	err := do()
	_, undone := u.c.PgConn().Exec(ctx, `ROLLBACK TO evrun_user; RELEASE evrun_user`).ReadAll()
	if err != nil && undone == nil {
		return explain(err)
	}
	return errors.Join(err, undone)
}

// check asks the server what the statement is, and judges that. It finds the types of its parameters.
func (u *Statements) check(ctx context.Context, st *statement) error {
	described, err := u.c.PgConn().Prepare(ctx, "", st.sql, nil)
	if err != nil {
		return err
	}
	if n := len(described.ParamOIDs); n != len(st.Params) {
		return refused(fmt.Sprintf("the server finds %d parameters in it, evrun %d", n, len(st.Params)))
	}
	st.types = described.ParamOIDs
	return u.examine(ctx, st.sql, st.types)
}

// examine judges a statement by the server's tree of it.
func (u *Statements) examine(ctx context.Context, sql string, types []uint32) error {
	var names string
	err := u.c.QueryRow(ctx, `SELECT coalesce(string_agg(format_type(t, NULL), ', ' ORDER BY n), '') FROM unnest($1::oid[]) WITH ORDINALITY x (t, n)`, types).Scan(&names)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("check_%d", u.c.PgConn().PID())
	// In the extended protocol this is one statement, too, or an error. It ends with a line, so that a comment in the text does.
	create := fmt.Sprintf("CREATE FUNCTION evrun.%s(%s) RETURNS void LANGUAGE sql BEGIN ATOMIC %s\n; END", name, names, sql)
	if err := u.c.PgConn().ExecParams(ctx, create, nil, nil, nil, nil).Read().Err; err != nil {
		return err
	}
	var tree string
	err = u.c.QueryRow(ctx, `SELECT prosqlbody::text FROM pg_catalog.pg_proc WHERE proname = $1 AND pronamespace = 'evrun'::pg_catalog.regnamespace`, name).Scan(&tree)
	if err != nil {
		return err
	}
	j := newJudge(ctx, u.c)
	if err := j.tree(tree, false); err != nil {
		return err
	}
	return j.decide()
}

// bounded is a query around another one. Its rows begin with the number of rows, and with their size as texts; when there are too many, or none, there is one
// row without others.
const bounded = `WITH evrun_rows AS MATERIALIZED (SELECT * FROM (%s
) evrun_query LIMIT %d)
SELECT evrun_size.k, evrun_size.n, evrun_rows.* FROM (SELECT pg_catalog.count(*) AS k, pg_catalog.sum(pg_catalog.octet_length((evrun_rows.*)::pg_catalog.text)) AS n FROM evrun_rows) evrun_size
LEFT JOIN evrun_rows ON evrun_size.k <= %d AND evrun_size.n <= %d`

// prepare prepares a statement that was checked, with a bound around a query.
func (u *Statements) prepare(ctx context.Context, st *statement, wrap bool) error {
	if !wrap {
		_, err := u.c.PgConn().Prepare(ctx, st.name, st.sql, st.types)
		return err
	}
	if _, err := u.c.PgConn().Exec(ctx, `SAVEPOINT evrun_user`).ReadAll(); err != nil {
		return err
	}
	// The text of a row has quotes and commas, and bytes have two digits each.
	text := fmt.Sprintf(bounded, st.sql, store.MaxRows+1, store.MaxRows, 4*store.MaxResultBytes)
	if _, err := u.c.PgConn().Prepare(ctx, st.name, text, st.types); err == nil {
		st.bounded = true
		_, err := u.c.PgConn().Exec(ctx, `RELEASE evrun_user`).ReadAll()
		return err
	}
	if _, err := u.c.PgConn().Exec(ctx, `ROLLBACK TO evrun_user; RELEASE evrun_user`).ReadAll(); err != nil {
		return err
	}
	_, err := u.c.PgConn().Prepare(ctx, st.name, st.sql, st.types)
	return err
}

// stale reports whether a prepared statement must be prepared again: its table was changed, or the server has forgotten it.
func stale(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "26000" || e.Code == "0A000" && strings.Contains(e.Message, "cached plan"))
}

// patience is the factor by which a repeated statement may exceed its limit. Only statements wait meanwhile. One that waits for a lock for half of its time
// is not slow: others are in the way, and its transaction is to be repeated.
const patience = 2

// Exec runs a statement in the transaction of the connection; begin was called there. It may take so long; 0: as long as any statement. An error that is
// one of package store's leaves the transaction as it was before; after others it must be rolled back.
func (u *Statements) Exec(ctx context.Context, limit time.Duration, s *store.Statement, args []any) (store.Result, error) {
	return u.exec(ctx, limit, true, s, args)
}

func (u *Statements) exec(ctx context.Context, limit time.Duration, again bool, s *store.Statement, args []any) (store.Result, error) {
	allowed := limit
	for tries := 0; ; tries++ {
		st, err := u.statement(ctx, s, true)
		if err != nil {
			return store.Result{}, err
		}
		if len(args) != len(st.Params) {
			return store.Result{}, refused(fmt.Sprintf("it has %d parameters, not %d", len(st.Params), len(args)))
		}
		r, err := u.run(ctx, limit, st, args)
		switch code := conn.Code(err); {
		case err == nil:
			return r, nil
		case isTooLarge(err):
			tooLarge.Store(s, true)
			return r, err
		case stale(err) && tries == 0:
			if derr := u.drop(ctx, s); derr != nil || u.reading {
				return r, errors.Join(err, derr)
			}
			continue
		case code == conn.QueryCanceled:
			if again && tries < 2 && limit > 0 {
				limit, again = patience*limit, false
				continue
			}
			return r, fmt.Errorf("%w (more than %v)", store.ErrTimeout, allowed)
		}
		return r, explain(err)
	}
}
