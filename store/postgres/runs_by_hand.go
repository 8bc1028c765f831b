package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/postgres/schema"
)

// byHand is what people do to runs: which ones, and how they are changed.
type byHand struct {
	store.Change
	name string // "retry"
	// change changes those of the runs that the transaction finds in one of the query's states, and returns them as they are then, in the same order.
	change func(t *txn, runs []store.Run) ([]store.Run, error)
}

// changeRuns changes the runs of a selection and returns those that were changed. The selection is read before the transaction, which checks each run again.
func (s *Store) changeRuns(ctx context.Context, c byHand) ([]store.Run, error) {
	runs := c.Runs
	if runs == nil {
		var err error
		if runs, err = store.SelectRuns(ctx, s, c.Query); err != nil {
			return nil, fmt.Errorf("%s runs: %w", c.name, err)
		}
	}
	if len(runs) == 0 && c.Step == nil {
		return nil, nil
	}
	var done []store.Run
	err := s.change(ctx, func(t *txn) (err error) {
		if done = nil; len(runs) > 0 {
			if done, err = c.change(t, runs); err != nil {
				return err
			}
		}
		for _, r := range done {
			t.publish(r)
		}
		t.tell(store.Foreign{Runs: done})
		if len(done) > 0 {
			t.emit(c.Events)
		}
		return t.step(c.Step, func() int { return len(done) })
	})
	if err != nil {
		return nil, fmt.Errorf("%s runs: %w", c.name, err)
	}
	return done, nil
}

// among completes a change: the states of its query, and texts as they can be stored.
func among(c store.Change, states ...store.RunState) store.Change {
	c.Query.Among(states...)
	c.By, c.Why = schema.Text(c.By), schema.Text(c.Why)
	return c
}

// Retry implements [store.Runs].
func (s *Store) Retry(ctx context.Context, c store.Change) ([]store.Run, error) {
	c = among(c, store.Dead)
	return s.changeRuns(ctx, byHand{Change: c, name: "retry", change: func(t *txn, runs []store.Run) ([]store.Run, error) {
		known, err := t.handlersThat(`active OR left_at IS NOT NULL`, runs)
		if err != nil {
			return nil, err
		}
		return t.updateRuns(runs, update{
			where: `r.state IN (2, 5, 7) AND r.handler = ANY ($3) AND ` + columns.InStates(c.Query.States),
			set:   `state = 2, budget = CASE r.state WHEN 2 THEN r.budget ELSE r.attempt END, next_attempt_at = $4, reason = NULL`,
			args:  []any{known, t.now},
			apply: func(r *store.Run, _ changed) {
				r.State, r.NextAttemptAt, r.Reason = store.Retrying, schema.Time(t.now), ""
			},
		})
	}})
}

// Drop implements [store.Runs].
func (s *Store) Drop(ctx context.Context, c store.Change) ([]store.Run, error) {
	c = among(c, store.Dead)
	return s.changeRuns(ctx, byHand{Change: c, name: "drop", change: func(t *txn, runs []store.Run) ([]store.Run, error) {
		inactive, err := t.handlersThat(`NOT active`, runs)
		if err != nil {
			return nil, err
		}
		return t.updateRuns(runs, update{
			where: `(r.state = 5 OR r.state <= 2 AND r.handler = ANY ($3)) AND ` + columns.InStates(c.Query.States),
			set: `state = 6, finished_at = $4, next_attempt_at = NULL, reason = $5 || CASE r.state
				WHEN 5 THEN '; it was dead'
				ELSE '; it was waiting for its handler, which was not wired' END`,
			args: []any{inactive, t.now, c.Reason("dropped")},
			apply: func(r *store.Run, now changed) {
				r.State, r.Reason, r.FinishedAt, r.NextAttemptAt = store.Dropped, now.reason, schema.Time(t.now), time.Time{}
			},
		})
	}})
}

// Resend implements [store.Runs].
func (s *Store) Resend(ctx context.Context, c store.Change, with map[string]*events.Event) ([]store.Run, error) {
	c.Query = store.RunQuery{IDs: slices.Sorted(maps.Keys(with)), Limit: len(with), Oldest: true}
	if len(with) == 0 {
		c.Query.Sequence = -1 // no run has it: the change is only a step
	}
	c = among(c, store.Retrying, store.Dead, store.Cancelled)
	const sentAgain = "edited and sent again as #"
	return s.changeRuns(ctx, byHand{Change: c, name: "resend", change: func(t *txn, runs []store.Run) ([]store.Run, error) {
		done, err := t.updateRuns(runs, update{
			where: `r.state IN (2, 5, 7)`,
			set:   `state = 6, finished_at = $3, next_attempt_at = NULL`,
			args:  []any{t.now},
			apply: func(r *store.Run, _ changed) {
				r.State, r.FinishedAt, r.NextAttemptAt = store.Dropped, schema.Time(t.now), time.Time{}
			},
		})
		if err != nil || len(done) == 0 {
			return done, err
		}
		evs := make([]*events.Event, len(done))
		for i, r := range done {
			evs[i] = with[r.ID]
		}
		t.emit(evs)
		// Each reason names an event whose sequence is known once the events are accepted.
		sequences, handlers := keysOf(done)
		t.atEnd(`UPDATE evrun.runs r SET reason = $3::text || (j.head - $4 + k.i) || $5::text
			FROM unnest($1::bigint[], $2::integer[]) WITH ORDINALITY AS k (sequence, handler, i), evrun.journal j
			WHERE r.sequence = k.sequence AND r.handler = k.handler`, func() []any {
			return []any{sequences, handlers, sentAgain, len(done) + len(c.Events), c.Reason("")}
		})
		t.whenNumbered(func() {
			for i := range done {
				done[i].Reason = c.Reason(fmt.Sprint(sentAgain, evs[i].Sequence))
			}
			for i := range t.runs {
				t.runs[i].Reason = c.Reason(fmt.Sprint(sentAgain, with[t.runs[i].ID].Sequence))
			}
		})
		return done, nil
	}})
}

// Cancel implements [store.Runs].
func (s *Store) Cancel(ctx context.Context, c store.Change) ([]store.Run, error) {
	c = among(c, store.Running, store.Retrying, store.Waiting)
	stored := c.Query.Stored()
	return s.changeRuns(ctx, byHand{Change: c, name: "cancel", change: func(t *txn, runs []store.Run) ([]store.Run, error) {
		reason := c.Reason("cancelled")
		apply := func(r *store.Run, now changed) {
			r.State, r.Reason, r.NextAttemptAt = now.state, reason, time.Time{}
			if r.Cancelling = r.State == store.Running; r.Cancelling {
				r.Reason = store.Being + reason
			} else {
				r.FinishedAt = schema.Time(t.now)
			}
		}
		var done []store.Run
		if len(stored) > 0 {
			live, err := t.live(runs, c.Live)
			if err != nil {
				return nil, err
			}
			// The attempt of a running run may be under way where its handler is live, so it is only marked.
			const marked = `(r.state = 1 AND r.handler = ANY ($3))`
			done, err = t.updateRuns(runs, update{
				where: `r.state <= 2 AND (r.state = 2 OR r.reason IS NULL OR NOT ` + marked + `) AND ` + columns.InStates(stored),
				set: `state = CASE WHEN ` + marked + ` THEN 1 ELSE 7 END, finished_at = CASE WHEN ` + marked + ` THEN r.finished_at ELSE $4 END,
					next_attempt_at = NULL, reason = coalesce(r.reason, $5)`,
				args:  []any{live, t.now, reason},
				apply: apply,
			})
			if err != nil {
				return nil, err
			}
		}
		return t.cancelWaiting(runs, done, reason, apply)
	}})
}

// cancelWaiting adds rows for those runs that are waiting and are not done yet.
func (t *txn) cancelWaiting(runs, done []store.Run, reason string, apply func(*store.Run, changed)) ([]store.Run, error) {
	isDone := map[runKey]bool{}
	for _, r := range done {
		isDone[keyOf(r)] = true
	}
	var waiting []store.Run
	for _, r := range runs {
		if r.State == store.Waiting && !isDone[keyOf(r)] {
			waiting = append(waiting, r)
		}
	}
	if len(waiting) == 0 {
		return done, nil
	}
	sequences, handlers := keysOf(waiting)
	more, err := t.changedRuns(waiting, apply, `INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at, finished_at, reason)
		SELECT k.sequence, k.handler, 7, 0, $3, $3, $4 FROM unnest($1::bigint[], $2::integer[]) AS k (sequence, handler)
		WHERE EXISTS (SELECT FROM evrun.shares s WHERE s.handler = k.handler AND s.low_water < k.sequence) ORDER BY 1, 2
		ON CONFLICT DO NOTHING RETURNING sequence, handler, state, attempt, budget, reason`, sequences, handlers, t.now, reason)
	if err != nil {
		return nil, err
	}
	return append(done, more...), nil
}

// live are the handlers of runs whose attempts may be under way: in this process, as it says, or in another daemon, which has slots of theirs.
func (t *txn) live(runs []store.Run, here map[string]bool) ([]int64, error) {
	_, handlers := keysOf(runs)
	live, err := t.ids(`SELECT DISTINCT s.handler::bigint FROM evrun.shares s JOIN evrun.beats b ON b.node = s.node
		WHERE s.handler = ANY ($1) AND b.expires_at > clock_timestamp()`, handlers)
	for _, r := range runs {
		if here[r.Handler] {
			live = append(live, int64(r.HandlerID))
		}
	}
	return live, err
}

// handlersThat are those of the runs' handlers that match an SQL condition. They stay so until the end of the transaction.
func (t *txn) handlersThat(are string, runs []store.Run) ([]int64, error) {
	_, handlers := keysOf(runs)
	return t.ids(`SELECT id::bigint FROM evrun.handlers WHERE id = ANY ($1) AND (`+are+`) ORDER BY id FOR SHARE`, handlers)
}

func (t *txn) ids(query string, args ...any) ([]int64, error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// update says how runs r are changed, in SQL. $1 and $2 are the runs' keys, args begin with $3.
type update struct {
	where, set string
	args       []any
	apply      func(r *store.Run, now changed)
}

// changed is what a changed run has in its row. Its attempt and budget are set already.
type changed struct {
	state  store.RunState
	reason string
}

// updateRuns changes those of the runs that match. All callers lock rows in the same order.
func (t *txn) updateRuns(runs []store.Run, u update) ([]store.Run, error) {
	sequences, handlers := keysOf(runs)
	return t.changedRuns(runs, u.apply, `WITH picked AS MATERIALIZED (
			SELECT r.sequence, r.handler FROM unnest($1::bigint[], $2::integer[]) AS k (sequence, handler) JOIN evrun.runs r USING (sequence, handler)
			WHERE `+u.where+` ORDER BY r.sequence, r.handler FOR NO KEY UPDATE OF r)
		UPDATE evrun.runs r SET `+u.set+` FROM picked p WHERE r.sequence = p.sequence AND r.handler = p.handler
		RETURNING r.sequence, r.handler, r.state, r.attempt, r.budget, r.reason`, append([]any{sequences, handlers}, u.args...)...)
}

// changedRuns runs a statement that returns the rows of those runs that it has changed.
func (t *txn) changedRuns(runs []store.Run, apply func(*store.Run, changed), query string, args ...any) (done []store.Run, err error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	type stored struct {
		attempt, budget int
		changed
	}
	found := map[runKey]stored{}
	var (
		k      runKey
		is     stored
		reason *string
	)
	_, err = pgx.ForEachRow(rows, []any{&k.sequence, &k.handler, &is.state, &is.attempt, &is.budget, &reason}, func() error {
		if is.reason = ""; reason != nil {
			is.reason = *reason
		}
		found[k] = is
		return nil
	})
	for _, r := range runs {
		if now, ok := found[keyOf(r)]; ok {
			r.Attempt, r.Budget = now.attempt, now.budget
			apply(&r, now.changed)
			done = append(done, r)
		}
	}
	return done, err
}

// runKey is the key of a run's row.
type runKey struct {
	sequence int64
	handler  store.HandlerID
}

func keyOf(r store.Run) runKey { return runKey{r.Sequence, r.HandlerID} }

func keysOf(runs []store.Run) (sequences, handlers []int64) {
	for _, r := range runs {
		sequences, handlers = append(sequences, r.Sequence), append(handlers, int64(r.HandlerID))
	}
	return sequences, handlers
}
