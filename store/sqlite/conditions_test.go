package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"evrun/events"
	"evrun/store"
)

// The table of conditions keeps the last ones, and a condition whose text was deleted while a handler has it gets a new number.
func TestConditionsAreBounded(t *testing.T) {
	d := newTwin(t, false)
	h, err := d.Register(t.Context(), []store.Registration{{Name: "h"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	skip := func(when ...string) (first int64) {
		t.Helper()
		evs := make([]*events.Event, len(when))
		for i := range evs {
			n++
			evs[i] = &events.Event{Type: "a.b", ID: fmt.Sprint(n), Source: "/test", Time: twinTime}
		}
		if _, err := d.Append(context.Background(), evs); err != nil {
			t.Fatal(err)
		}
		var b store.SettleBatch
		for i, e := range evs {
			b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: h[0].ID, Attempt: 1, Started: twinTime, When: when[i],
				Outcome: store.Outcome{State: store.Skipped}})
		}
		if _, err := d.Settle(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		return evs[0].Sequence
	}
	whenOf := func(sequence int64) string {
		t.Helper()
		r, err := d.FindRun(t.Context(), store.RunID(sequence, "h", d.ID()))
		if err != nil {
			t.Fatal(err)
		}
		return r.When
	}
	before := skip("data.first")
	many := make([]string, maxConditions)
	for i := range many {
		many[i] = fmt.Sprintf("data.n > %d", i)
	}
	skip(many...)
	after := skip("data.first")
	if whenOf(before) != "" || whenOf(after) != "data.first" {
		t.Errorf("the first has %q, and a later one %q", whenOf(before), whenOf(after))
	}
	var stored int
	if err := d.outside.QueryRow(`SELECT count(*) FROM conditions`).Scan(&stored); err != nil || stored != maxConditions {
		t.Errorf("%d conditions, %v", stored, err)
	}
}

// A condition whose first run was not committed has no number yet.
func TestTheConditionOfATransactionThatFails(t *testing.T) {
	d := newTwin(t, false)
	c := conditions{fresh: map[string]int64{"data.x": 7}}
	c.ended(false)
	if c.known["data.x"] != 0 || c.fresh != nil {
		t.Errorf("%+v", c)
	}
	err := d.w.submit(t.Context(), newOp(1, 0, func(t *txn) error {
		if _, err := t.condition(&store.Settlement{When: "data.x"}); err != nil {
			return err
		}
		return errors.New("fails")
	}))
	if err == nil || d.w.conditions.known["data.x"] != 0 || d.w.conditions.fresh != nil {
		t.Errorf("%v, %+v", err, d.w.conditions)
	}
}
