package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"evrun/store"
	"evrun/store/sqlite/rows"
	"evrun/store/sqlite/schema"
)

// runRows is how rows of new runs are inserted.
type runRows struct {
	groups
	values []driver.Value // reused
}

var insertRuns = rows.Insert("INSERT OR FAIL", "runs", []rows.Column{{Name: "handler", Shared: true}, {Name: "finished_at", Shared: true}, {Name: "budget", Shared: true},
	{Name: "condition", Shared: true}, {Name: "attempt", Literal: "1"}, {Name: "sequence"}, {Name: "state"}, {Name: "started_at"}}, groupRows)

// insertSettled inserts the rows of first attempts that have ended, with the outcomes they have or, as far as they depend on a user, as succeeded. It
// marks those that are fenced off.
func (t *txn) insertSettled(list []store.Settlement, settled []store.Settled) error {
	for i := range list {
		out := list[i].Outcome
		if list[i].Insert != nil {
			out = store.Outcome{State: store.Succeeded}
		}
		settled[i] = store.Settled{Outcome: out}
	}
	r := &t.w.runRows
	insert, err := t.w.prepared(insertRuns)
	if err != nil {
		return err
	}
	for i := 0; i < len(list); {
		taken := r.nextFitting(len(list)-i, func(j int) bool { return list[i+j].Handler == list[i].Handler && list[i+j].When == list[i].When })
		if taken == 1 {
			ok, err := t.putRun(&list[i], settled[i].Outcome)
			if err != nil {
				return err
			}
			if !ok {
				settled[i] = store.Settled{Fenced: true, Outcome: list[i].Outcome}
				r.exists()
			}
			i++
			continue
		}
		when, err := t.condition(&list[i])
		if err != nil {
			return err
		}
		r.values = append(r.values[:0], int64(list[i].Handler), t.now, int64(0), orNull(when))
		for j := range list[i : i+taken] {
			r.values = append(r.values, list[i+j].Event.Sequence, int64(settled[i+j].State), schema.Micros(list[i+j].Started))
		}
		n, err := t.insertGroup(insert, r.values)
		if err != nil {
			return err
		}
		for j := range n {
			if err := t.noteRun(list[i+j].Handler, settled[i+j].State, list[i+j].Event.Sequence); err != nil {
				return err
			}
		}
		if n < taken {
			r.exists()
		}
		i += n
	}
	return nil
}

// settleClaims are updates of groupRows rows of one handler whose first attempts end. They run within a savepoint: if one of the rows is fenced off,
// the group is undone and goes row by row.
var settleClaims, settleClaimsAhead = updateRuns(""), updateRuns(", started_at = v.column2, budget = 0")

func updateRuns(more string) string {
	return `UPDATE runs SET state = ?, finished_at = ?` + more + ` FROM (VALUES ` + strings.TrimSuffix(strings.Repeat("(?,?),", groupRows), ",") +
		`) AS v WHERE runs.handler = ? AND runs.sequence = v.column1 AND runs.state = 1 AND runs.attempt = 1`
}

// settleClaimed updates the rows of claimed first attempts that have ended. It marks those that are fenced off.
func (t *txn) settleClaimed(list []store.Settlement, settled []store.Settled) error {
	g := &t.w.claimRows
	for i := 0; i < len(list); {
		s := &list[i]
		taken := g.nextFitting(len(list)-i, func(j int) bool {
			o := &list[i+j]
			return o.Handler == s.Handler && o.Ahead == s.Ahead && o.Outcome.State == s.Outcome.State
		})
		ok, err := false, error(nil)
		if taken == 1 {
			ok, err = t.putRun(s, s.Outcome)
		} else {
			ok, err = t.settleClaimGroup(list[i : i+taken])
		}
		if err != nil {
			return err
		}
		if !ok {
			if g.exists(); taken > 1 {
				continue
			}
		}
		for j := range list[i : i+taken] {
			settled[i+j] = store.Settled{Fenced: !ok, Outcome: list[i+j].Outcome}
		}
		i += taken
	}
	return nil
}

// settleClaimGroup updates the rows of all settlements, or of none.
func (t *txn) settleClaimGroup(list []store.Settlement) (ok bool, err error) {
	query := settleClaims
	if list[0].Ahead {
		query = settleClaimsAhead
	}
	update, err := t.w.prepared(query)
	if err != nil {
		return false, err
	}
	r := &t.w.runRows
	r.values = append(r.values[:0], int64(list[0].Outcome.State), t.now)
	for i := range list {
		r.values = append(r.values, list[i].Event.Sequence, schema.Micros(list[i].Started))
	}
	r.values = append(r.values, int64(list[0].Handler))
	if _, err := t.w.stmt.savepoint.Exec(); err != nil {
		return false, err
	}
	n, err := update.Exec(r.values...)
	if err != nil {
		return false, err
	}
	if n != int64(len(list)) {
		if _, err := t.w.stmt.undo.Exec(); err != nil {
			return false, err
		}
	}
	if _, err = t.w.stmt.release.Exec(); err != nil || n != int64(len(list)) {
		return false, err
	}
	for i := range list {
		if err := t.noteRun(list[i].Handler, list[i].Outcome.State, list[i].Event.Sequence); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Start implements [store.Runs].
func (s *Store) Start(ctx context.Context, claims []store.Claim) ([]bool, error) {
	started := make([]bool, len(claims))
	weight := len(claims)
	for i := range claims {
		weight += len(claims[i].Joins)
	}
	err := s.w.submit(ctx, newOp(weight, 0, func(t *txn) error { return t.start(claims, started) }))
	if err != nil {
		return nil, fmt.Errorf("start attempts: %w", err)
	}
	return started, nil
}

// start records that attempts begin, or are claimed ahead.
func (t *txn) start(claims []store.Claim, started []bool) error {
	r := &t.w.runRows
	insert, err := t.w.prepared(insertRuns)
	if err != nil {
		return err
	}
	for i := 0; i < len(claims); {
		taken := r.nextFitting(len(claims)-i, func(j int) bool {
			c := &claims[i+j]
			return c.Attempt == 1 && len(c.Joins) == 0 && c.Handler == claims[i].Handler && c.Ahead == claims[i].Ahead
		})
		if taken == 1 {
			var err error
			if started[i], err = t.startOne(&claims[i]); err != nil {
				return t.check(err)
			}
			if !started[i] {
				r.exists()
			}
			i++
			continue
		}
		r.values = append(r.values[:0], int64(claims[i].Handler), nil, budgetOf(&claims[i]), nil)
		for j := range claims[i : i+taken] {
			r.values = append(r.values, claims[i+j].Sequence, int64(store.Running), schema.Micros(claims[i+j].At))
		}
		n, err := t.insertGroup(insert, r.values)
		if err != nil {
			return err
		}
		for j := range n {
			started[i+j] = true
			if err := t.noteRun(claims[i+j].Handler, store.Running, claims[i+j].Sequence); err != nil {
				return err
			}
		}
		if n < taken {
			r.exists()
		}
		i += n
	}
	return nil
}

// startOne records that one attempt begins, unless it is not the next one of its run.
func (t *txn) startOne(c *store.Claim) (ok bool, err error) {
	var n int64
	if c.Attempt == 1 {
		n, err = t.w.stmt.insertClaim.Exec(c.Sequence, int64(c.Handler), schema.Micros(c.At), budgetOf(c))
	} else {
		n, err = t.w.stmt.startRun.Exec(c.Sequence, int64(c.Handler), int64(c.Attempt), schema.Micros(c.At))
	}
	if err != nil || n == 0 {
		return false, err
	}
	if c.Attempt == 1 {
		if err = t.noteRun(c.Handler, store.Running, c.Sequence); err == nil {
			err = t.join(c.Handler, c.Sequence, c.Joins, c.At)
		}
	}
	return true, err
}

// budgetOf returns the Budget of a new run.
func budgetOf(c *store.Claim) int64 {
	if c.Ahead {
		return 1
	}
	return 0
}
