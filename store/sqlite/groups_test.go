package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
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
		rows, err := d.outside.Query(q)
		if err != nil {
			d.t.Fatal(err)
		}
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
		rows.Close()
	}
	return lines
}

// made is a write, and what it gives.
type made func(d *twin) (result string, err error)

// maker makes random writes.
type maker struct {
	*rand.Rand
	t         *testing.T
	n         int // for unique names
	ids       int // so many of events that may be duplicates
	mails     int
	head      int64
	h         []store.HandlerID
	statement *store.Statement
	runs      map[[2]int64][3]int64 // state, attempt and budget before the round
}

func (m *maker) event(unique bool) *events.Event {
	m.n++
	e := &events.Event{ID: fmt.Sprint("u", m.n), Source: "/t", Type: "a.b", Time: twinTime, Data: []byte(`{"n":1}`)}
	if !unique {
		e.ID = fmt.Sprint(m.IntN(m.ids))
	}
	if m.IntN(30) == 0 {
		e.Source = fmt.Sprint("/t/", m.IntN(2))
	}
	if m.IntN(30) == 0 {
		e.Type = "x"
	}
	if m.IntN(20) == 0 && m.head > 0 {
		e.Chain, e.Cause, e.Hops = 1+m.Int64N(m.head), m.Int64N(m.head), m.IntN(3)
	}
	if m.IntN(50) == 0 {
		e.Data, e.DataContentType = []byte(strings.Repeat("y", m.IntN(9000))), "text/plain"
	}
	if m.IntN(50) == 0 {
		e.Data, e.Subject, e.Extensions = nil, "s", map[string]any{"a": true}
	}
	return e
}

func clone(evs []*events.Event) (list []*events.Event) {
	for _, e := range evs {
		c := *e
		list = append(list, &c)
	}
	return list
}

func (m *maker) appends(n int) made {
	var evs []*events.Event
	unique := m.IntN(3) > 0
	for range n {
		evs = append(evs, m.event(unique || m.IntN(10) > 0))
	}
	if n > 1 && m.IntN(4) == 0 {
		evs[m.IntN(n)] = evs[m.IntN(n)]
	}
	if m.IntN(20) == 0 {
		evs[m.IntN(n)].Extensions = map[string]any{"bad": make(chan int)}
	}
	if m.IntN(20) == 0 {
		e := evs[m.IntN(n)]
		*[]*string{&e.Subject, &e.CorrelationID, &e.DataContentType}[m.IntN(3)] = strings.Repeat("x", 8<<20)
	}
	return func(d *twin) (string, error) {
		list := clone(evs)
		rc, err := d.Append(context.Background(), list)
		text := ""
		for i, r := range rc {
			if text += fmt.Sprint(" ", r); !r.Duplicate {
				text += fmt.Sprint(" ", list[i].Sequence, list[i].Chain)
			}
		}
		return text, err
	}
}

func (m *maker) start(n int) made {
	var claims []store.Claim
	h, from, ahead := m.h[m.IntN(2)], m.Int64N(m.head), m.IntN(2) == 0
	odd := m.IntN(3)
	for i := range n {
		c := store.Claim{Handler: h, Sequence: 1 + (from+int64(i))%m.head, Attempt: 1, At: twinTime.Add(time.Duration(i) * time.Second), Ahead: ahead}
		run := m.runs[[2]int64{c.Sequence, int64(h)}]
		if run[0] != 0 && m.IntN(2) == 0 {
			c.Attempt, c.Ahead = int(run[1])+1, false
		}
		if odd > 0 && m.IntN(20) == 0 {
			c.Sequence = 1 + m.Int64N(m.head)
			if !c.Ahead && m.IntN(2) == 0 {
				c.Joins = []int64{1 + m.Int64N(m.head), 1 + m.Int64N(m.head)}
			}
		}
		claims = append(claims, c)
	}
	if m.IntN(8) == 0 {
		return func(d *twin) (string, error) { return "", d.Withdraw(context.Background(), claims) }
	}
	return func(d *twin) (string, error) {
		started, err := d.Start(context.Background(), claims)
		return fmt.Sprint(started), err
	}
}

// settle settles runs; stated: some with user statements, of which some end the transaction. That one must be a round's last.
func (m *maker) settle(n int, stated bool) made {
	h, from := m.h[m.IntN(2)], m.Int64N(m.head)
	odd, insert, emits := m.IntN(3), m.IntN(3) > 0, m.IntN(2) == 0
	var list []store.Settlement
	var claimed []int64
	calm := 40
	if m.IntN(3) == 0 { // those of one claim
		insert, emits, calm = false, m.IntN(4) == 0, 300
		ahead := m.IntN(2)
		for key, run := range m.runs {
			if key[1] == int64(h) && run[0] == int64(store.Running) && run[1] == 1 && run[2] == int64(ahead) {
				claimed = append(claimed, key[0])
			}
		}
		slices.Sort(claimed)
		n = len(claimed)
	}
	for i := range n {
		x := store.Settlement{Handler: h, Attempt: 1, Started: twinTime.Add(-time.Duration(i) * time.Second)}
		sequence := 1 + (from+int64(i))%m.head
		if claimed != nil {
			sequence = claimed[i]
		}
		if odd > 0 && m.IntN(2*calm) == 0 {
			x.Handler = m.h[m.IntN(2)]
		}
		if odd > 0 && m.IntN(calm) == 0 {
			sequence = 1 + m.Int64N(m.head)
		}
		x.Event = &events.Event{ID: "e", Sequence: sequence, Chain: sequence, Source: "/t", Type: "a.b"}
		if run := m.runs[[2]int64{sequence, int64(x.Handler)}]; run[0] != 0 && (m.IntN(4) > 0 || claimed != nil) {
			if x.Attempt = int(run[1]) + 1; run[0] == int64(store.Running) {
				x.Attempt, x.Claimed, x.Ahead = int(run[1]), true, run[2] == 1
			}
		} else if m.IntN(40) == 0 {
			x.Joins = []int64{1 + m.Int64N(m.head)}
		}
		out := store.Outcome{State: store.Succeeded}
		switch k := m.IntN(calm); {
		case odd == 0 && k > 0:
		case k == 0:
			out = store.Outcome{State: store.Dead, Error: "dead"}
		case k < 3:
			out = store.Outcome{State: store.Retrying, Error: "again", NextAttemptAt: twinTime, Uncounted: k == 1}
		case k < 6:
			out.State = store.Skipped
		}
		if emits && m.IntN(2) == 0 {
			for range 1 + m.IntN(2) {
				e := m.event(m.IntN(400) > 0)
				e.Chain, e.Cause = sequence, sequence
				out.Emit = append(out.Emit, e)
			}
		}
		x.Outcome = out
		switch {
		case stated && m.IntN(8) == 0:
			value := []any{int64(m.IntN(12))}
			x.Outcome, x.Statement, x.Effect = store.Outcome{}, m.statement, func(tx store.Tx) store.Outcome {
				if _, err := tx.Exec(m.statement, value); err != nil {
					return store.Outcome{State: store.Dead, Error: err.Error()}
				}
				return emitting(out)
			}
		case m.IntN(2*calm) == 0:
			x.Outcome, x.Effect = store.Outcome{}, func(store.Tx) store.Outcome { return emitting(out) }
		case insert && m.IntN(20) > 0 && !(x.Claimed && m.IntN(3) > 0):
			m.n++
			u := store.User{Name: fmt.Sprint("User ", m.n), Email: fmt.Sprint("u", m.IntN(m.mails), "@x"), EventID: "e"}
			if m.IntN(3) == 0 {
				u.Email = strings.ToUpper(u.Email)
			}
			if m.IntN(12) == 0 {
				u.Attributes = []byte(`{"a":"` + strings.Repeat("x", m.IntN(5000)) + `"}`)
			}
			x.Outcome, x.Insert = store.Outcome{}, &store.UserInsert{User: u, On: store.OnConflict(m.IntN(3)), Then: func(u store.User, err error) store.Outcome {
				switch {
				case err == nil:
					return emitting(out)
				case out.State == store.Skipped:
					return out
				}
				return store.Outcome{State: store.Dead, Error: err.Error()}
			}}
		}
		list = append(list, x)
	}
	return func(d *twin) (string, error) {
		mine := slices.Clone(list)
		told := make([]string, len(mine)) // what Then got at last
		ids := map[string]int64{}         // of the users that were stored, and kept
		for i, x := range list {
			mine[i].Outcome = emitting(x.Outcome)
			if x.Insert == nil {
				continue
			}
			mine[i].Insert = &store.UserInsert{User: x.Insert.User, On: x.Insert.On, Then: func(u store.User, err error) store.Outcome {
				out := x.Insert.Then(u, err)
				if err == nil && out.State == store.Succeeded {
					ids[strings.ToLower(u.Email)] = u.ID
				}
				u.ID = 0
				told[i] = fmt.Sprintf("%+v %v", u, err)
				return out
			}}
		}
		out, err := d.Settle(context.Background(), store.SettleBatch{Settlements: mine, Marks: []store.Mark{{Handler: h, LowWater: from}}})
		text := fmt.Sprint(h, told)
		for _, s := range out {
			text += fmt.Sprintf(" %v %v %s", s.Fenced, s.State, s.Error)
			for _, e := range s.Emit {
				text += fmt.Sprint(" ", e.ID, e.Sequence, e.Chain)
			}
		}
		if err == nil {
			for email, id := range ids {
				if u, err := d.User(context.Background(), email); err != nil || u.ID != id {
					d.t.Errorf("Then got %s with id %d, stored %+v, %v", email, id, u, err)
				}
			}
		}
		return text, err
	}
}

// emitting is an outcome with its own copies of the events.
func emitting(out store.Outcome) store.Outcome {
	out.Emit = clone(out.Emit)
	return out
}

var errMade = errors.New("made to fail")

// failing does the beginning of another write and fails.
func (m *maker) failing() made {
	var evs []*events.Event
	for range m.IntN(80) {
		evs = append(evs, m.event(m.IntN(10) > 0))
	}
	return func(d *twin) (string, error) {
		list := clone(evs)
		return "", d.w.submit(context.Background(), newOp(1, 0, func(t *txn) error {
			if err := t.append(list, make([]store.Receipt, len(list))); err != nil {
				return err
			}
			return errMade
		}))
	}
}

func (m *maker) write() made {
	switch k := m.IntN(20); {
	case k < 9 || m.head == 0:
		return m.appends(1 + m.IntN([]int{2, 40, 90}[m.IntN(3)]))
	case k < 14:
		return m.settle(1+m.IntN([]int{5, 100, 200}[m.IntN(3)]), false)
	case k < 18:
		return m.start(1 + m.IntN([]int{5, 100}[m.IntN(2)]))
	}
	return m.failing()
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

func (m *maker) look(d *twin) {
	if err := d.outside.QueryRow(`SELECT ifnull(max(sequence), 0) FROM events`).Scan(&m.head); err != nil {
		m.t.Fatal(err)
	}
	rows, err := d.outside.Query(`SELECT sequence, handler, state, attempt, budget FROM runs`)
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key [2]int64
		var v [3]int64
		if err := rows.Scan(&key[0], &key[1], &v[0], &v[1], &v[2]); err != nil {
			m.t.Fatal(err)
		}
		m.runs[key] = v
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
