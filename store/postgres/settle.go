package postgres

import (
	"context"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/postgres/guard"
)

// Settle implements [store.Runs]. Settlements with user statements have a connection of their own, so that they never hold the others; those whose
// statements may take long have another one.
func (s *Store) Settle(ctx context.Context, b store.SettleBatch) ([]store.Settled, error) {
	o := &op{node: b.Node, settlements: b.Settlements, settled: make([]store.Settled, len(b.Settlements)), marks: b.Marks}
	for i := range b.Settlements {
		one := &b.Settlements[i]
		o.weight += max(1, len(one.Outcome.Emit)) + len(one.Joins)
		o.bytes += one.Output.Size()
	}
	if !hasEffects(b.Settlements) {
		if err := s.writer.submit(ctx, o); err != nil {
			return nil, fmt.Errorf("settle: %w", err)
		}
		return o.settled, nil
	}
	st := &settling{list: b.Settlements}
	o.settling = st
	for !st.last {
		if err := ctx.Err(); err != nil {
			return o.settled[:st.from], fmt.Errorf("settle: %w", err)
		}
		w := s.statements
		if st.from < len(st.list) && st.list[st.from].Hold > 0 {
			w = s.holds
		}
		if err := w.submit(ctx, o); err != nil {
			return o.settled[:st.from], fmt.Errorf("settle: %w", err)
		}
		st.from = st.to
	}
	return o.settled, nil
}

func hasEffects(list []store.Settlement) bool {
	for i := range list {
		if list[i].Effect != nil {
			return true
		}
	}
	return false
}

// settling settles a batch with user statements in order. It takes several transactions if the statements take long.
type settling struct {
	list []store.Settlement
	from int  // the number of committed settlements
	to   int  // their number after the transaction
	last bool // the transaction has all that are left, and moves the marks

	begun   time.Time // the first statement of the transaction; zero: none so far
	holding bool      // a statement with a Hold has run in it
}

// begin begins the transaction of settlements with user statements.
func (x *work) begin() error {
	st := x.ops[0].settling
	st.to, st.last, st.begun, st.holding = len(st.list), true, time.Time{}, false
	if x.c.user == nil { // before the transaction: what it sets stays
		user, err := guard.New(x.ctx, x.c.conn.Conn)
		if err != nil {
			return err
		}
		x.c.user = user
	}
	_, err := x.c.start(x.ctx)
	return err
}

// mayGoOn reports whether the transaction may take another entry. One that has used up its time ends, so that it holds no rows for long, and the rest goes
// into the next one.
func (x *work) mayGoOn(e *entry) bool {
	st := x.ops[0].settling
	if st == nil || e.s.Effect == nil {
		return true
	}
	if !st.begun.IsZero() && (st.holding || e.s.Hold > 0 || time.Since(st.begun) >= x.w.s.opt.StatementTimeout) {
		st.to, st.last = e.at, false
		return false
	}
	if st.begun.IsZero() {
		st.begun = time.Now()
	}
	st.holding = e.s.Hold > 0
	return true
}

// effect runs the effect of an entry whose row was written, and undoes what it wrote if it fails.
func (x *work) effect(e *entry) (err error) {
	if !e.ok || e.s == nil || e.s.Effect == nil {
		return nil
	}
	e.out, err = x.c.user.Effect(x.ctx, max(e.s.Hold, x.w.s.opt.StatementTimeout), e.s.Effect)
	return err
}
