package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// oldStore makes a store with only the first migrations, as an older evrun left it, with the id aaaaaaaa and the additions of script.
func oldStore(t *testing.T, version int, script string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "evrun.db")
	c, err := conn.Open(conn.Writer(path, "FULL"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	files, err := fs.Glob(schema.Migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files[:version] {
		text, err := schema.Migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(string(text)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := c.Exec(fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d; INSERT INTO meta (key, value) VALUES ('id', 'aaaaaaaa');`,
		schema.ApplicationID, version) + script); err != nil {
		t.Fatal(err)
	}
	return path
}

// Events of an older evrun keep only the chains that its own runs made: a sender can write any correlation id.
func TestChainsOfAnOlderStore(t *testing.T) {
	path := oldStore(t, 4, `
		INSERT INTO events (sequence, id, source, type, time, accepted_at, correlationid, causationid, hops) VALUES
			(1, 'root',                        '/shop',         'a', 1, 1, NULL,   NULL,          0),
			(2, '1-one-aaaaaaaa.1',            '/handlers/one', 'b', 1, 1, 'root', 'root',        1),
			(3, 'stranger',                    '/shop',         'a', 1, 1, 'root', 'root',        1),
			(4, '2-two-aaaaaaaa.dead.3',       '/evrun',        'c', 1, 1, 'root', '1-one-aaaaaaaa.1', 2),
			(5, 'late',                        '/shop',         'a', 1, 1, 'x',    NULL,         30),
			(6, '5-one-aaaaaaaa.1',            '/handlers/one', 'b', 1, 1, 'x',    'late',       31),
			(7, '1-one-bbbbbbbb.1',            '/handlers/one', 'b', 1, 1, 'root', 'root',        1),
			(8, '1-one-aaaaaaaa.9',            '/handlers/one', 'b', 1, 1, 'root', 'another',     1),
			(9, '999-one-aaaaaaaa.1',          '/handlers/one', 'b', 1, 1, 'root', 'root',        1),
			(10, '4-three-aaaaaaaa.on_dead.1', '/handlers/three', 'd', 1, 1, 'root', '2-two-aaaaaaaa.dead.3', 3);
		INSERT INTO handlers (id, name, low_water, active) VALUES (1, 'one', 10, 1);
		INSERT INTO runs (sequence, handler, state, attempt, started_at) VALUES (2, 1, 3, 1, 1);`)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.Events(context.Background(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[int64]int64{1: 1, 2: 1, 3: 3, 4: 1, 5: 5, 6: 5, 7: 7, 8: 8, 9: 9, 10: 1}
	for _, e := range page {
		if e.Chain != want[e.Sequence] {
			t.Errorf("event #%d %s: chain %d, want %d", e.Sequence, e.ID, e.Chain, want[e.Sequence])
		}
	}
	if page, err = s.Events(context.Background(), store.EventQuery{Chain: 1}); err != nil || len(page) != 4 {
		t.Errorf("chain 1 has %d events, %v", len(page), err)
	}
	runs, err := s.Runs(context.Background(), store.RunQuery{})
	if err != nil || len(runs) != 1 || runs[0].Chain != 1 {
		t.Errorf("runs %+v, %v", runs, err)
	}
}

// After an upgrade the event of the last slot, which overlap searches, has the source that schedules have now.
func TestTheLastSlotsOfAnOlderStore(t *testing.T) {
	slots := []time.Time{time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC), time.Date(2026, 12, 24, 18, 0, 0, 100_000_000, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	var script strings.Builder
	for i, slot := range slots {
		fmt.Fprintf(&script, `INSERT INTO schedules (name, since, slot, fired) VALUES ('s%d', 1, %d, %d);`, i, slot.UnixMicro(), slot.UnixMicro())
		for j, source := range []string{"/schedules/s%d", "/shop/s%d"} {
			fmt.Fprintf(&script, `INSERT INTO events (sequence, id, source, type, time, accepted_at) VALUES (%d, '%s', '%s', 'a', 1, 1);`,
				2*i+j+1, slot.Format(time.RFC3339Nano), fmt.Sprintf(source, i))
		}
	}
	script.WriteString(`INSERT INTO schedules (name, since, slot) VALUES ('never', 1, 1);
		INSERT INTO events (sequence, id, source, type, time, accepted_at) VALUES (9, 'older', '/schedules/s0', 'a', 1, 1)`)
	s, err := Open(oldStore(t, 4, script.String()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, slot := range slots {
		page, err := s.Events(context.Background(), store.EventQuery{ID: slot.Format(time.RFC3339Nano), Source: fmt.Sprintf("/evrun/aaaaaaaa/schedules/s%d", i)})
		if err != nil || len(page) != 1 {
			t.Errorf("slot %v: %v, %v", slot, page, err)
		}
	}
	if page, err := s.Events(context.Background(), store.EventQuery{ID: "older", Source: "/schedules/s0"}); err != nil || len(page) != 1 {
		t.Errorf("another event: %v, %v", page, err)
	}
}

// Two migrations with one number would run in the order of their names, and only in new stores.
func TestMigrationsAreNumberedWithoutAGap(t *testing.T) {
	files, err := fs.Glob(schema.Migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range files {
		if !strings.HasPrefix(name, fmt.Sprintf("migrations/%03d_", i+1)) {
			t.Errorf("%s is number %d", name, i+1)
		}
	}
}

// A handler that an older evrun had removed keeps its mark and its runs. When it returns it is paused, because nobody knows how long it was absent.
// Wired handlers continue unchanged.
func TestHandlersOfAnOlderStore(t *testing.T) {
	s, err := Open(oldStore(t, 5, `
		INSERT INTO events (sequence, id, source, type, time, accepted_at) VALUES (1, '1', '/t', 'a', 1, 1), (2, '2', '/t', 'a', 1, 1), (3, '3', '/t', 'a', 1, 1);
		INSERT INTO handlers (id, name, low_water, active) VALUES (1, 'wired', 2, 1), (2, 'gone', 1, 0), (3, 'done', 3, 0);
		INSERT INTO runs (sequence, handler, state, attempt, started_at) VALUES (2, 2, 1, 5, 1);`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	}()
	runs, err := s.Runs(t.Context(), store.RunQuery{})
	if err != nil || len(runs) != 1 || runs[0].Reason != "waits for its handler, which is not in the wiring file" || runs[0].ID != "2-gone-aaaaaaaa" {
		t.Errorf("runs %+v, %v", runs, err)
	}
	got, err := s.Register(t.Context(), []store.Registration{{Name: "wired"}, {Name: "gone"}, {Name: "done"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []store.Consumer{
		{ID: 1, Name: "wired", LowWater: 2, State: store.Active},
		{ID: 2, Name: "gone", LowWater: 1, State: store.Active, Paused: true},
		{ID: 3, Name: "done", LowWater: 3, State: store.Active},
	} {
		if c := got[i]; c.ID != want.ID || c.Name != want.Name || c.LowWater != want.LowWater || c.State != want.State || c.Paused != want.Paused {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
}

func TestAnOldStoreIsReadOnceItIsUpToDate(t *testing.T) {
	path := oldStore(t, 10, ``)
	if _, err := OpenReader(path); !errors.Is(err, store.ErrOlder) {
		t.Errorf("before: %v", err)
	}
	w, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	s, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
