package postgres_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest/steps"
)

func (w *twin) step(i int) {
	w.clock.Pass(time.Duration(w.r.Intn(1000)) * time.Second)
	switch kind := w.r.Intn(20); {
	case i == 0 || kind < 3:
		w.register()
	case kind < 6:
		w.append()
	case kind < 11:
		w.settle()
	case kind < 16:
		w.byHand()
	case kind < 18:
		w.handlers()
	default:
		w.others()
	}
	w.compare()
}

func (w *twin) register() {
	var regs []store.Registration
	var texts []string
	for _, name := range names {
		if !w.chance(65) {
			continue
		}
		r := store.Registration{Name: name, On: []events.Pattern{events.MustPattern(w.pick("a.b", "a.*", ">"))}, Later: w.chance(15), FromStart: w.chance(20),
			FromMark: w.chance(30), Disabled: w.chance(10)}
		if w.chance(50) {
			if was := w.pick(names...); was != name {
				r.Was = was
			}
		}
		regs = append(regs, r)
		texts = append(texts, fmt.Sprintf("%+v", r))
	}
	id := w.id() // new: a registration that fails uses up numbers of handlers
	evs := func() []*events.Event { return []*events.Event{steps.Event("audit", id)} }
	w.do("register "+strings.Join(texts, " "), func(s store.Store) (any, error) { return s.Register(context.Background(), regs, evs()) })
}

func (w *twin) append() {
	type made struct{ typ, id, target string }
	var list []made
	for range 1 + w.r.Intn(8) {
		m := made{typ: w.pick("a.b", "a.c", "x"), id: w.id()}
		if w.chance(10) {
			m.id = fmt.Sprint("e", 1+w.r.Intn(w.n))
		}
		if w.chance(15) {
			m.target = w.pick(names...)
		}
		list = append(list, m)
	}
	w.do(fmt.Sprintf("append %v", list), func(s store.Store) (any, error) {
		var evs []*events.Event
		for _, m := range list {
			e := steps.Event(m.typ, m.id)
			if e.Target = m.target; m.target != "" {
				e.ReplayOf = 1
			}
			evs = append(evs, e)
		}
		return s.Append(context.Background(), evs)
	})
}

// settle lets a handler handle some of its events.
func (w *twin) settle() {
	ctx := context.Background()
	name, limit, claim, seed := w.pick(names...), 1+w.r.Intn(6), w.chance(30), w.r.Int63()
	w.do(fmt.Sprintf("handle %s %d %v", name, limit, claim), func(s store.Store) (any, error) {
		r := rand.New(rand.NewSource(seed))
		known, err := s.Handlers(ctx, name)
		if err != nil || len(known) == 0 || known[0].State != store.Active {
			return nil, err
		}
		c := known[0]
		due, err := store.WaitingRuns(ctx, s, c, store.WaitingQuery{Limit: limit})
		if err != nil {
			return nil, err
		}
		pending, err := s.Pending(ctx, c.ID, store.AllSlots, limit)
		if err != nil {
			return nil, err
		}
		var sequences []int64
		attempts := map[int64]int{}
		for _, x := range append(due, pending...) {
			sequences = append(sequences, x.Sequence)
			if attempts[x.Sequence] = x.Attempt + 1; x.State == store.Running {
				attempts[x.Sequence] = x.Attempt
			}
		}
		evs, err := store.EventsOf(ctx, s, sequences)
		if err != nil {
			return nil, err
		}
		var b store.SettleBatch
		var claims []store.Claim
		for _, e := range evs {
			at := attempts[e.Sequence]
			if claim {
				claims = append(claims, store.Claim{Handler: c.ID, Sequence: e.Sequence, Attempt: at, At: w.clock.Now()})
				if r.Intn(3) == 0 {
					continue // goes on
				}
			}
			states := []store.RunState{store.Succeeded, store.Skipped, store.Retrying, store.Dead}
			one := steps.Outside(e, c.ID, at, states[r.Intn(len(states))])
			if one.Claimed = claim; one.Outcome.State == store.Skipped {
				one.When = "data.n > 1"
			}
			if r.Intn(5) == 0 {
				one.Outcome.Emit = []*events.Event{{ID: fmt.Sprint("out-", e.Sequence, "-", at, "-", name), Source: "/out", Type: "a.c", Chain: e.Chain, Cause: e.Sequence, Hops: e.Hops + 1, Time: w.clock.Now()}}
			}
			b.Settlements = append(b.Settlements, one)
		}
		started, err := s.Start(ctx, claims)
		if err != nil {
			return nil, err
		}
		settled, err := s.Settle(ctx, b)
		if err != nil {
			return nil, err
		}
		for i := range settled {
			settled[i].Emit = nil
		}
		left, err := store.WaitingRuns(ctx, s, c, store.WaitingQuery{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(left) > 0 && r.Intn(2) == 0 {
			_, err = s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: c.ID, LowWater: left[0].Sequence - 1, Slots: store.AllSlots}}})
		}
		return []any{started, settled}, err
	})
}

// byHand does something to runs.
func (w *twin) byHand() {
	ctx := context.Background()
	q := store.RunQuery{Limit: 1 + w.r.Intn(5), Oldest: w.chance(50)}
	if w.chance(60) {
		q.Handler = w.pick(names...)
	}
	kind := w.r.Intn(4)
	for range w.r.Intn(3) {
		q.States = append(q.States, [][]store.RunState{
			{store.Dead, store.Retrying, store.Cancelled}, {store.Dead, store.Running, store.Retrying}, {store.Running, store.Retrying, store.Waiting}, {store.Dead},
		}[kind][w.r.Intn(3-2*(kind/3))])
	}
	c := store.Change{Query: q, By: w.pick("", "ada", "bob?"), Why: w.pick("", "a typo", "why? 100% %s")}
	if w.chance(50) {
		c.Live = map[string]bool{w.pick(names...): true}
	}
	evs := w.audit()
	w.do(fmt.Sprintf("by hand %d %+v", kind, c), func(s store.Store) (any, error) {
		c.Events = evs()
		var runs []store.Run
		var err error
		switch kind {
		case 0:
			runs, err = s.Retry(ctx, c)
		case 1:
			runs, err = s.Drop(ctx, c)
		case 2:
			runs, err = s.Cancel(ctx, c)
		case 3:
			var list []store.Run
			if list, err = s.Runs(ctx, store.RunQuery{States: []store.RunState{store.Retrying, store.Dead, store.Cancelled, store.Succeeded}, Limit: 4}); err != nil {
				return nil, err
			}
			with := map[string]*events.Event{}
			for _, r := range list {
				with[r.ID] = steps.Event("a.b", fmt.Sprint("again-", r.Sequence, "-", r.Handler, "-", evs()[0].ID))
				with[r.ID].Target, with[r.ID].ReplayOf = r.Handler, r.Sequence
			}
			runs, err = s.Resend(ctx, c, with)
		}
		slices.SortFunc(runs, func(a, b store.Run) int {
			return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.HandlerID, b.HandlerID))
		})
		return runs, err
	})
}

// handlers does something to a handler.
func (w *twin) handlers() {
	ctx := context.Background()
	name, evs := w.pick(names...), w.audit()
	switch w.r.Intn(3) {
	case 0:
		w.do("pause "+name, func(s store.Store) (any, error) {
			return s.Pause(ctx, name, store.Pause{By: "ada", Why: "lunch"}, evs())
		})
	case 1:
		skip := int64(w.r.Intn(3) * w.r.Intn(60))
		w.do(fmt.Sprint("resume ", name, " ", skip), func(s store.Store) (any, error) { return s.Resume(ctx, name, skip, evs()) })
	default:
		w.do("forget "+name, func(s store.Store) (any, error) { return nil, s.Forget(ctx, name, evs()) })
	}
}

// others changes what has little to do with runs.
func (w *twin) others() {
	ctx := context.Background()
	evs := w.audit()
	switch w.r.Intn(5) {
	case 0:
		name, from, to, end := w.pick("b1", "b2"), w.pick("", "1", "2"), w.pick("1", "2", "3"), w.chance(20)
		w.do(fmt.Sprint("batch ", name, from, to, end), func(s store.Store) (any, error) {
			if end {
				return nil, s.EndBatch(ctx, name, from, evs())
			}
			return s.AdvanceBatch(ctx, store.Step{Batch: name, From: from, To: to, Done: 2}, append(evs(), steps.Event("x", "e1")))
		})
	case 1:
		b := store.Batch{ID: w.pick("b1", "b2"), Action: "replay", Details: []byte(`{}`), By: "ada", Total: 3}
		w.do("start batch", func(s store.Store) (any, error) { return s.StartBatch(ctx, b, evs()) })
	case 2:
		m := store.ScheduleMark{Name: w.pick("s1", "s2"), Since: steps.At, Slot: w.clock.Now(), Fired: w.clock.Now(), Timing: w.pick("x", "x", "y")}
		gone := []string{w.pick("s1", "s2", "s3", "s4")}
		if gone[0] == m.Name {
			gone = nil
		}
		w.do(fmt.Sprintf("marks %+v %v", m, gone), func(s store.Store) (any, error) {
			if gone == nil {
				return s.FireSlots(ctx, []store.ScheduleMark{m}, append(evs(), steps.Event("x", "e1")))
			}
			return nil, s.SaveMarks(ctx, []store.ScheduleMark{m}, gone)
		})
	case 3:
		on := store.OnConflict(w.r.Intn(3))
		var users []store.User
		for range 1 + w.r.Intn(6) {
			n := w.r.Intn(12)
			u := store.User{Name: fmt.Sprint("user ", w.r.Intn(9)), Email: fmt.Sprint(w.pick("u", "U", "é"), n, "@example.com"), EventID: "e"}
			if w.chance(50) {
				u.Attributes = []byte(`{"a":1}`)
			}
			users = append(users, u)
		}
		w.do(fmt.Sprint("import ", on, users), func(s store.Store) (any, error) {
			done, err := s.ImportUsers(ctx, users, on)
			var list []any
			for _, d := range done {
				list = append(list, d.User.Name, d.User.Email, string(d.User.Attributes), d.New, d.Updated, kindOf(d.Err))
			}
			return list, err
		})
	default:
		token := store.Token{Name: w.pick("t1", "t2", "t3"), Hash: []byte(w.pick("h1", "h2", "h3")), Rights: []string{"read", "emit"}, Created: w.clock.Now(), By: "ada"}
		revoke := w.chance(30)
		w.do(fmt.Sprintf("token %v %s", revoke, token.Name), func(s store.Store) (any, error) {
			if revoke {
				return nil, s.RevokeToken(ctx, token.Name, evs())
			}
			return nil, s.CreateToken(ctx, token, evs())
		})
	}
}

// compare compares all that the stores have.
func (w *twin) compare() {
	w.Helper()
	ctx := context.Background()
	look := func(what string, read func(s store.Store) (any, error)) {
		w.Helper()
		var got [2]string
		for i, s := range w.stores {
			v, err := read(s)
			got[i] = w.text(s, v) + kindOf(err)
		}
		w.same(what, got[0], got[1])
	}
	look("handlers", func(s store.Store) (any, error) { return s.Handlers(ctx) })
	look("events", func(s store.Store) (any, error) { return store.AllEvents(ctx, s, store.EventQuery{}) })
	look("runs", func(s store.Store) (any, error) { return s.Runs(ctx, store.RunQuery{Limit: 10_000}) })
	look("counts", func(s store.Store) (any, error) { return s.Counts(ctx) })
	look("batches", func(s store.Store) (any, error) { return s.Batches(ctx) })
	look("schedules", func(s store.Store) (any, error) { return s.ScheduleMarks(ctx) })
	look("tokens", func(s store.Store) (any, error) { return s.StoredTokens(ctx) })
	look("users", func(s store.Store) (any, error) {
		users, err := s.ListUsers(ctx, 0, 0)
		for i := range users {
			users[i].ID = 0 // ids that were not used differ
		}
		return users, err
	})
	look("backlogs", func(s store.Store) (any, error) {
		known, err := s.Handlers(ctx)
		var list []any
		for _, c := range known {
			b, berr := s.Backlog(ctx, c, 0)
			pending, perr := s.PendingAfter(ctx, c.ID, 0, 1000)
			list, err = append(list, b, pending), errors.Join(err, berr, perr)
		}
		return list, err
	})
	look("attempts", func(s store.Store) (any, error) {
		runs, err := s.Runs(ctx, store.RunQuery{Limit: 10_000})
		var list []any
		for _, r := range runs {
			attempts, aerr := s.Attempts(ctx, store.AttemptQuery{Run: r.ID})
			list, err = append(list, attempts), errors.Join(err, aerr)
		}
		return list, err
	})
	w.same("published", strings.ReplaceAll(strings.Join(w.published[0], "\n"), w.stores[0].ID(), "storeid"),
		strings.ReplaceAll(strings.Join(w.published[1], "\n"), w.stores[1].ID(), "storeid"))
	w.published = [2][]string{}
}
