// Package reads answers the questions about a store in a PostgreSQL database: its journal, runs, handlers, users and schedules. Package postgres embeds
// its [Reader] in the store, beside the writer; a command that finds no daemon, but must not write, has a Reader alone.
//
// It writes nothing, has no goroutine, and waits for no lock of the writer's: what a method returns was committed when its query began, and may have
// changed since.
//
// The queries have a few connections of their own, and are ended by the server after 5 seconds. None is long: what is searched for is looked up in
// parts of the journal (scan.go), by the index that has it where there is one. Which index that is does not depend on the server's statistics of the
// tables, which may be old or missing.
package reads

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store/postgres/conn"
	"evrun/store/postgres/schema"
)

// Reader reads a store. Its methods are those of [store.Store] that write nothing; they are safe for concurrent use.
type Reader struct {
	// Self returns which node this process is; 0, or nil: it is not a daemon. It must not change any more when the reader is asked.
	Self func() int64

	id   string
	pool *pgxpool.Pool
}

// settings are those of each connection. A plan for any values may read the whole journal where one for the query's own values reads a page; what is
// read in the order of an index ends with the page, and what is sorted does not. To compile a query, or to start processes for it, costs more than it takes.
var settings = fmt.Sprintf(`SET statement_timeout = '%dms'; SET default_transaction_read_only = on; SET plan_cache_mode = force_custom_plan;
	SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off; SET max_parallel_workers_per_gather = 0`, readTimeout.Milliseconds())

// Open returns a reader of the store with this id. It connects when it is first asked; the config stays as it is. Its MaxConns is how many queries run at a
// time; others wait.
func Open(ctx context.Context, config *pgxpool.Config, id string) (*Reader, error) {
	config = config.Copy()
	config.MinConns, config.MinIdleConns, config.PingTimeout = 0, 0, pingTimeout
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	connected := config.AfterConnect
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if connected != nil {
			if err := connected(ctx, c); err != nil {
				return err
			}
		}
		_, err := c.Exec(ctx, settings)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Reader{id: id, pool: pool}, nil
}

// ID implements [store.Store].
func (r *Reader) ID() string { return r.id }

// Close waits for the running queries, and closes all connections.
func (r *Reader) Close() error {
	r.pool.Close()
	return nil
}

// each runs a query, and calls do for each row. A query that meets a connection which has broken while it was idle runs again, on another one.
func (r *Reader) each(ctx context.Context, do func(pgx.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer cancel()
	args = texts(args)
	for second := false; ; second = true {
		got, err := r.once(ctx, do, query, args)
		if err == nil || got || !conn.Lost(err) {
			return explain(ctx, err)
		}
		r.pool.Reset() // the other idle connections are no better
		if second || ctx.Err() != nil {
			return explain(ctx, err)
		}
	}
}

func (r *Reader) once(ctx context.Context, do func(pgx.Rows) error, query string, args []any) (got bool, err error) {
	rows, err := r.pool.Query(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		got = true
		if err := do(rows); err != nil {
			return true, err
		}
	}
	return got, rows.Err()
}

// texts replaces texts that PostgreSQL can't read, which people may look for: it finds nothing.
func texts(args []any) []any {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			args[i] = schema.Text(v)
		case []string:
			if slices.ContainsFunc(v, func(s string) bool { return !schema.IsText(s) }) {
				clean := make([]string, len(v))
				for j, s := range v {
					clean[j] = schema.Text(s)
				}
				args[i] = clean
			}
		}
	}
	return args
}

// row reads one row; the error may be [pgx.ErrNoRows].
func (r *Reader) row(ctx context.Context, to []any, query string, args ...any) error {
	found := false
	err := r.each(ctx, func(rows pgx.Rows) error {
		found = true
		return rows.Scan(to...)
	}, query, args...)
	if err == nil && !found {
		return pgx.ErrNoRows
	}
	return err
}

// list returns what a query finds.
func list[T any](ctx context.Context, r *Reader, scan func(pgx.Rows) (T, error), query string, args ...any) (found []T, err error) {
	err = r.each(ctx, func(rows pgx.Rows) error {
		one, err := scan(rows)
		found = append(found, one)
		return err
	}, query, args...)
	return found, err
}

// number scans rows with one number.
func number(rows pgx.Rows) (n int64, err error) { return n, rows.Scan(&n) }

func text(rows pgx.Rows) (s string, err error) { return s, rows.Scan(&s) }
