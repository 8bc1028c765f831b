package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/sqlitetest"
)

// twin is one of two stores that get the same writes: the one takes those of a round into one transaction, and in groups of rows, the other one by one
// and row by row. Nobody may be able to tell them apart.
type twin struct {
	timed
	path    string
	outside *sql.DB // as another program's
	log     []string
}

var twinTime = time.Date(2026, 3, 29, 1, 2, 3, 456789000, time.UTC)

func newTwin(t *testing.T, unattended bool) *twin {
	d := &twin{timed: timed{t: t}, path: filepath.Join(t.TempDir(), "evrun.db")}
	s, err := Open(d.path, Options{Synchronous: "normal", Options: store.Options{
		Unattended: unattended,
		Now:        func() time.Time { return twinTime },
		WantRuns:   func() bool { return true },
		OnCommit: func(c store.Commit) {
			for _, e := range c.Events {
				d.log = append(d.log, fmt.Sprintf("event %d %s %s chain %d", e.Sequence, e.Source, e.ID, e.Chain))
			}
			for _, r := range c.Runs {
				d.log = append(d.log, fmt.Sprintf("run %+v", r))
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.Store = s
	if d.outside, err = sql.Open("sqlite", conn.Writer(d.path, "NORMAL")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		d.outside.Close()
		d.Close()
		sqlitetest.CheckBlocks(t, d.path)
	})
	return d
}

// singly has the store write row by row.
func (d *twin) singly() {
	d.w.mu.Lock()
	for _, g := range []*groups{&d.w.eventRows.groups, &d.w.runRows.groups, &d.w.userRows.groups, &d.w.claimRows} {
		g.singly = 1 << 40
	}
	d.w.mu.Unlock()
}

// dump is the content of the tables, without the ids of users: their order is the same.
func (d *twin) dump() (lines []string) {
	d.t.Helper()
	for _, q := range []string{
		`SELECT 'event', * FROM events ORDER BY sequence`, `SELECT 'run', * FROM runs ORDER BY sequence, handler`, `SELECT 'attempt', * FROM attempts ORDER BY 2, 3, 4`,
		`SELECT 'user', name, email, attributes, created_at, event_id FROM users ORDER BY id`, `SELECT 'row', x FROM t ORDER BY rowid`, `SELECT 'handler', id, low_water FROM handlers ORDER BY id`,
		`SELECT 'meta', * FROM meta WHERE key <> 'id' ORDER BY key`,
	} {
		lines = append(lines, d.read(q)...)
	}
	return lines
}

// read returns the rows of a query.
func (d *twin) read(query string) (lines []string) {
	rows, err := d.outside.Query(query)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	for rows.Next() {
		values := make([]any, len(columns))
		to := make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			d.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%.300q", fmt.Sprint(values...)))
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return lines
}

func TestGroupsOfRowsAndOfWritesAreAsIfOneByOne(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { twins(t, seed, 15) })
	}
}

func twins(t *testing.T, seed uint64, rounds int) {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 7)), t: t, ids: 300, mails: []int{100, 2000, 1 << 40}[seed%3], runs: map[[2]int64][3]int64{}}
	a, b := newTwin(t, seed%2 == 1), newTwin(t, seed%2 == 1)
	m.statement = parse(t, `INSERT INTO t VALUES (:x)`)
	for _, d := range []*twin{a, b} {
		if _, err := d.outside.Exec(`CREATE TABLE t (x); CREATE TRIGGER two AFTER INSERT ON t WHEN new.x = 2 BEGIN SELECT RAISE(ROLLBACK, 'not two'); END;
			CREATE TRIGGER three AFTER INSERT ON t WHEN new.x = 3 BEGIN SELECT RAISE(ABORT, 'not three'); END`); err != nil {
			t.Fatal(err)
		}
		list, err := d.Register(t.Context(), []store.Registration{{Name: "g"}, {Name: "h"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.h = []store.HandlerID{list[0].ID, list[1].ID}
	}
	for round := range rounds {
		m.look(b)
		var writes []made
		for range 1 + m.IntN(7) {
			writes = append(writes, m.write())
		}
		if m.head > 0 && m.IntN(3) == 0 {
			writes = append(writes, m.settle(150, true))
		}
		b.singly()
		a.log, b.log = nil, nil
		got, want := make([]string, len(writes)), make([]string, len(writes))
		var calls []func() error
		for i, write := range writes {
			calls = append(calls, func() (err error) { got[i], err = write(a); return err })
		}
		errs := a.together(calls...)
		for i, write := range writes {
			var err error
			want[i], err = write(b)
			if fmt.Sprint(errs[i]) != fmt.Sprint(err) && !sameButNumbers(errs[i], err, a, b) {
				t.Fatalf("round %d: write %d of %d: %v, want %v", round, i, len(writes), errs[i], err)
			}
			if got[i] != want[i] {
				t.Fatalf("round %d: write %d of %d gives\n%.3000s, want\n%.3000s", round, i, len(writes), got[i], want[i])
			}
		}
		differ(t, fmt.Sprint("round ", round, ": tables"), a.dump(), b.dump())
		differ(t, fmt.Sprint("round ", round, ": published"), sorted(a), sorted(b))
		if m.IntN(3) == 0 { // another program deletes users
			n := m.IntN(10)
			for _, d := range []*twin{a, b} {
				if _, err := d.outside.Exec(`DELETE FROM users WHERE id IN (SELECT id FROM users ORDER BY id DESC LIMIT ?)`, n); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// sameButNumbers is for errors that name the store.
func sameButNumbers(x, y error, a, b *twin) bool {
	return x != nil && y != nil && strings.ReplaceAll(x.Error(), a.ID(), "") == strings.ReplaceAll(y.Error(), b.ID(), "")
}

// sorted is the log, events and runs each in their order: a transaction publishes first its events.
func sorted(d *twin) []string {
	var list []string
	for _, kind := range []string{"event", "run"} {
		for _, line := range d.log {
			if strings.HasPrefix(line, kind) {
				list = append(list, strings.ReplaceAll(line, d.ID(), "ID"))
			}
		}
	}
	return list
}

func differ(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		x, y := "", ""
		if i < len(got) {
			x = got[i]
		}
		if i < len(want) {
			y = want[i]
		}
		if x != y {
			t.Fatalf("%s: line %d of %d is\n%s, want\n%s", what, i, len(got), x, y)
		}
	}
}

// Where an id comes from is SQLite's decision. Another program's users can make it begin elsewhere, and choose any free ids.
func TestUsersInGroupsGetTheIDsThatAreStored(t *testing.T) {
	d := newTwin(t, false)
	list, err := d.Register(t.Context(), []store.Registration{{Name: "h"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for round, change := range []string{
		`SELECT 1`, `DELETE FROM users WHERE id > 50`, `INSERT INTO users (id, name, email, created_at, event_id) VALUES (5000, '', 'a@y', 0, '')`,
		`INSERT INTO users (id, name, email, created_at, event_id) VALUES (9223372036854775797, '', 'b@y', 0, '')`, `SELECT 1`, `DELETE FROM users`,
	} {
		if _, err := d.outside.Exec(change); err != nil {
			t.Fatal(err)
		}
		var b store.SettleBatch
		ids := map[string]int64{}
		for range 70 {
			n++
			e := &events.Event{ID: fmt.Sprint(n), Sequence: int64(n), Chain: int64(n), Source: "/t", Type: "a"}
			back := n%7 == 0
			b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: list[0].ID, Attempt: 1, Started: twinTime, Insert: &store.UserInsert{
				User: store.User{Email: fmt.Sprint(n, "@x")}, Then: func(u store.User, err error) store.Outcome {
					if err != nil || back {
						return store.Outcome{State: store.Skipped, Error: fmt.Sprint(err)}
					}
					ids[u.Email] = u.ID
					return store.Outcome{State: store.Succeeded}
				},
			}})
		}
		if _, err := d.Settle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if len(ids) != 60 {
			t.Errorf("round %d: %d users", round, len(ids))
		}
		for email, id := range ids {
			if u, err := d.User(t.Context(), email); err != nil || u.ID != id {
				t.Errorf("round %d: Then got %s with id %d, stored %+v, %v", round, email, id, u, err)
			}
		}
	}
}
