package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/rows"
	"evrun/store/sqlite/schema"
)

// outputRows is how the outputs of attempts are inserted.
type outputRows struct {
	groups
	list   []int          // reused
	values []driver.Value // reused
}

// insertOutputs replaces rows: [Store.KeepOutputs] may have written what the attempts had printed before they ended.
var insertOutputs = rows.Insert("INSERT OR REPLACE", "run_outputs", []rows.Column{{Name: "handler", Shared: true}, {Name: "finished_at", Shared: true},
	{Name: "attempt", Literal: "1"}, {Name: "sequence"}, {Name: "state"}, {Name: "started_at"}, {Name: "layout"}, {Name: "text"}}, groupRows)

// putOutputs stores the outputs of first attempts that are not fenced off.
func (t *txn) putOutputs(list []store.Settlement, settled []store.Settled) error {
	r := &t.w.outputRows
	r.list = r.list[:0]
	for i := range list {
		if list[i].Output != nil && !settled[i].Fenced {
			r.list = append(r.list, i)
		}
	}
	for rest := r.list; len(rest) > 0; {
		s := &list[rest[0]]
		taken := r.nextFitting(len(rest), func(j int) bool { return list[rest[j]].Handler == s.Handler })
		if taken == 1 {
			if err := t.putOutput(s, settled[rest[0]].State); err != nil {
				return err
			}
			rest = rest[1:]
			continue
		}
		insert, err := t.w.prepared(insertOutputs)
		if err != nil {
			return err
		}
		r.values = append(r.values[:0], int64(s.Handler), t.now)
		for _, i := range rest[:taken] {
			layout, text := columns.EncodeOutput(list[i].Output)
			r.values = append(r.values, list[i].Event.Sequence, int64(settled[i].State), schema.Micros(list[i].Started), layout, text)
		}
		_, err = insert.Exec(r.values...)
		clear(r.values)
		if err != nil {
			return err
		}
		rest = rest[taken:]
	}
	return nil
}

// putOutput stores the output of one attempt, if it has one.
func (t *txn) putOutput(s *store.Settlement, state store.RunState) error {
	if s.Output == nil {
		return nil
	}
	insert, err := t.w.prepared(`INSERT OR REPLACE INTO run_outputs (sequence, handler, attempt, state, started_at, finished_at, layout, text)
		VALUES (?,?,?,?,?,?,?,?)`)
	if err != nil {
		return err
	}
	layout, text := columns.EncodeOutput(s.Output)
	_, err = insert.Exec(s.Event.Sequence, int64(s.Handler), int64(s.Attempt), int64(state), schema.Micros(s.Started), t.now, layout, text)
	return err
}

// KeepOutputs implements [store.Runs].
func (s *Store) KeepOutputs(ctx context.Context, outputs []store.Partial) error {
	bytes := 0
	for i := range outputs {
		bytes += outputs[i].Output.Size()
	}
	err := s.w.submit(ctx, newOp(len(outputs), bytes, func(t *txn) error {
		keep, err := t.w.prepared(`INSERT OR REPLACE INTO run_outputs (sequence, handler, attempt, state, started_at, layout, text)
			SELECT ?1, ?2, ?3, 1, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM runs WHERE sequence = ?1 AND handler = ?2 AND attempt = ?3 AND state = 1)`)
		if err != nil {
			return t.check(err)
		}
		for _, o := range outputs {
			layout, text := columns.EncodeOutput(o.Output)
			if _, err := keep.Exec(o.Sequence, int64(o.Handler), int64(o.Attempt), schema.Micros(o.Started), layout, text); err != nil {
				return t.check(err)
			}
		}
		return nil
	}))
	if err != nil {
		return fmt.Errorf("keep outputs: %w", err)
	}
	return nil
}
