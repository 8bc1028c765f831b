package postgres

import (
	"evrun/store"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// Rows of runs are written in sets: one statement takes all rows of a kind. There are two ways. A message that must write every row fails if it can't,
// because the run has changed meanwhile; that is what nearly always succeeds, and takes one round trip. Otherwise a statement says which rows it wrote.

// kind says how an attempt's row is written.
type kind int8

const (
	firsts  kind = iota // a first attempt that begins, or ends and was not claimed: a new row
	claimed             // an attempt that was claimed ends
	later               // a later attempt begins, or ends and was not claimed
	kinds
)

// A run that was cancelled before it had begun, and retried, has a row with attempt 0: it is replaced. Any other row is left as it is.
const orBegin = ` ON CONFLICT (sequence, handler) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, budget = excluded.budget,
	started_at = excluded.started_at, finished_at = excluded.finished_at, next_attempt_at = excluded.next_attempt_at, error = excluded.error,
	condition = excluded.condition WHERE r.state = 2 AND r.attempt = 0`

const (
	written = ` RETURNING r.sequence, r.handler, r.reason`

	insertPlain = `INSERT INTO evrun.runs AS r (sequence, handler, state, attempt, started_at, finished_at)
		SELECT v.sequence, v.handler, v.state, 1, v.started, CASE WHEN v.state <> 1 THEN $1::bigint END
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS v(sequence, handler, state, started)`
	insertRich = `INSERT INTO evrun.runs AS r (sequence, handler, state, attempt, started_at, finished_at, next_attempt_at, error, condition, budget)
		SELECT v.sequence, v.handler, v.state, v.attempt, v.started, CASE WHEN v.state <> 1 THEN $1::bigint END, v.next, v.error, v.condition, v.budget
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[])
			AS v(sequence, handler, state, started, attempt, next, error, condition, budget)`

	updatePlain = `UPDATE evrun.runs AS r SET state = v.state, finished_at = $1::bigint, next_attempt_at = NULL, error = NULL
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS v(sequence, handler, state, attempt)
		WHERE r.sequence = v.sequence AND r.handler = v.handler AND r.state = 1 AND r.attempt = v.attempt`
	updateRich = `UPDATE evrun.runs AS r SET state = v.state, finished_at = $1::bigint, next_attempt_at = v.next, error = v.error,
			started_at = coalesce(v.started, r.started_at), condition = coalesce(v.condition, r.condition),
			budget = CASE WHEN v.started IS NULL THEN r.budget ELSE 0 END
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[])
			AS v(sequence, handler, state, started, attempt, next, error, condition)
		WHERE r.sequence = v.sequence AND r.handler = v.handler AND r.state = 1 AND r.attempt = v.attempt`
	unlessMarked = ` AND (r.reason IS NULL OR v.state IN (3, 4))`

	updateLater = `UPDATE evrun.runs AS r SET state = v.state, attempt = v.attempt, started_at = v.started, finished_at = CASE WHEN v.state <> 1 THEN $1::bigint END,
			next_attempt_at = v.next, error = CASE WHEN v.state = 1 THEN r.error ELSE v.error END, condition = coalesce(v.condition, r.condition)
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[])
			AS v(sequence, handler, state, started, attempt, next, error, condition)
		WHERE r.sequence = v.sequence AND r.handler = v.handler AND r.state = 2 AND r.attempt = v.attempt - 1`
)

// all makes a statement fail that does not write $n rows, where n is its last parameter.
func all(statement, n string) string {
	return `WITH w AS (` + statement + ` RETURNING 1) SELECT 1 / CASE WHEN count(*) = ` + n + `::bigint THEN 1 ELSE 0 END FROM w`
}

var (
	insertPlainExactly, insertRichExactly = insertPlain + orBegin + written, insertRich + orBegin + written
	updatePlainExactly, updateRichExactly = updatePlain + written, updateRich + written
	updateLaterExactly                    = updateLater + written

	updateAllPlain, updateAllRich = all(updatePlain+unlessMarked, "$6"), all(updateRich+unlessMarked, "$10")
	updateAllLater                = all(updateLater, "$10")
)

// runRow is a row to be written.
type runRow struct {
	sequence, handler, state, started, attempt int64
	next, condition, budget                    int64  // 0: NULL, but of budget
	err                                        string // empty: NULL
	restart                                    bool   // of a claimed attempt: it was claimed ahead
}

func (r *runRow) rich() bool {
	return r.next != 0 || r.err != "" || r.condition != 0 || r.budget != 0 || r.restart || r.attempt != 1
}

// runSet is the rows of one kind.
type runSet struct {
	rows []runRow
	rich bool
}

func (s *runSet) add(r runRow) {
	s.rows = append(s.rows, r)
	s.rich = s.rich || r.rich()
}

// statement adds the statement that writes the rows: exactly says that its result has the rows that were written, otherwise it fails unless all are.
func (s *runSet) statement(m *wire.Message, k kind, now int64, exactly bool) {
	n := len(s.rows)
	column := func(value func(r *runRow) int64) wire.Value {
		a := wire.NewArray(wire.Bigint, 12*n)
		for i := range s.rows {
			a.Int8(value(&s.rows[i]))
		}
		return a.Value()
	}
	orNull := func(value func(r *runRow) int64) wire.Value {
		a := wire.NewArray(wire.Bigint, 12*n)
		for i := range s.rows {
			a.Int8OrNull(value(&s.rows[i]))
		}
		return a.Value()
	}
	args := []any{wire.Int8(now), column(func(r *runRow) int64 { return r.sequence }), column(func(r *runRow) int64 { return r.handler }),
		column(func(r *runRow) int64 { return r.state })}
	attempts := func() wire.Value { return column(func(r *runRow) int64 { return r.attempt }) }
	plain := !s.rich && k != later
	if plain && k == claimed {
		args = append(args, attempts())
	} else if k == claimed {
		args = append(args, orNull(func(r *runRow) int64 {
			if !r.restart {
				return 0
			}
			return r.started
		}))
	} else {
		args = append(args, column(func(r *runRow) int64 { return r.started }))
	}
	if !plain {
		errs := wire.NewArray(wire.Texts, 4*n)
		for i := range s.rows {
			errs.OrNull(s.rows[i].err)
		}
		args = append(args, attempts(), orNull(func(r *runRow) int64 { return r.next }), errs.Value(), orNull(func(r *runRow) int64 { return r.condition }))
		if k == firsts {
			args = append(args, column(func(r *runRow) int64 { return r.budget }))
		}
	}
	if !exactly && k != firsts {
		args = append(args, wire.Int8(int64(n)))
	}
	m.Add(runStatements[k][index(plain)][index(exactly)], args...)
}

// runStatements are by the kind, by whether the rows are plain, and by whether exactly.
var runStatements = [kinds][2][2]string{
	firsts:  {{insertRich, insertRichExactly}, {insertPlain, insertPlainExactly}},
	claimed: {{updateAllRich, updateRichExactly}, {updateAllPlain, updatePlainExactly}},
	later:   {{updateAllLater, updateLaterExactly}, {}},
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rowOfClaim is the row of an attempt that begins.
func rowOfClaim(c *store.Claim) (r runRow, k kind) {
	r = runRow{sequence: c.Sequence, handler: int64(c.Handler), state: int64(store.Running), started: schema.Micros(c.At), attempt: int64(c.Attempt)}
	if c.Attempt > 1 {
		return r, later
	}
	if c.Ahead {
		r.budget = 1
	}
	return r, firsts
}

// rowOfSettlement is the row of an attempt that ends with an outcome. What is rare is corrected afterwards: see correction.
func rowOfSettlement(s *store.Settlement, out *store.Outcome, condition int64) (r runRow, k kind) {
	r = runRow{sequence: s.Event.Sequence, handler: int64(s.Handler), state: int64(out.State), started: schema.Micros(s.Started), attempt: int64(s.Attempt),
		restart: s.Ahead && s.Claimed}
	if out.State == store.Retrying {
		r.next = schema.Micros(out.NextAttemptAt)
	}
	if out.State != store.Cancelled { // only the attempt has it
		r.err = schema.Text(out.Error)
	}
	switch {
	case s.Claimed:
		k = claimed
	case s.Attempt > 1:
		k = later
	}
	if out.State == store.Skipped || k == firsts && r.next == 0 && r.err == "" {
		r.condition = condition
	}
	return r, k
}

// correction changes a run that was written as something else: a user or a statement failed, it was cancelled, or its attempt doesn't count.
type correction struct {
	sequence, handler, state, next int64
	err                            string
	uncounted, unbegun             int64
}

const correct = `UPDATE evrun.runs AS r SET state = v.state, next_attempt_at = v.next, error = v.error, budget = r.budget + v.uncounted,
		attempt = r.attempt - v.unbegun
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
		AS v(sequence, handler, state, next, error, uncounted, unbegun)
	WHERE r.sequence = v.sequence AND r.handler = v.handler`

func addCorrections(m *wire.Message, list []correction) {
	if len(list) == 0 {
		return
	}
	var a [7]*wire.Array
	for i := range a {
		a[i] = wire.NewArray(wire.Bigint, 12*len(list))
	}
	a[4] = wire.NewArray(wire.Texts, 0)
	for _, c := range list {
		for i, v := range []int64{c.sequence, c.handler, c.state} {
			a[i].Int8(v)
		}
		a[3].Int8OrNull(c.next)
		a[4].OrNull(c.err)
		a[5].Int8(c.uncounted)
		a[6].Int8(c.unbegun)
	}
	m.Add(correct, a[0].Value(), a[1].Value(), a[2].Value(), a[3].Value(), a[4].Value(), a[5].Value(), a[6].Value())
}
