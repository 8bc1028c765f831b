package nodes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/transfer"
)

// Application is the application_name of all connections on which a node writes.
func Application(node int64) string { return fmt.Sprintf("evrun/%d", node) }

// keep does what a node does but for the beats, until ctx ends.
func (m *Member) keep(ctx context.Context) {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		select {
		case <-m.wake:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		m.note(ctx, m.step(ctx))
	}
}

// note warns of an error, once while it stays the same.
func (m *Member) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		m.warned = ""
	case conn.Code(err) == conn.LockNotAvailable: // the next step will do it
	case ctx.Err() == nil && err.Error() != m.warned:
		m.warned = err.Error()
		m.opt.Warn("the slots of handlers can't be shared with other daemons now: " + m.warned)
	}
}

// stepWithin bounds a step, on connections to a server that may have gone without a word.
const stepWithin = 6 * time.Second

func (m *Member) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	id := m.ID()
	if id == 0 {
		if err := m.join(ctx); err != nil {
			return err
		}
		id = m.ID()
	}
	err := errors.Join(m.takeOver(ctx, id), m.share(ctx, id))
	if code := conn.Code(err); code == conn.ForeignKeyViolation || code == conn.DivisionByZero { // the node's row has gone
		m.lose(id, errTaken.Error())
		return nil
	}
	return err
}

// join makes this process a new node. What its last node left is taken over first.
func (m *Member) join(ctx context.Context) error {
	m.mu.Lock()
	last, wired := m.last, m.wired
	m.mu.Unlock()
	if last != 0 {
		if err := m.take(ctx, last, true); err != nil {
			return err
		}
	}
	var id int64
	began := time.Now()
	err := m.tx(ctx, func(tx pgx.Tx) error {
		if err := transfer.Refusal(ctx, tx); err != nil {
			return err
		}
		n := &m.opt.Node
		wiring := *m.wiring.Load()
		labels := n.Labels
		if labels == nil {
			labels = []string{}
		}
		if err := tx.QueryRow(ctx, `INSERT INTO evrun.nodes (name, version, labels, wiring, started_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			n.Name, n.Version, labels, wiring, n.Started.UnixMicro()).Scan(&id); err != nil {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO evrun.beats (node, expires_at) VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond')`, id, Lease.Milliseconds())
		b.Queue(`INSERT INTO evrun.wired (node, handler) SELECT $1, unnest($2::int[])`, id, wired)
		// What nobody else has wired may have left meanwhile, when another daemon registered its handlers.
		b.Queue(`UPDATE evrun.handlers SET active = true, left_at = NULL, left_head = 0 WHERE id = ANY($1) AND NOT active AND left_at > $2`,
			wired, began.Add(-store.ReturnWithin).UnixMicro())
		b.Queue(`INSERT INTO evrun.writers (node, connection, transaction) SELECT $1, number, 0 FROM generate_series(0, $2::int - 1) number`, id, m.opt.Writers)
		// Who asks what became of a commit does so at once.
		b.Queue(`DELETE FROM evrun.writers WHERE node BETWEEN $1 AND -1 AND since < now() - interval '1 day'`, -id)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id, m.beaten = id, began
	m.opt.Changed(id)
	m.stored = map[store.HandlerID]string{}
	m.expiry = time.AfterFunc(Within-time.Since(began), func() { m.expire(id) })
	close(m.joined)
	signal(m.beat)
	m.Wake()
	return nil
}

// takeOver takes over the nodes whose leases have ended.
func (m *Member) takeOver(ctx context.Context, me int64) error {
	rows, err := m.opt.Pool.Query(ctx, `SELECT node FROM evrun.beats WHERE expires_at < clock_timestamp() AND node <> $1`, me)
	if err != nil {
		return err
	}
	stale, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, node := range stale {
		if err := m.take(ctx, node, false); err != nil {
			return fmt.Errorf("take over the work of node %d: %w", node, err)
		}
	}
	return nil
}

// take takes over a node if its lease has ended; own: this process was that node. It does nothing if somebody else does it, or has done it.
func (m *Member) take(ctx context.Context, node int64, own bool) error {
	taken := false
	err := m.tx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT node FROM evrun.beats WHERE node = $1 AND (expires_at < clock_timestamp() OR $2) FOR UPDATE SKIP LOCKED`,
			node, own).Scan(&node)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		m.kill(ctx, node) // also before the lock: a session that is to end may hold it
		if _, err := tx.Exec(ctx, `SELECT FROM evrun.nodes WHERE id = $1 FOR UPDATE`, node); err != nil {
			return err
		}
		m.kill(ctx, node)
		taken = true
		return end(ctx, tx, node)
	})
	if err != nil || !taken {
		return err
	}
	m.opt.Notify()
	m.Wake()
	return nil
}

// kill ends all sessions of a node, and waits for each for a moment: a transaction that is being committed may need it. A role that may not do that
// can still take the node over, once its transactions have ended by themselves.
func (m *Member) kill(ctx context.Context, node int64) {
	_, err := m.opt.Pool.Exec(ctx, `SELECT pg_terminate_backend(pid, 500) FROM pg_stat_activity
		WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()`, Application(node))
	if err != nil && ctx.Err() == nil {
		m.opt.Warn(fmt.Sprintf("the sessions of a daemon that does not answer can't be ended (its role should be the same): %v", err))
	}
}

// end ends a node: it is fenced off, and its slots are free.
func end(ctx context.Context, tx pgx.Tx, node int64) error {
	b := &pgx.Batch{}
	b.Queue(`UPDATE evrun.writers SET node = -node, since = now() WHERE node = $1`, node)
	b.Queue(`UPDATE evrun.shares SET node = NULL WHERE node = $1`, node)
	b.Queue(`DELETE FROM evrun.nodes WHERE id = $1`, node)
	return tx.SendBatch(ctx, b).Close()
}
