package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

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
		case insert && m.IntN(20) > 0 && (!x.Claimed || m.IntN(3) == 0):
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

// look learns what the store has.
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
	if err := rows.Err(); err != nil {
		m.t.Fatal(err)
	}
}
