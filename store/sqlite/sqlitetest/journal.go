package sqlitetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// JournalBegin is when the first event of a large journal was accepted; each next one was 20 ms later.
var JournalBegin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// LargeJournal makes a store at path with n events and their runs, in SQL: a journal of 5 million takes a minute. It returns how long the migration of
// the table blocks took, as a store of an older evrun with this journal would take.
//
// Every second event is a user.registered, every fourth an order.placed, few are a rare.thing, and the rest order.paid. The handlers: save-user has a
// run on each user.registered (every hundredth skipped), announce a dead one on each order.placed among the first tenth, rare one on each rare.thing,
// never none. data.plan is gold in every 5,000th event, data.total counts up to 976.
func LargeJournal(t testing.TB, path string, n int) time.Duration {
	t.Helper()
	c, err := conn.Open(conn.Writer(path, "OFF"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := schema.Migrate(c); err != nil {
		t.Fatal(err)
	}
	begin := JournalBegin.UnixMicro()
	for _, script := range []string{
		`PRAGMA cache_size = -200000`,
		`INSERT INTO handlers (id, name, low_water, active, patterns) VALUES (1, 'save-user', 0, 1, '["user.registered"]'),
			(2, 'announce', 0, 1, '["order.placed"]'), (3, 'rare', 0, 1, '["rare.thing"]'), (4, 'never', 0, 1, '["never.sent"]')`,
		`UPDATE handlers SET low_water = ` + fmt.Sprint(n),
		fmt.Sprintf(`INSERT INTO events (sequence, id, source, type, time, accepted_at, data)
			WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			SELECT i, printf('019b7a00-0000-7000-8000-%%012x', i), '/shop/web',
				CASE WHEN i %% 2 = 0 THEN 'user.registered' WHEN i %% 1000003 = 7 THEN 'rare.thing' WHEN i %% 4 = 1 THEN 'order.placed' ELSE 'order.paid' END,
				%d + i * 20000, %[2]d + i * 20000,
				printf('{"name":"Visitor %%d","email":"visitor-%%d@example.com","plan":"%%s","total":%%d,"city":"%%s"}', i, i,
					CASE WHEN i %% 5000 = 0 THEN 'gold' ELSE 'free' END, i %% 977, CASE WHEN i %% 3 = 0 THEN 'Paris' ELSE 'Lyon' END) FROM c`, n, begin),
		`INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at)
			SELECT sequence, 1, CASE WHEN sequence % 100 = 0 THEN 4 ELSE 3 END, 1, accepted_at, accepted_at + 3000 FROM events WHERE type = 'user.registered'`,
		`INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at)
			SELECT sequence, 3, 3, 1, accepted_at, accepted_at + 3000 FROM events WHERE type = 'rare.thing'`,
		fmt.Sprintf(`INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at, error)
			SELECT sequence, 2, 5, 1, accepted_at, accepted_at + 3000, 'connection refused' FROM events WHERE type = 'order.placed' AND sequence <= %d`, n/10),
	} {
		if err := c.Exec(script); err != nil {
			t.Fatal(err)
		}
	}
	migration, err := schema.Migrations.ReadFile("migrations/016_blocks.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, fill, _ := strings.Cut(string(migration), "\n\n")
	fill, _, ok := strings.Cut(fill, "\n\n--")
	if !ok || !strings.HasPrefix(fill, "WITH") {
		t.Fatalf("the migration has no such part: %s", migration)
	}
	began := time.Now()
	if err := c.Exec(fill); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
