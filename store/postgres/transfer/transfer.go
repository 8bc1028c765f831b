// Package transfer reads a store from a PostgreSQL database, and fills one, for package transfer above.
//
// A source refuses while a daemon is alive, and locks the tables against writes, in a transaction that sees one moment, until it is closed. Its marks are
// written on a second connection.
//
// No goroutines but that of the driver while rows are copied.
package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store"
	"evrun/store/postgres/checkup"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/schema"
	"evrun/store/transfer"
)

// Store is a source or a target in a database.
type Store struct {
	c     *pgx.Conn // that reads, and fills
	marks *pgx.Conn // of a source
	id    string
	empty bool              // a target that does not exist yet
	names map[string]string // of the user's own tables, as statements name them
}

var (
	_ transfer.Source = (*Store)(nil)
	_ transfer.Target = (*Store)(nil)
)

// connect makes a connection whose statements may take their time.
func connect(ctx context.Context, address string) (*pgx.Conn, error) {
	config, err := conn.Parse(address)
	if err != nil {
		return nil, err
	}
	if config.ValidateConnect == nil { // of several hosts, the one that can be written
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	config.RuntimeParams["application_name"] = "evrun migrate"
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(conn.Fit(c), checkup.Pooled(ctx, c, config)); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	_, err = c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; SET statement_timeout = 0; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = 0; SET enable_sort = off; SET jit = off;
		SELECT set_config('search_path', coalesce((SELECT string_agg(quote_ident(s), ', ') FROM unnest(current_schemas(false)) s WHERE s <> 'evrun'), 'public'), false)`)
	if err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return c, nil
}

// OpenSource opens the store that a database has, and brings its tables up to date. The error is [store.ErrNotFound] if there is none, [store.ErrLocked] if it
// is in use.
func OpenSource(ctx context.Context, address string) (_ *Store, err error) {
	s := &Store{names: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.marks, err = connect(ctx, address); err != nil {
		return nil, err
	}
	if _, err := schema.Look(ctx, s.marks); err != nil && !errors.Is(err, store.ErrOlder) {
		return nil, err
	}
	if err := schema.Migrate(ctx, s.marks, never); err != nil {
		return nil, err
	}
	if err := s.marks.QueryRow(ctx, `SELECT value FROM evrun.meta WHERE key = 'id'`).Scan(&s.id); err != nil {
		return nil, err
	}
	var alive int
	if err := s.marks.QueryRow(ctx, `SELECT count(*) FROM evrun.beats WHERE expires_at > now()`).Scan(&alive); err != nil {
		return nil, err
	}
	if alive > 0 {
		return nil, fmt.Errorf("%w: stop all daemons first, %d use it", store.ErrLocked, alive)
	}
	if s.c, err = connect(ctx, address); err != nil {
		return nil, err
	}
	if _, err := s.c.Exec(ctx, `BEGIN ISOLATION LEVEL REPEATABLE READ`); err != nil {
		return nil, err
	}
	_, err = s.c.Exec(ctx, `LOCK TABLE evrun.events, evrun.handlers, evrun.shares, evrun.runs, evrun.conditions, evrun.attempts, evrun.run_outputs, evrun.users,
		evrun.schedules, evrun.batches, evrun.tokens, evrun.pruning, evrun.pruning_lost, evrun.pruned_keys IN SHARE MODE`)
	if conn.Code(err) == conn.LockNotAvailable {
		err = fmt.Errorf("%w: somebody writes to it", store.ErrLocked)
	}
	return s, err
}

// never makes no id: the store has one.
func never() string { return "" }

// OpenTarget opens a database that has no store yet, or in which a transfer was interrupted.
func OpenTarget(ctx context.Context, address string) (_ *Store, err error) {
	s := &Store{names: map[string]string{}}
	if s.c, err = connect(ctx, address); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	var exists, alone bool
	if err := s.c.QueryRow(ctx, `SELECT to_regclass('evrun.meta') IS NOT NULL, pg_try_advisory_lock(1702261365, 9)`).Scan(&exists, &alone); err != nil {
		return nil, err
	}
	if !alone {
		return nil, fmt.Errorf("%w: another evrun migrate fills it", store.ErrLocked)
	}
	s.empty = !exists
	return s, nil
}

// Close implements [transfer.Reader].
func (s *Store) Close() (err error) {
	for _, c := range []*pgx.Conn{s.c, s.marks} {
		if c != nil {
			err = errors.Join(err, c.Close(context.Background()))
		}
	}
	return err
}

// ID implements [transfer.Source].
func (s *Store) ID() string { return s.id }

// Head implements [transfer.Reader].
func (s *Store) Head(ctx context.Context) (head int64, err error) {
	err = s.c.QueryRow(ctx, `SELECT head FROM evrun.journal`).Scan(&head)
	return head, err
}

// Marked implements [transfer.Source].
func (s *Store) Marked(ctx context.Context) (d transfer.Departure, err error) {
	text := ""
	err = s.marks.QueryRow(ctx, `SELECT value FROM evrun.meta WHERE key = $1`, transfer.DepartureKey).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, nil
	} else if err != nil {
		return d, err
	}
	return d, d.Decode(text)
}

const setMeta = `INSERT INTO evrun.meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`

// Mark implements [transfer.Source]. A daemon that was thought dead, and comes back, is fenced off, can't come back as a new node, and has no event accepted.
func (s *Store) Mark(ctx context.Context, d transfer.Departure) error {
	return pgx.BeginFunc(ctx, s.marks, func(tx pgx.Tx) error {
		statements := []string{`ALTER TABLE evrun.journal DROP CONSTRAINT IF EXISTS moved`}
		switch d {
		case transfer.Departure{}:
			if _, err := tx.Exec(ctx, `DELETE FROM evrun.meta WHERE key = $1`, transfer.DepartureKey); err != nil {
				return err
			}
		default:
			text, err := d.Encode()
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, setMeta, transfer.DepartureKey, text); err != nil || d.Done { // the rest was done when it began
				return err
			}
			var head int64
			if err := tx.QueryRow(ctx, `SELECT head FROM evrun.journal`).Scan(&head); err != nil {
				return err
			}
			statements = append(statements, fmt.Sprintf(`ALTER TABLE evrun.journal ADD CONSTRAINT moved CHECK (head = %d)`, head), `DELETE FROM evrun.writers`)
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// Refusal is why the store that a database has can't be opened for writing; nil: it can.
func Refusal(ctx context.Context, c interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}) error {
	var departure, arrival string
	err := c.QueryRow(ctx, `SELECT coalesce((SELECT value FROM evrun.meta WHERE key = $1), ''), coalesce((SELECT value FROM evrun.meta WHERE key = $2), '')`,
		transfer.DepartureKey, transfer.ArrivalKey).Scan(&departure, &arrival)
	if err != nil {
		return err
	}
	return transfer.Refusal(departure, arrival)
}

// blank is a query for 1 if a store has nothing yet: a move that was killed while it made the tables leaves such a store.
const blank = `SELECT CASE WHEN EXISTS (SELECT 1 FROM evrun.events) OR EXISTS (SELECT 1 FROM evrun.handlers) OR EXISTS (SELECT 1 FROM evrun.users)
	OR EXISTS (SELECT 1 FROM evrun.schedules) OR EXISTS (SELECT 1 FROM evrun.pruned_keys) THEN 0 ELSE 1 END`

// Arrival implements [transfer.Target].
func (s *Store) Arrival(ctx context.Context) (*transfer.Arrival, error) {
	if s.empty {
		return nil, nil
	}
	text := ""
	err := s.c.QueryRow(ctx, `SELECT value FROM evrun.meta WHERE key = $1`, transfer.ArrivalKey).Scan(&text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		var nothing int64
		if err = s.c.QueryRow(ctx, blank).Scan(&nothing); err == nil && nothing == 0 {
			err = fmt.Errorf("the database: %w: it has a store already", transfer.ErrNotEmpty)
		}
		return nil, err
	case err != nil:
		return nil, err
	}
	a := &transfer.Arrival{}
	return a, a.Decode(text)
}

// Arrived implements [transfer.Target].
func (s *Store) Arrived(ctx context.Context) (token string, err error) {
	if s.empty {
		return "", nil
	}
	err = s.c.QueryRow(ctx, `SELECT coalesce((SELECT value FROM evrun.meta WHERE key = $1), '')`, transfer.ArrivedKey).Scan(&token)
	return token, err
}

// Begin implements [transfer.Target].
func (s *Store) Begin(ctx context.Context, a *transfer.Arrival) error {
	if err := schema.Migrate(ctx, s.c, func() string { return a.From }); err != nil {
		return err
	}
	s.empty = false
	return s.arrive(ctx, s.c, a)
}

// Finish implements [transfer.Target].
func (s *Store) Finish(ctx context.Context, a *transfer.Arrival, head int64) error {
	err := pgx.BeginFunc(ctx, s.c, func(tx pgx.Tx) error {
		for _, x := range []struct {
			query string
			args  []any
		}{
			{`UPDATE evrun.journal SET head = $1`, []any{head}},
			{setMeta, []any{"id", a.From}},
			{setMeta, []any{transfer.ArrivedKey, a.Token}},
			{`DELETE FROM evrun.meta WHERE key = $1`, []any{transfer.ArrivalKey}},
			{`SELECT setval(pg_get_serial_sequence('evrun.handlers', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM evrun.handlers), false)`, nil},
			{`SELECT setval(pg_get_serial_sequence('evrun.conditions', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM evrun.conditions), false)`, nil},
			{`SELECT setval(pg_get_serial_sequence('evrun.users', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM evrun.users), false)`, nil},
		} {
			if _, err := tx.Exec(ctx, x.query, x.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.c.Exec(ctx, `ANALYZE evrun.events, evrun.runs, evrun.attempts, evrun.run_outputs, evrun.users, evrun.pruned_keys`)
	return err
}
