package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"evrun/store"
)

// settler makes random settlements, and knows what each must do if they are settled one after the other.
type settler struct {
	t       *testing.T
	d       Driver
	s       store.Store
	r       *rand.Rand
	h       []store.Consumer
	users   map[string]store.User // by lower-case address
	ids     map[string]int64      // of the users, as Then got them
	runs    map[[2]int64]*settledRun
	emitted []string // ids, in order
	names   int
}

// settledRun is a run's state.
type settledRun struct {
	state           store.RunState
	attempt, failed int
	ahead           bool // it was claimed ahead
}

// wanted is what a settlement must do.
type wanted struct {
	fenced bool
	state  store.RunState
	told   bool // Then was called
	err    bool // with an error
	user   store.User
}

// attempt makes x the end of an attempt of a run; nil: of a new one. counts says that it isn't fenced off.
func (m *settler) attempt(x *store.Settlement, run *settledRun) (counts bool) {
	if run == nil {
		return true
	}
	if m.r.IntN(3) == 0 {
		return false // a first attempt once more
	}
	x.Attempt = run.attempt + 1
	if run.state == store.Running || m.r.IntN(3) == 0 {
		x.Attempt, x.Claimed, x.Ahead = run.attempt, true, run.ahead
	}
	if x.Claimed {
		return run.state == store.Running
	}
	return run.state == store.Retrying
}

// state chooses how an attempt ends.
func (m *settler) state(calm bool) store.RunState {
	k := m.r.IntN(20)
	switch {
	case calm && m.r.IntN(8) > 0:
	case k == 0:
		return store.Dead
	case k == 1:
		return store.Retrying
	case k < 5:
		return store.Skipped
	}
	return store.Succeeded
}

// settlement makes one settlement of an attempt of a run, and says what it must do.
func (m *settler) settlement(sequence int64, emails int, calm bool) (store.Settlement, *wanted) {
	h := m.h[0]
	if !calm && m.r.IntN(20) == 0 {
		h = m.h[1]
	}
	e := event("a.b", fmt.Sprint(sequence))
	e.Sequence, e.Chain = sequence, sequence
	key := [2]int64{sequence, int64(h.ID)}
	run := m.runs[key]
	x := store.Settlement{Event: e, Handler: h.ID, Attempt: 1, Started: at}
	counts := m.attempt(&x, run)
	w := &wanted{fenced: !counts, state: m.state(calm)}
	insert := w.state != store.Skipped && m.r.IntN(10) > 0 && (!x.Claimed || m.r.IntN(8) == 0)
	out := outside(e, h.ID, x.Attempt, w.state).Outcome
	if w.state == store.Succeeded && m.r.IntN(4) == 0 {
		child := event("b.c", fmt.Sprint("child-", m.names))
		child.Chain, child.Cause = sequence, sequence
		out.Emit = append(out.Emit, child)
	}
	if x.Outcome = out; insert {
		x.Outcome = store.Outcome{}
		w.told = counts
		m.insert(&x, w, out, emails)
	}
	m.names++
	if !counts {
		return x, w
	}
	if run == nil {
		run = &settledRun{}
		m.runs[key] = run
	}
	*run = settledRun{state: w.state, attempt: x.Attempt, failed: run.failed}
	if w.state == store.Succeeded {
		for _, child := range out.Emit {
			m.emitted = append(m.emitted, child.ID)
		}
	}
	if w.state == store.Dead || w.state == store.Retrying {
		run.failed++
	}
	return x, w
}

// insert adds a user to a settlement. If the address must not exist, a conflict ends the run as dead.
func (m *settler) insert(x *store.Settlement, w *wanted, out store.Outcome, emails int) {
	u := store.User{Name: fmt.Sprint("User ", m.names), Email: fmt.Sprint("u", m.r.IntN(emails), "@example.com"), EventID: x.Event.ID}
	key := u.Email
	if m.r.IntN(2) == 0 {
		u.Email = strings.ToUpper(u.Email)
	}
	if m.r.IntN(10) == 0 {
		u.Attributes = []byte(fmt.Sprintf(`{"n":%d,"text":%q}`, m.names, strings.Repeat("x", 5000*(m.r.IntN(20)/19))))
	}
	on := store.OnConflict(m.r.IntN(3))
	known, exists := m.users[key]
	w.user = u
	switch {
	case exists && on == store.Fail:
		w.err, w.state = true, store.Dead
	case exists && on == store.Ignore:
		w.user = known
	case exists:
		w.user = known
		w.user.Name, w.user.Attributes = u.Name, u.Attributes
	}
	want := *w
	x.Insert = &store.UserInsert{User: u, On: on, Then: func(got store.User, err error) store.Outcome {
		equal(m.t, "conflict", err != nil, want.err)
		if err != nil {
			return store.Outcome{State: store.Dead, Error: err.Error()}
		}
		equal(m.t, "name", got.Name, want.user.Name)
		equal(m.t, "email", got.Email, want.user.Email)
		equal(m.t, "event", got.EventID, want.user.EventID)
		equal(m.t, "attributes", string(got.Attributes), string(want.user.Attributes))
		equal(m.t, "created", got.CreatedAt.IsZero(), false)
		if exists {
			equal(m.t, "the id of a known user", got.ID, m.ids[key])
		} else if out.State == store.Succeeded {
			m.ids[key] = got.ID
		}
		return out
	}}
	if w.state == store.Succeeded && !w.fenced {
		m.users[key] = w.user
	}
}

// check compares what is stored with what must be.
func (m *settler) check() {
	m.t.Helper()
	n := 0
	for after := int64(0); ; {
		page := must(m.s.ListUsers(ctx, after, 0))(m.t)
		if len(page) == 0 {
			break
		}
		for _, got := range page {
			n++
			want := m.users[strings.ToLower(got.Email)]
			if got.Name != want.Name || got.Email != want.Email || got.EventID != want.EventID || string(got.Attributes) != string(want.Attributes) {
				m.t.Errorf("stored user %.200s, want %.200s", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
			}
			equal(m.t, "the stored id", got.ID, m.ids[strings.ToLower(got.Email)])
		}
		after = page[len(page)-1].ID
	}
	equal(m.t, "users", n, len(m.users))
	list := runs(m.t, m.s, store.RunQuery{Limit: 1 << 20})
	equal(m.t, "runs", len(list), len(m.runs))
	for _, got := range list {
		want := m.runs[[2]int64{got.Sequence, int64(got.HandlerID)}]
		if got.State != want.state || got.Attempt != want.attempt || (got.Error != "") != (want.state == store.Dead || want.state == store.Retrying) ||
			got.NextAttemptAt.IsZero() != (want.state != store.Retrying) || got.FinishedAt.IsZero() != (want.state == store.Running) {
			m.t.Errorf("stored run %+v, want %+v", got, *want)
		}
		equal(m.t, "budget", got.Budget == 1, want.ahead && want.state == store.Running)
		if want.failed > 0 {
			equal(m.t, "failed attempts", len(must(m.s.Attempts(ctx, store.AttemptQuery{Run: got.ID}))(m.t)), want.failed)
		}
	}
}

// manySettled settles many runs together, with everything that can happen to a settlement, at random places. The result must be as if each
// had been settled alone, one after the other.
func manySettled(t *testing.T, d Driver) {
	for _, test := range []struct {
		name   string
		emails int  // fewer: more conflicts
		calm   bool // most settlements are of one kind
	}{{"all succeed", 1 << 40, true}, {"few conflicts", 2000, true}, {"many conflicts", 30, true}, {"everything happens", 300, false}} {
		t.Run(test.name, func(t *testing.T) {
			var committed []store.Run
			var published []string
			s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) {
				committed = append(committed, c.Runs...)
				for _, e := range c.Events {
					if strings.HasPrefix(e.ID, "child") {
						published = append(published, e.ID)
					}
				}
			}})
			m := &settler{t: t, d: d, s: s, r: rand.New(rand.NewPCG(3, uint64(test.emails))), h: register(t, s, "h", "other"),
				users: map[string]store.User{}, ids: map[string]int64{}, runs: map[[2]int64]*settledRun{}}
			const n = 700
			appendAll(t, s, numbered(n)...)
			begin := int64(1)
			for round := range 5 {
				if round%2 == 1 {
					m.claim(begin, test.calm)
				}
				var list []store.Settlement
				var want []*wanted
				for range 120 {
					sequence := begin
					if m.r.IntN(12) == 0 || !test.calm && m.r.IntN(3) == 0 {
						sequence = 1 + m.r.Int64N(begin)
					} else {
						begin++
					}
					x, w := m.settlement(sequence, test.emails, test.calm)
					list, want = append(list, x), append(want, w)
				}
				committed, published, m.t = nil, nil, t
				got := settle(t, s, list...)
				m.compare(got, want, committed)
				equal(t, "published", fmt.Sprint(published), fmt.Sprint(m.emitted))
				m.emitted = nil
				m.check()
			}
		})
	}
}

// claim claims runs of the next events and some that can't be claimed.
func (m *settler) claim(begin int64, calm bool) {
	var claims []store.Claim
	var want []bool
	for i := range int64(90) {
		c := store.Claim{Handler: m.h[0].ID, Sequence: 1 + m.r.Int64N(begin), Attempt: 1, At: at}
		if !calm || i%3 == 0 {
			c.Sequence = begin + i
		}
		run := m.runs[[2]int64{c.Sequence, int64(c.Handler)}]
		if run != nil && m.r.IntN(2) == 0 {
			c.Attempt = run.attempt + 1
		}
		c.Ahead = c.Attempt == 1 && (i/45)%2 == 1 // in rows, as a worker does
		ok := run == nil || run.state == store.Retrying && c.Attempt == run.attempt+1
		if claims, want = append(claims, c), append(want, ok); !ok {
			continue
		}
		if run == nil {
			run = &settledRun{}
			m.runs[[2]int64{c.Sequence, int64(c.Handler)}] = run
		}
		run.state, run.attempt, run.ahead = store.Running, c.Attempt, c.Ahead
	}
	got := must(m.s.Start(ctx, claims))(m.t)
	equal(m.t, "claimed", fmt.Sprint(got), fmt.Sprint(want))
	m.check()
}

// compare compares the answers and the published runs with what is wanted.
func (m *settler) compare(got []store.Settled, want []*wanted, committed []store.Run) {
	m.t.Helper()
	for i, w := range want {
		equal(m.t, fmt.Sprint("fenced ", i), got[i].Fenced, w.fenced)
		if w.fenced {
			continue
		}
		equal(m.t, fmt.Sprint("state ", i), got[i].State, w.state)
		if len(committed) == 0 {
			m.t.Fatal("fewer runs were published than settled")
		}
		equal(m.t, fmt.Sprint("published state ", i), committed[0].State, w.state)
		equal(m.t, "published finish", time.Since(committed[0].FinishedAt) < time.Hour, true)
		committed = committed[1:]
	}
	equal(m.t, "published runs left", len(committed), 0)
}
