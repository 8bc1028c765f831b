package nodes_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/nodes"
)

// A node whose lease another daemon ends: as if it had been stopped for long.
func TestANodeThatWasTakenOverIsFencedOffAndComesBackAsAnother(t *testing.T) {
	g := newGroup(t, 1)
	a, b := g.join("a"), g.join("b")
	wa, wb := g.hold(a, 1, store.Division{}), g.hold(b, 1, store.Division{})
	eventually(t, 2*time.Second, "two have a half each", func() bool {
		n, all := lens(wa, wb)
		return all == store.AllSlots && n[0] == 32
	})
	was := a.ID()
	a.Wired([]store.HandlerID{1})

	// A writer of a, which stops in a transaction.
	config := g.pool.Config().ConnConfig.Copy()
	config.RuntimeParams["application_name"] = nodes.Application(was)
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE evrun.writers SET transaction = 1 WHERE node = $1 AND connection = 1`, was); err != nil {
		t.Fatal(err)
	}
	g.exec(`UPDATE evrun.beats SET expires_at = clock_timestamp() - interval '1 second' WHERE node = $1`, was)
	eventually(t, 3*time.Second, "it is another node", func() bool { return a.ID() != was && a.ID() != 0 })
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("the transaction of a node that was taken over was committed")
	}
	eventually(t, 2*time.Second, "it has lost what it had", func() bool {
		wa.mu.Lock()
		defer wa.mu.Unlock()
		return wa.lost.Len() == 32
	})
	eventually(t, 3*time.Second, "two have a half each again", func() bool {
		n, all := lens(wa, wb)
		return all == store.AllSlots && n[0] == 32
	})
	var writers, wired int
	if err := g.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM evrun.writers WHERE node = -$1::bigint), (SELECT count(*) FROM evrun.wired WHERE node = $2)`, was, a.ID()).
		Scan(&writers, &wired); err != nil || writers != 2 || wired != 1 {
		t.Errorf("%d writers are remembered, and %d handlers wired, %v: want 2 and 1", writers, wired, err)
	}

	// Meanwhile another daemon may let its handlers leave.
	was = a.ID()
	g.exec(`UPDATE evrun.handlers SET active = false, left_at = $1`, time.Now().UnixMicro())
	g.exec(`UPDATE evrun.beats SET expires_at = clock_timestamp() - interval '1 second' WHERE node = $1`, was)
	eventually(t, 3*time.Second, "it is another node again", func() bool { return a.ID() != was && a.ID() != 0 })
	eventually(t, 3*time.Second, "its handler is back", func() bool {
		n, all := lens(wa, wb)
		return all == store.AllSlots && n[0] == 32
	})
}
