package sqlite

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"evrun/store"
)

// oldStore makes a store as an evrun with so many migrations left it, with the id aaaaaaaa and what script adds.
func oldStore(t *testing.T, version int, script string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "evrun.db")
	c, err := openConn(dsn(path, false, "FULL"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files[:version] {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.exec(string(text)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := c.exec(fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d; INSERT INTO meta (key, value) VALUES ('id', 'aaaaaaaa');`,
		applicationID, version) + script); err != nil {
		t.Fatal(err)
	}
	return path
}

// Events of an older evrun keep the chains that its own runs made, and no others: a correlation id is whatever its sender wrote.
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
	s, err := Open(path, store.Options{})
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
