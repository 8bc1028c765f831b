package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// committed finds out whether the connection's last transaction was committed, after its answer was lost. It returns an error if that can't be found out
// now, and errFenced if it can't be found out any more, because another process has taken the node over.
func (c *session) committed(ctx context.Context) (bool, error) {
	node, begun := c.node, c.begun
	c.close()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	check, err := c.s.connect(ctx, c.s.writerID())
	if err != nil {
		return false, err
	}
	defer func() { _ = check.Close(ctx) }()
	tx, err := check.Begin(ctx)
	if err != nil {
		return false, err
	}
	// The row's lock waits for the lost session, as long as it is still at it. If its message is yet to arrive, it finds the row counted on: beyond it,
	// so that who asks again, because the answer to this was lost as well, does not take this for the message. Who takes a node over makes its number negative.
	var last int64
	err = tx.QueryRow(ctx, `SELECT transaction FROM evrun.writers WHERE node IN ($1::bigint, -$1::bigint) AND connection = $2 FOR UPDATE`, node, c.number).Scan(&last)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, errFenced
	case err != nil:
		return false, err
	case node > 0 && c.lastAs == node && last < c.last:
		return false, c.s.lost(c.last - last)
	}
	// It is written also when the transaction was committed: a session that was ended while its commit waited for a standby leaves one that can be seen here,
	// but is lost when the standby takes over. This commit comes after it, and so waits for the standby too.
	committed, next := last == begun, begun
	if !committed {
		next = begun + 1
	}
	if _, err := tx.Exec(ctx, `UPDATE evrun.writers SET transaction = $3 WHERE node IN ($1::bigint, -$1::bigint) AND connection = $2`, node, c.number, next); err != nil {
		return false, err
	}
	if err := tx.Commit(ctx); err != nil {
		return false, err
	}
	c.begun, c.last, c.lastAs = next, next, node
	return committed, nil
}

// known ends the store if the database does not know of a transaction that was committed on this connection, as the same node, before it broke.
func (c *session) known(ctx context.Context, made *pgx.Conn) error {
	if c.lastAs != c.node {
		return nil
	}
	var last int64
	err := made.QueryRow(ctx, `SELECT transaction FROM evrun.writers WHERE node IN ($1::bigint, -$1::bigint) AND connection = $2`, c.node, c.number).Scan(&last)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // its first transaction will notice
		return nil
	case err == nil && last < c.last:
		err = c.s.lost(c.last - last)
	}
	return err
}

// lost ends the store, of whose transactions the database has lost some.
func (s *Store) lost(transactions int64) error {
	err := fmt.Errorf("%w: %d of its transactions are not there", store.ErrBroken, transactions)
	s.wentBack(err)
	return err
}

// askWithin is how long one such question waits, on a connection that may hang.
const askWithin = 15 * time.Second
