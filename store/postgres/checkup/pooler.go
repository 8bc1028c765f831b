package checkup

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrPooled: a pooler gives each transaction another session of the server.
var ErrPooled = errors.New("a pooler in transaction mode stands between evrun and PostgreSQL, and LISTEN, prepared statements and evrun's leases need a session of their own; " +
	"name the server itself in the address, or set pool_mode = session for evrun's database")

// Pooled returns [ErrPooled] if there is such a pooler on the way to a server. c is a connection there, and config how another one is made. Without a pooler it
// costs one round trip.
func Pooled(ctx context.Context, c *pgx.Conn, config *pgx.ConnConfig) error {
	first, between, err := backend(ctx, c)
	if err != nil || !between {
		return err
	}
	// While others are in transactions, a pooler in transaction mode must take another session for this client, sooner or later, or let it wait.
	for range 3 {
		other, err := occupy(ctx, config)
		if other == nil || err != nil {
			return err
		}
		defer other.Close(context.WithoutCancel(ctx))
		short, cancel := context.WithTimeout(ctx, patience)
		now, _, err := backend(short, c)
		cancel()
		switch {
		case err == nil && now == first:
		case err == nil || short.Err() != nil && ctx.Err() == nil:
			return ErrPooled
		default:
			return err
		}
	}
	return nil
}

// patience is how long an answer may take that a pooler may hold back.
const patience = 2 * time.Second

// occupy begins a transaction on a connection of its own; nil: it has to wait for one, as with a pooler in session mode that has no session left.
func occupy(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := pgx.ConnectConfig(short, config)
	if err == nil {
		if _, err = c.Exec(short, "BEGIN", pgx.QueryExecModeSimpleProtocol); err == nil {
			return c, nil
		}
		err = errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	if short.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return nil, err
}

// backend returns the process of the session that answers, and whether it is another one than the connection began with. It prepares nothing.
func backend(ctx context.Context, c *pgx.Conn) (pid uint32, between bool, err error) {
	err = c.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid, pid != c.PgConn().PID(), err
}

func (x *examination) pooler() error {
	_, between, err := backend(x.ctx, x.c)
	if err != nil {
		return err
	}
	err = Pooled(x.ctx, x.c, x.c.Config())
	switch {
	case errors.Is(err, ErrPooled):
		x.add("pooler", Error, "", "%v", err)
	case err != nil:
		return err
	case between:
		x.add("pooler", OK, "", "a pooler in session mode stands between")
	}
	return nil
}
