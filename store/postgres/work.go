package postgres

import (
	"context"
	"errors"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/feed"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// work is a batch of writes on its way into one transaction.
type work struct {
	w     *writer
	c     *session
	ctx   context.Context
	began time.Time
	now   int64
	ops   []*op
	runs  []entry // in the order of the writes

	in   intake
	from []*op // whose the events of in are

	wantRuns  bool
	changed   []store.Run
	attempts  []store.Attempted
	corrected []correction // that are yet to be sent
	users     userChanges  // likewise
}

// entry is a claim or a settlement.
type entry struct {
	o     *op
	at    int // in the op
	claim *store.Claim
	s     *store.Settlement
	ok    bool // its row was written
	// out is what the row was written as, and then what the attempt has come to.
	out    store.Outcome
	reason string // of a run that was marked by Cancel
	row    runRow
	kind   kind
}

func (e *entry) key() [2]int64 { return [2]int64{e.row.sequence, e.row.handler} }

func (w *writer) newWork(ctx context.Context, ops []*op, began time.Time) *work {
	x := &work{w: w, c: w.c, ctx: ctx, began: began, now: schema.Micros(w.s.opt.Now()), ops: ops, wantRuns: w.s.wantRuns()}
	x.in.now = x.now
	for _, o := range ops {
		for i := range o.claims {
			o.started[i] = false
			if c := &o.claims[i]; w.c.is(c.Node) {
				x.runs = append(x.runs, entry{o: o, at: i, claim: c})
			}
		}
		begin := 0
		if o.settling != nil {
			begin = o.settling.from
		}
		for i := begin; i < len(o.settlements); i++ {
			o.settled[i] = store.Settled{Fenced: true, Outcome: o.settlements[i].Outcome}
			if w.c.is(o.node) {
				x.runs = append(x.runs, entry{o: o, at: i, s: &o.settlements[i]})
			}
		}
	}
	return x
}

// plain reports whether all of the work can be one message or, with users, two.
func (x *work) plain(users bool) bool {
	if Unfenced || x.ops[0].settling != nil {
		return false
	}
	for i := range x.runs {
		e := &x.runs[i]
		if e.claim != nil {
			if len(e.claim.Joins) > 0 {
				return false
			}
			continue
		}
		s := e.s
		if s.Effect != nil || len(s.Joins) > 0 || s.Outcome.Uncounted || s.Outcome.State == store.Cancelled || s.Insert != nil && (!users || s.Claimed) {
			return false
		}
	}
	for _, o := range x.ops {
		for _, e := range o.evs {
			if e.Target != "" {
				return false
			}
		}
	}
	return true
}

// attempt does the work in one message, which fails if anything is not as expected.
func (x *work) attempt() error {
	m := x.c.message(false)
	x.expect(m)
	for i := range x.runs {
		if err := x.note(&x.runs[i]); err != nil {
			return err
		}
	}
	return x.end(m, true)
}

// hopefully does the work in two messages, of which the first fails if a run or a user is not as expected: only when the users have their numbers is it
// known what their settlements come to.
func (x *work) hopefully() error {
	m := x.c.message(true)
	x.expect(m)
	var users []*entry
	for i := range x.runs {
		if e := &x.runs[i]; e.s != nil && e.s.Insert != nil && refused(&e.s.Insert.User) == nil {
			users = append(users, e)
		}
	}
	x.addUsers(m, insertNewUsers, users)
	results, err := x.send(m)
	if err != nil {
		return x.w.s.hindered(m, err)
	}
	inserted := results[len(results)-1]
	next := 0
	for i := range x.runs {
		e := &x.runs[i]
		if e.s != nil && e.s.Insert != nil {
			id := int64(0)
			if refused(&e.s.Insert.User) == nil {
				id = inserted.Int(next, 0)
				next++
			}
			x.then(e, id, nil)
		}
		if err := x.finish(e); err != nil {
			return err
		}
	}
	return x.end(x.corrections(), false)
}

// expect adds the statements that write all rows of runs, or fail.
func (x *work) expect(m *wire.Message) {
	var sets [kinds]runSet
	for i := range x.runs {
		e := &x.runs[i]
		x.plan(e)
		sets[e.kind].add(e.row)
		e.ok = true
	}
	for k := range sets {
		if len(sets[k].rows) > 0 {
			sets[k].statement(m, kind(k), x.now, false)
		}
	}
}

// plan says how an entry's row is written at first.
func (x *work) plan(e *entry) {
	if e.claim != nil {
		e.row, e.kind = rowOfClaim(e.claim)
		return
	}
	if e.out = e.s.Outcome; e.s.Effect != nil || e.s.Insert != nil {
		e.out = store.Outcome{State: store.Succeeded}
	}
	e.row, e.kind = rowOfSettlement(e.s, &e.out, x.w.conditions[e.s.When])
}

// end ends the transaction with message m, which is the whole of it or goes on with one that has begun.
func (x *work) end(m *wire.Message, whole bool) error {
	s := x.w.s
	x.addHistory(m)
	x.addMarks(m)
	x.takeEvents()
	if !whole && len(x.in.all) > 0 && (x.w.careful > 0 || x.in.hasTargets()) {
		if err := x.sift(); err != nil {
			return err
		}
	}
	at, err := x.in.add(m, s)
	if err != nil {
		return err
	}
	if !whole {
		m.Add("COMMIT")
	} else if m.Len() == 1 { // nothing but the fence: a Ping
		return x.ping()
	}
	answers := func() { // the next transaction may be on its way
		x.wrote(nil)
		answer(x.ops, nil)
	}
	return x.c.finish(x.ctx, ending{message: m, changed: x.changedKeys, published: answers, done: func(results []wire.Result) (store.Commit, error) {
		if err := x.in.accepted(x.ctx, s, results, at); err != nil {
			return store.Commit{}, err
		}
		x.answers()
		return store.Commit{Events: x.in.fresh, Runs: x.changed, Attempts: x.attempts}, nil
	}})
}

// changedKeys are the runs that are written, if nobody here wants them.
func (x *work) changedKeys() []feed.Key {
	if len(x.changed) > 0 {
		return nil
	}
	keys := make([]feed.Key, 0, len(x.runs))
	for i := range x.runs {
		switch e := &x.runs[i]; {
		case !e.ok:
		case e.claim != nil:
			keys = append(keys, feed.Key{Handler: e.claim.Handler, Sequence: e.claim.Sequence})
		default:
			keys = append(keys, feed.Key{Handler: e.s.Handler, Sequence: e.s.Event.Sequence})
		}
	}
	return keys
}

// ping only looks whether the server answers.
func (x *work) ping() error {
	m := &wire.Message{}
	m.Add("SELECT")
	_, _, err := x.c.conn.Send(x.ctx, m)
	if err == nil {
		x.wrote(nil)
		answer(x.ops, nil)
	}
	return err
}

// takeEvents takes the events of the appends, and those that the settlements emit, in order.
func (x *work) takeEvents() {
	i := 0
	for _, o := range x.ops {
		x.take(o, o.evs, false)
		for ; i < len(x.runs) && x.runs[i].o == o; i++ {
			if e := &x.runs[i]; e.ok && e.s != nil {
				x.take(o, e.out.Emit, true)
			}
		}
	}
}

func (x *work) take(o *op, evs []*events.Event, must bool) {
	if len(evs) == 0 {
		return
	}
	x.in.take(evs, must)
	for range evs {
		x.from = append(x.from, o)
	}
}

// sift finds out which events are known. An error is of the write that has the event.
func (x *work) sift() error {
	m := &wire.Message{}
	x.in.addLookup(m)
	results, _, err := x.c.conn.Send(x.ctx, m)
	if err != nil {
		return err
	}
	err = x.in.sift(results)
	var of *intakeError
	if errors.As(err, &of) {
		return &opError{x.from[of.place], err}
	}
	return err
}

// answers fills in the answers of the writes.
func (x *work) answers() {
	place := map[*op]int{}
	for i, o := range x.from {
		if _, seen := place[o]; !seen {
			place[o] = i
		}
	}
	for _, o := range x.ops {
		if len(o.evs) > 0 {
			copy(o.receipts, x.in.receipts[place[o]:])
		}
	}
	for i := range x.runs {
		switch e := &x.runs[i]; {
		case e.claim != nil:
			e.o.started[e.at] = e.ok
		case e.ok:
			e.o.settled[e.at] = store.Settled{Outcome: e.out}
		}
	}
}

// wrote reports the transaction.
func (x *work) wrote(err error) {
	x.w.s.wrote(store.Written{Events: len(x.in.fresh), Known: x.in.known, Runs: len(x.runs), Took: time.Since(x.began), Err: err})
}

// addMarks moves the low-water marks, of the slots that the caller has taken. A process without leases moves those of free slots: nobody else does.
func (x *work) addMarks(m *wire.Message) {
	node := x.c.node
	if node < 0 {
		node = 0
	}
	type place struct {
		handler store.HandlerID
		slots   store.Slots
	}
	marks := map[place]int64{}
	var order []place
	for _, o := range x.ops {
		if len(o.marks) == 0 || !x.c.is(o.node) || o.settling != nil && !o.settling.last {
			continue
		}
		for _, mark := range o.marks {
			p := place{mark.Handler, mark.Slots}
			if p.slots == 0 && node == 0 {
				p.slots = store.AllSlots
			}
			if _, seen := marks[p]; !seen {
				order = append(order, p)
			}
			marks[p] = max(marks[p], mark.LowWater)
		}
	}
	for _, p := range order {
		m.Add(moveMark, wire.Int8(int64(p.handler)), wire.Int8(node), wire.Int8(int64(^p.slots)), wire.Int8(marks[p]))
	}
}

const moveMark = `UPDATE evrun.shares SET low_water = $4::bigint
	WHERE handler = $1::bigint AND coalesce(node, 0) = $2::bigint AND slots & $3::bigint = 0 AND low_water < $4::bigint`
