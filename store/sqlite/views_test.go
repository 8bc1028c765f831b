package sqlite

import (
	"context"
	"strings"
	"testing"

	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/schema"
)

// A table, a view or an index of a user's that has a name of evrun's views stays as it is, and stays the user's. The other view is made.
func TestAnUpgradeLeavesWhatHasTheNameOfAView(t *testing.T) {
	for name, script := range map[string]string{
		"table": `CREATE TABLE Events_View (seq INTEGER); INSERT INTO Events_View VALUES (7)`,
		"view":  `CREATE VIEW events_view AS SELECT 7 AS seq`,
		"index": `CREATE TABLE notes (seq INTEGER); CREATE INDEX events_view ON notes (seq)`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(oldStore(t, 17, script), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			own, err := schema.Own(s.w.conn)
			if err != nil || own["events_view"] || !own["runs_view"] {
				t.Errorf("evrun's own: %v, %v", own, err)
			}
			list, err := s.w.conn.Pairs(`SELECT group_concat(type || ' ' || lower(name)), '' FROM (SELECT type, name FROM sqlite_schema WHERE name LIKE '%\_view' ESCAPE '\' ORDER BY name)`)
			if err != nil || len(list) != 1 || list[0][0] != name+" events_view,view runs_view" {
				t.Errorf("%v, %v", list, err)
			}
			if name == "table" { // its owner can still write it
				if _, err := s.w.user.Exec(context.Background(), guard.Limit{}, parse(t, `INSERT INTO events_view VALUES (8)`), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Nothing can be changed about evrun's views, and nothing else can take their names.
func TestTheViewsAreEvruns(t *testing.T) {
	s := openUser(t)
	for _, text := range []string{
		`DROP VIEW events_view`, `CREATE TABLE runs_view (x)`, `CREATE VIEW runs_view AS SELECT 1`,
		`CREATE TRIGGER t INSTEAD OF INSERT ON events_view BEGIN SELECT 1; END`, `INSERT INTO events_view (seq) VALUES (1)`, `DELETE FROM runs_view`,
	} {
		_, err := s.Exec(context.Background(), guard.Limit{}, parse(t, text), nil)
		if err == nil || !strings.Contains(err.Error(), "view") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
