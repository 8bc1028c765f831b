package postgres

import (
	"evrun/store"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// exactly does the work as if the writes came one after the other, in a transaction of several messages. Rows of different runs go together.
func (x *work) exactly() error {
	m := &wire.Message{}
	if x.ops[0].settling == nil {
		m = x.c.message(true)
	} else if err := x.begin(); err != nil {
		return err
	}
	for rest := x.runs; len(rest) > 0; {
		if !x.mayGoOn(&rest[0]) {
			x.runs = x.runs[:len(x.runs)-len(rest)]
			break
		}
		n := chunk(rest)
		if err := x.some(rest[:n], m); err != nil {
			return err
		}
		m, rest = &wire.Message{}, rest[n:]
	}
	if m.Len() > 0 { // the transaction is yet to begin
		if _, err := x.send(m); err != nil {
			return err
		}
	}
	return x.end(x.corrections(), false)
}

// chunk returns how many entries, from the first on, are of different runs and have no other effect on runs.
func chunk(list []entry) int {
	seen := make(map[[2]int64]bool, len(list))
	for i := range list {
		var key [2]int64
		var joins []int64
		if c := list[i].claim; c != nil {
			key, joins = [2]int64{c.Sequence, int64(c.Handler)}, c.Joins
		} else {
			s := list[i].s
			key, joins = [2]int64{s.Event.Sequence, int64(s.Handler)}, s.Joins
		}
		if alone := len(joins) > 0 || list[i].s != nil && list[i].s.Effect != nil; seen[key] || alone && i > 0 {
			return i
		} else if alone {
			return 1
		}
		seen[key] = true
	}
	return len(list)
}

// some does entries of different runs; m begins the message that writes their rows.
func (x *work) some(list []entry, m *wire.Message) error {
	var sets [kinds]runSet
	for i := range list {
		x.plan(&list[i])
		sets[list[i].kind].add(list[i].row)
	}
	m.AddAll(x.corrections())
	begun := m.Len()
	for k := range sets {
		if len(sets[k].rows) > 0 {
			sets[k].statement(m, kind(k), x.now, true)
		}
	}
	results, err := x.send(m)
	if err != nil {
		return err
	}
	places := make(map[[2]int64]int, len(list))
	for i := range list {
		places[list[i].key()] = i
	}
	for i := range list {
		list[i].ok = Unfenced
	}
	for _, r := range results[begun:] {
		for row := range r.Rows {
			e := &list[places[[2]int64{r.Int(row, 0), r.Int(row, 1)}]]
			e.ok, e.reason = true, r.Text(row, 2)
		}
	}
	if err := x.insertUsers(list); err != nil {
		return err
	}
	if err := x.effect(&list[0]); err != nil {
		return err
	}
	for i := range list {
		if err := x.finish(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// send sends a message within the transaction.
func (x *work) send(m *wire.Message) ([]wire.Result, error) {
	results, _, err := x.c.conn.Send(x.ctx, m)
	if isFence(m, err) {
		return nil, x.c.fenced()
	}
	return results, err
}

// finish does what follows from an entry's outcome.
func (x *work) finish(e *entry) error {
	switch {
	case !e.ok:
		return nil
	case e.claim != nil:
		return x.join(e.claim.Handler, e.claim.Sequence, e.claim.Joins, e.claim.At)
	}
	s := e.s
	if e.out.State == store.Retrying || e.out.State == store.Dead {
		if s.Claimed && e.reason != "" { // a failed attempt ends a run that was marked
			e.out = store.Outcome{State: store.Cancelled, Error: e.out.Error}
		}
	}
	x.correct(e)
	if s.Attempt == 1 && !s.Claimed {
		if err := x.join(s.Handler, s.Event.Sequence, s.Joins, s.Started); err != nil {
			return err
		}
	}
	return x.note(e)
}

// correct notes how an entry's row must be changed.
func (x *work) correct(e *entry) {
	c := correction{sequence: e.row.sequence, handler: e.row.handler, state: int64(e.out.State)}
	switch e.out.State {
	case store.Cancelled:
		c.unbegun = int64(index(e.out.Uncounted))
	case store.Retrying:
		c.next, c.uncounted = schema.Micros(e.out.NextAttemptAt), int64(index(e.out.Uncounted))
	}
	if e.out.State != store.Cancelled {
		c.err = schema.Text(e.out.Error)
	}
	if c.state != e.row.state || c.next != e.row.next || c.err != e.row.err || c.uncounted+c.unbegun != 0 {
		x.corrected = append(x.corrected, c)
	}
}

// corrections begins a message with the changes that are due.
func (x *work) corrections() *wire.Message {
	m := &wire.Message{}
	addCorrections(m, x.corrected)
	x.users.add(m)
	x.corrected, x.users = nil, userChanges{}
	return m
}

// addHistory adds the failed attempts, the outputs, and what is published of the runs.
func (x *work) addHistory(m *wire.Message) {
	var failed, printed []*entry
	for i := range x.runs {
		e := &x.runs[i]
		if !e.ok || e.s == nil {
			continue
		}
		switch e.out.State {
		case store.Retrying, store.Dead:
			failed = append(failed, e)
		case store.Cancelled:
			if !e.out.Uncounted {
				failed = append(failed, e)
			}
		}
		if e.s.Output != nil {
			printed = append(printed, e)
		}
	}
	x.addAttempts(m, failed)
	x.addOutputs(m, printed)
}

const insertAttempts = `INSERT INTO evrun.attempts (sequence, handler, attempt, started_at, finished_at, error)
	SELECT v.sequence, v.handler, v.attempt, v.started, $1::bigint, v.error
	FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS v(sequence, handler, attempt, started, error) ON CONFLICT DO NOTHING`

func (x *work) addAttempts(m *wire.Message, list []*entry) {
	if len(list) == 0 {
		return
	}
	var a [4]*wire.Array
	for i := range a {
		a[i] = wire.NewArray(wire.Bigint, 12*len(list))
	}
	errs := wire.NewArray(wire.Texts, 64*len(list))
	for _, e := range list {
		for i, v := range []int64{e.row.sequence, e.row.handler, int64(e.s.Attempt), schema.Micros(e.s.Started)} {
			a[i].Int8(v)
		}
		errs.Text(schema.Text(e.out.Error))
	}
	m.Add(insertAttempts, wire.Int8(x.now), a[0].Value(), a[1].Value(), a[2].Value(), a[3].Value(), errs.Value())
}
