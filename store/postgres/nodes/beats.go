package nodes

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errTaken is the end of a node: it has no row any more, or its lease has ended.
var errTaken = errors.New("another daemon has taken over its work")

// keepBeating renews the node's lease, on a connection of its own: no lock of the member's other transactions may delay it.
func (m *Member) keepBeating(ctx context.Context) {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	var c *pgxpool.Conn
	release := func() {
		if c != nil {
			c.Release()
			c = nil
		}
	}
	defer release()
	for {
		select {
		case <-ticker.C:
		case <-m.beat:
		case <-ctx.Done():
			return
		}
		m.mu.Lock()
		id, beaten := m.id, m.beaten
		m.mu.Unlock()
		if id == 0 {
			continue
		}
		// The monotonic clock stands still while a machine sleeps, and the expiry's timer with it.
		began := time.Now()
		if began.Round(0).Sub(beaten.Round(0)) > Within {
			m.expire(id)
			continue
		}
		if err := m.renew(ctx, &c, id); err != nil {
			if errors.Is(err, errTaken) {
				m.lose(id, err.Error())
			} else {
				release()
			}
			continue
		}
		m.mu.Lock()
		if m.id == id {
			m.beaten = began
			m.expiry.Reset(Within - time.Since(began))
		}
		m.mu.Unlock()
	}
}

func (m *Member) expire(id int64) { m.lose(id, "the database did not answer in time") }

// renew renews the lease by one statement, that waits for no disk: a beat that a crash of the server undoes only ends the lease earlier.
func (m *Member) renew(ctx context.Context, c **pgxpool.Conn, id int64) (err error) {
	ctx, cancel := context.WithTimeout(ctx, Every+Every/2)
	defer cancel()
	if *c == nil {
		if *c, err = m.opt.Pool.Acquire(ctx); err != nil {
			return err
		}
		if _, err = (*c).Exec(ctx, `SELECT set_config('synchronous_commit', 'off', false), set_config('lock_timeout', '700ms', false)`); err != nil {
			return err
		}
	}
	done, err := (*c).Exec(ctx, `UPDATE evrun.beats SET expires_at = clock_timestamp() + $2 * interval '1 millisecond'
		WHERE node = $1 AND expires_at > clock_timestamp()`, id, Lease.Milliseconds())
	if err == nil && done.RowsAffected() == 0 {
		return errTaken
	}
	return err
}
