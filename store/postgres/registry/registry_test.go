package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/registry"
	"evrun/store/postgres/schema"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// cluster is a database that several daemons share.
type cluster struct {
	*testing.T
	pool *pgxpool.Pool
	now  time.Time
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	err = pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		return schema.Migrate(t.Context(), c.Conn(), func() string { return "aaaaaaaa" })
	})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{T: t, pool: pool, now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
}

func (c *cluster) exec(query string, args ...any) {
	c.Helper()
	if _, err := c.pool.Exec(context.Background(), query, args...); err != nil {
		c.Fatal(err)
	}
}

// value reads one value as text.
func (c *cluster) value(query string, args ...any) (text string) {
	c.Helper()
	var v any
	if err := c.pool.QueryRow(context.Background(), query, args...).Scan(&v); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		c.Fatal(err)
	}
	return fmt.Sprint(v)
}

// start adds a daemon, whose leases hold for so long.
func (c *cluster) start(hold string) (node int64) {
	c.Helper()
	err := c.pool.QueryRow(context.Background(), `WITH n AS (INSERT INTO evrun.nodes (name, version, labels, wiring, started_at) VALUES ('', '', '{}', '', 0) RETURNING id)
		INSERT INTO evrun.beats SELECT id, clock_timestamp() + $1::interval FROM n RETURNING node`, hold).Scan(&node)
	if err != nil {
		c.Fatal(err)
	}
	return node
}

// expire lets the leases of a daemon end.
func (c *cluster) expire(node int64) {
	c.Helper()
	c.exec(`UPDATE evrun.beats SET expires_at = clock_timestamp() - interval '1 s' WHERE node = $1`, node)
}

// events accepts so many.
func (c *cluster) events(n int) {
	c.Helper()
	c.exec(`UPDATE evrun.journal SET head = head + $1`, n)
}

// tx is a transaction, as registry wants it.
type tx struct{ pgx.Tx }

func (x tx) Exec(query string, args ...any) (int64, error) {
	tag, err := x.Tx.Exec(context.Background(), query, args...)
	return tag.RowsAffected(), err
}

func (x tx) Query(query string, args ...any) (pgx.Rows, error) {
	return x.Tx.Query(context.Background(), query, args...)
}

func (x tx) Row(query string, args ...any) pgx.Row {
	return x.QueryRow(context.Background(), query, args...)
}

// change makes a change in the name of a daemon.
func (c *cluster) change(node int64, do func(*registry.Change) error) error {
	return pgx.BeginFunc(context.Background(), c.pool, func(t pgx.Tx) error {
		change, err := registry.Begin(tx{t}, c.now.UnixMicro(), node)
		if err != nil {
			return err
		}
		return do(change)
	})
}

// register registers handlers in the name of a daemon: "new" or "new was old", and with "later" before it, Later.
func (c *cluster) register(node int64, texts ...string) map[string]store.Consumer {
	c.Helper()
	got := map[string]store.Consumer{}
	err := c.change(node, func(change *registry.Change) error {
		var regs []store.Registration
		for _, text := range texts {
			r := store.Registration{On: []events.Pattern{events.MustPattern("a.b")}}
			if n, _ := fmt.Sscanf(text, "later %s was %s", &r.Name, &r.Was); n > 0 {
				r.Later = true
			} else if _, err := fmt.Sscanf(text, "%s was %s", &r.Name, &r.Was); err != nil {
				r.Name = text
			}
			regs = append(regs, r)
		}
		list, err := change.Register(regs, nil)
		for _, one := range list {
			got[one.Name] = one
		}
		return err
	})
	if err != nil {
		c.Error(err)
	}
	return got
}

// end removes a daemon.
func (c *cluster) end(node int64) {
	c.Helper()
	c.exec(`UPDATE evrun.shares SET node = NULL WHERE node = $1`, node)
	c.exec(`DELETE FROM evrun.nodes WHERE id = $1`, node)
	err := c.change(0, func(change *registry.Change) error {
		_, err := change.Leave()
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
}

// state is "active", "left" or "forgotten".
func (c *cluster) state(name string) string {
	c.Helper()
	return c.value(`SELECT CASE WHEN active THEN 'active' WHEN left_at IS NOT NULL THEN 'left' ELSE 'forgotten' END FROM evrun.handlers WHERE name = $1`, name)
}

// hold gives a daemon slots of a handler.
func (c *cluster) hold(node int64, name string) {
	c.Helper()
	c.exec(`UPDATE evrun.shares SET node = $1 WHERE handler = (SELECT id FROM evrun.handlers WHERE name = $2)`, node, name)
}

func (c *cluster) give(name string) {
	c.Helper()
	c.exec(`UPDATE evrun.shares SET node = NULL WHERE handler = (SELECT id FROM evrun.handlers WHERE name = $1)`, name)
}

func (c *cluster) mark(name string) string {
	c.Helper()
	return c.value(`SELECT min(low_water) FROM evrun.shares WHERE handler = (SELECT id FROM evrun.handlers WHERE name = $1)`, name)
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestAHandlerLeavesWithTheLastDaemonThatHasIt(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("1 min"), c.start("1 min")
	c.register(a, "one", "two")
	got := c.register(b, "two", "three")
	equal(t, "two is elsewhere, too", got["two"].Elsewhere, true)
	equal(t, "three is not", got["three"].Elsewhere, false)
	c.register(b, "two")
	equal(t, "while another daemon has it", c.state("one"), "active")
	c.register(a, "two")
	equal(t, "after the last one", c.state("one"), "left")
	c.register(a, "one", "two")
	equal(t, "it is back", c.state("one"), "active")
	c.expire(a)
	c.register(b, "two")
	equal(t, "the daemon that has it is dead", c.state("one"), "left")
	c.register(0, "other")
	equal(t, "a process that is not a daemon takes nothing away", c.state("two"), "active")
	equal(t, "what is wired", c.value(`SELECT string_agg(node || ':' || handler, ' ' ORDER BY node, handler) FROM evrun.wired`), fmt.Sprintf("%d:1 %d:2 %d:2", a, a, b))
}

func TestADaemonThatEndsTakesAlongWhatOnlyItHad(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("1 min"), c.start("1 min")
	c.register(a, "one", "two")
	c.register(b, "two")
	c.end(a)
	equal(t, "one", c.state("one"), "left")
	equal(t, "two", c.state("two"), "active")
	c.end(b)
	equal(t, "two, after the last daemon", c.state("two"), "active")
}

func TestATakeoverWaitsForOtherDaemons(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("1 min"), c.start("1 min")
	c.register(a, "tell")
	c.register(b, "tell")
	c.hold(a, "tell")
	c.events(9)
	got := c.register(b, "announce was tell")["announce"]
	equal(t, "wired elsewhere: took", got.Took, false)
	equal(t, "wired elsewhere: inherits", got.Inherits, true)
	equal(t, "wired elsewhere", c.state("tell"), "active")
	equal(t, "the heir's own mark", c.mark("announce"), "9")
	got = c.register(a, "later announce was tell")["announce"]
	equal(t, "left: inherits", got.Inherits, true)
	equal(t, "left", c.state("tell"), "left")
	c.exec(`UPDATE evrun.shares SET low_water = 4 WHERE handler = 1`)
	equal(t, "slots are held: took", c.register(b, "announce was tell")["announce"].Took, false)
	c.give("tell")
	c.hold(a, "announce")
	equal(t, "slots of the heir are held: took", c.register(b, "announce was tell")["announce"].Took, false)
	c.give("announce")
	c.exec(`INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at) SELECT i, 1, i, 1, 0 FROM generate_series(1, 7) i`)
	got = c.register(b, "announce was tell")["announce"]
	equal(t, "free: took", got.Took, true)
	equal(t, "free: inherits", got.Inherits, false)
	equal(t, "its mark", got.LowWater, 4)
	equal(t, "its stored mark", c.mark("announce"), "4")
	equal(t, "a later handler begins", c.mark("tell"), "9")
	equal(t, "tell", c.state("tell"), "forgotten")
	equal(t, "runs", c.value(`SELECT string_agg(sequence || coalesce('<' || began_as, ''), ' ' ORDER BY sequence) FROM evrun.runs WHERE handler = 2`), "1<1 2<1 5<1 6<1 7<1")
	got = c.register(a, "announce was tell")["announce"]
	equal(t, "the other daemon: took", got.Took, false)
	equal(t, "the other daemon: inherits", got.Inherits, false)
}

// A daemon that is stopped holds its slots until another one has ended its sessions: it might still commit.
func TestATakeoverWaitsForASlotThatADeadDaemonHolds(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("1 min"), c.start("1 min")
	c.register(a, "tell")
	c.hold(a, "tell")
	c.expire(a)
	got := c.register(b, "announce was tell")["announce"]
	equal(t, "took", got.Took, false)
	equal(t, "inherits", got.Inherits, true)
	c.end(a)
	equal(t, "took once it is fenced off", c.register(b, "announce was tell")["announce"].Took, true)
}

func TestADaemonWithTheOldNameKeepsItWhileItRuns(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("1 min"), c.start("1 min")
	c.register(a, "tell")
	c.register(b, "announce was tell")
	c.register(a, "tell") // reloaded: it still has the old file
	equal(t, "tell", c.state("tell"), "active")
	c.end(b) // rolled back
	equal(t, "the heir", c.state("announce"), "left")
	c.register(a, "tell", "announce")
	c.register(a, "announce")
	equal(t, "nobody takes over what nobody asks for any more", c.state("tell"), "left")
}

// Daemons whose handlers wait for others register again when they are told of a change.
func TestARegistrationThatChangesNothingSaysSo(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("1 min"), c.start("1 min")
	changed := func(node int64, text string) (is bool) {
		t.Helper()
		err := c.change(node, func(change *registry.Change) error {
			r := store.Registration{}
			_, _ = fmt.Sscanf(text, "%s was %s", &r.Name, &r.Was)
			_, err := change.Register([]store.Registration{r}, nil)
			is = change.Changed()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	equal(t, "the first", changed(a, "tell"), true)
	equal(t, "the heir", changed(b, "announce was tell"), true)
	equal(t, "the heir again", changed(b, "announce was tell"), false)
	equal(t, "the first again", changed(a, "tell"), false)
	equal(t, "the heir once more", changed(b, "announce was tell"), false)
	c.end(a)
	equal(t, "the heir, when it can take over", changed(b, "announce was tell"), true)
}

func TestDaemonsThatBeginAtTheSameTimeMakeEachHandlerOnce(t *testing.T) {
	c := newCluster(t)
	done := make(chan map[string]store.Consumer)
	for range 8 {
		node := c.start("1 min")
		go func() { done <- c.register(node, "one", "two", "three was one") }()
	}
	ids := map[store.HandlerID]bool{}
	for range 8 {
		for _, h := range <-done {
			ids[h.ID] = true
		}
	}
	equal(t, "handlers", len(ids), 3)
	equal(t, "shares", c.value(`SELECT count(*) FROM evrun.shares WHERE handler > 0`), "3")
}

// An event for one handler alone is accepted only while the handler is active: a registration waits for events that are being accepted, and its head is
// behind them.
func TestATakeoverIsBehindTheEventsThatWereAcceptedForTheOldName(t *testing.T) {
	c := newCluster(t)
	c.register(0, "tell")
	accepting, err := c.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var one int
	if err := accepting.QueryRow(t.Context(), `SELECT 1 FROM evrun.handlers WHERE name = 'tell' AND active FOR SHARE`).Scan(&one); err != nil {
		t.Fatal(err)
	}
	took := make(chan store.Consumer)
	go func() { took <- c.register(0, "announce was tell")["announce"] }()
	for c.value(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == "0" {
		time.Sleep(time.Millisecond)
	}
	if _, err := accepting.Exec(t.Context(), `UPDATE evrun.journal SET head = head + 1`); err != nil {
		t.Fatal(err)
	}
	if err := accepting.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	heir := <-took
	equal(t, "it has the event", heir.Takes(&events.Event{Target: "tell", Sequence: 1}), true)
	equal(t, "not a later one", heir.Takes(&events.Event{Target: "tell", Sequence: 2}), false)
}

func TestAResumptionMovesOnEachSlot(t *testing.T) {
	c := newCluster(t)
	c.register(0, "one")
	c.events(9)
	c.exec(`UPDATE evrun.shares SET slots = 7, low_water = 2 WHERE handler = 1`)
	c.exec(`INSERT INTO evrun.shares (handler, slots, low_water) VALUES (1, ~7::bigint, 8)`)
	err := c.change(0, func(change *registry.Change) error {
		if changed, err := change.Pause("one", "ada", "lunch"); err != nil || !changed {
			return fmt.Errorf("paused %v, %w", changed, err)
		}
		_, err := change.Resume("one", 5)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "marks", c.value(`SELECT string_agg(low_water::text, ' ' ORDER BY low_water) FROM evrun.shares WHERE handler = 1`), "5 8")
}
