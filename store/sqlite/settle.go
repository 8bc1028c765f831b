package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"evrun/store"
)

// Settle implements [store.Runs].
func (s *Store) Settle(ctx context.Context, b store.SettleBatch) ([]store.Settled, error) {
	st := &settling{b: b, settled: make([]store.Settled, len(b.Settlements)), doomed: map[int]error{}, again: map[int]bool{}}
	for !st.over {
		if err := ctx.Err(); err != nil {
			return st.settled[:st.from], fmt.Errorf("settle: %w", err)
		}
		o := newOp(st.weight(), st.bytes(), st.some)
		o.turn = st.turn()
		st.op = o
		err := s.w.submit(ctx, o)
		var ended *endedError
		switch {
		case err == nil:
			st.from, st.over = st.to, st.to == len(b.Settlements)
		case !errors.As(err, &ended):
			return st.settled[:st.from], fmt.Errorf("settle: %w", err)
		case errors.Is(err, store.ErrTimeout) && !st.again[st.to]:
			st.again[st.to] = true
		default:
			st.doomed[st.to] = ended.err
		}
	}
	return st.settled, nil
}

// settling settles a batch in order. It takes several transactions if the statements take long, or if an effect ends one. An effect whose statement
// takes too long is repeated once, alone. If it ends its transaction again, or for another reason, it fails with that error in the next transaction,
// without running. The other settlements are not affected.
type settling struct {
	b       store.SettleBatch
	settled []store.Settled
	from    int // number of committed settlements
	over    bool
	again   map[int]bool
	doomed  map[int]error

	// Owned by the writer while it has the write.
	op *op
	to int // number of settlements after the commit; after an error, index of the one that ended the transaction
}

func (st *settling) weight() (n int) {
	for i := range st.b.Settlements[st.from:] {
		s := &st.b.Settlements[st.from+i]
		n += max(1, len(s.Outcome.Emit)) + len(s.Joins)
	}
	return n
}

// bytes is how much the outputs are.
func (st *settling) bytes() (n int) {
	for i := range st.b.Settlements[st.from:] {
		n += st.b.Settlements[st.from+i].Output.Size()
	}
	return n
}

// turn returns with which writes the next transaction can be shared.
func (st *settling) turn() turn {
	if st.from < len(st.b.Settlements) {
		switch s := &st.b.Settlements[st.from]; {
		case st.doomed[st.from] != nil:
		case s.Hold > 0:
			return holding
		case st.again[st.from]:
			return alone
		}
	}
	for i := range st.b.Settlements[st.from:] {
		if st.b.Settlements[st.from+i].Statement != nil {
			return shared
		}
	}
	return own
}

// some settles as many settlements as time allows.
func (st *settling) some(t *txn) error {
	all := st.b.Settlements
	st.op.declined = false
	for st.to = st.from; st.to < len(all); st.to++ {
		s := &all[st.to]
		if n := together(all[st.to:]); n > 0 {
			if err := t.settleTogether(all[st.to:st.to+n], st.settled[st.to:st.to+n]); err != nil {
				return t.check(err)
			}
			st.to += n - 1
			continue
		}
		t.doom, t.hold, t.again = st.doomed[st.to], s.Hold, st.again[st.to]
		timed := t.doom == nil && (s.Statement != nil || t.again)
		if timed && !t.budget.allows(t.w.takes(s.Statement), s.Hold > 0 || t.again) {
			st.op.declined = st.to == st.from
			return nil
		}
		out, ok, err := t.settle(s)
		if timed {
			t.w.user.Took(s.Statement, t.budget.spent())
		}
		if err != nil {
			return t.check(err)
		}
		st.settled[st.to] = store.Settled{Fenced: !ok, Outcome: out}
	}
	t.doom, t.hold, t.again = nil, 0, false
	for _, m := range st.b.Marks {
		if m.Slots != 0 && m.Slots != store.AllSlots {
			continue // the mark is one for all slots
		}
		if t.marks == nil {
			t.marks = map[store.HandlerID]int64{}
		}
		t.marks[m.Handler] = max(t.marks[m.Handler], m.LowWater)
	}
	return nil
}

// takes returns how long a statement is expected to take: its longest recent time, or the whole limit if it is new.
func (w *writer) takes(s *store.Statement) time.Duration {
	if d := w.user.Takes(s); d > 0 {
		return d
	}
	return w.opt.StatementTimeout
}

// moveMarks writes each handler's mark once per transaction, even if several batches moved it.
func (t *txn) moveMarks() error {
	for h, mark := range t.marks {
		if _, err := t.w.stmt.moveMark.Exec(int64(h), mark); err != nil {
			return fmt.Errorf("move low-water mark: %w", err)
		}
	}
	return nil
}
