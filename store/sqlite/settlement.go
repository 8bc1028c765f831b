package sqlite

import (
	"database/sql/driver"
	"errors"

	"evrun/store"
	"evrun/store/sqlite/schema"
)

// shape says with which settlements another one can be written.
type shape int8

const (
	single  shape = iota // with none
	first                // first attempts that were not claimed: each inserts a row in runs, and may insert a user
	claimed              // first attempts that were claimed: each updates its row
)

// shapeOf returns the shape of a settlement. Most settlements are not single: they have succeeded or were skipped, and have no effect but a user.
func shapeOf(s *store.Settlement) shape {
	plain := s.Outcome.Error == "" && (s.Outcome.State == store.Succeeded || s.Outcome.State == store.Skipped)
	switch {
	case s.Attempt != 1 || s.Effect != nil:
		return single
	case s.Claimed && s.Insert == nil && plain && (s.When == "" || s.Outcome.State == store.Succeeded):
		return claimed
	case !s.Claimed && len(s.Joins) == 0 && (s.Insert != nil || plain):
		return first
	}
	return single
}

// together returns how many of the settlements, from the first on, can be written together; 0: the first is single.
func together(list []store.Settlement) int {
	kind := shapeOf(&list[0])
	if kind == single {
		return 0
	}
	for i := range list {
		if shapeOf(&list[i]) != kind {
			return i
		}
	}
	return len(list)
}

// settleTogether ends attempts whose settlements have one shape, as if one after the other. First it writes the rows of all runs: they are the fences.
// Then it inserts the users and gives each to its Then; a run whose outcome isn't a success after all is corrected. The events come last.
func (t *txn) settleTogether(list []store.Settlement, settled []store.Settled) (err error) {
	if list[0].Claimed {
		err = t.settleClaimed(list, settled)
	} else {
		err = t.insertSettled(list, settled)
	}
	if err != nil {
		return err
	}
	if err := t.insertUsers(list, settled); err != nil {
		return err
	}
	if err := t.putOutputs(list, settled); err != nil {
		return err
	}
	emitted := t.w.emitted[:0]
	for i := range list {
		if settled[i].Fenced {
			continue
		}
		if err := t.finish(&list[i], settled[i].Outcome); err != nil {
			return err
		}
		emitted = append(emitted, settled[i].Emit...)
	}
	err = t.emit(emitted)
	clear(emitted)
	t.w.emitted = emitted
	return err
}

// settle ends one attempt; ok is false when it was fenced off.
func (t *txn) settle(s *store.Settlement) (out store.Outcome, ok bool, err error) {
	// The row is written first, as succeeded: it is the fence. If the effect fails, the row is corrected.
	if out = s.Outcome; s.Effect != nil || s.Insert != nil {
		out = store.Outcome{State: store.Succeeded}
	}
	if ok, err = t.putRun(s, out); !ok || err != nil {
		return s.Outcome, ok, err
	}
	switch {
	case s.Insert != nil:
		u, err := t.insertUser(s.Insert)
		if err != nil {
			return out, false, err
		}
		out, err = t.then(s, u)
		if err != nil {
			return out, false, err
		}
	case s.Effect != nil:
		if out, err = t.effect(s); err != nil {
			return out, false, err
		}
	}
	if out, err = t.orCancelled(s, out); err != nil {
		return out, false, err
	}
	if err := t.finish(s, out); err != nil {
		return out, false, err
	}
	if err := t.putOutput(s, out.State); err != nil {
		return out, false, err
	}
	return out, true, t.emit(out.Emit)
}

// effect runs the settlement's effect, and undoes what it wrote if it fails.
func (t *txn) effect(s *store.Settlement) (out store.Outcome, err error) {
	if _, err := t.w.stmt.savepoint.Exec(); err != nil {
		return out, err
	}
	out = s.Effect((*effectTx)(t))
	if t.failed != nil {
		return out, t.failed
	}
	if out.State != store.Succeeded {
		if _, err := t.w.stmt.undo.Exec(); err != nil {
			return out, err
		}
		if err := t.correct(s, out); err != nil {
			return out, err
		}
	}
	_, err = t.w.stmt.release.Exec()
	return out, err
}

// correct gives a run that was written as succeeded its outcome.
func (t *txn) correct(s *store.Settlement, out store.Outcome) error {
	if _, err := t.w.stmt.resettle.Exec(s.Event.Sequence, int64(s.Handler), int64(out.State), nextAttempt(out), orNull(out.Error)); err != nil {
		return err
	}
	return t.noteRun(s.Handler, out.State, s.Event.Sequence)
}

// putRun writes the run's row, unless this attempt is not the current one.
func (t *txn) putRun(s *store.Settlement, out store.Outcome) (ok bool, err error) {
	var n int64
	inserted := false
	sequence, handler, attempt, started := s.Event.Sequence, int64(s.Handler), int64(s.Attempt), schema.Micros(s.Started)
	state, next, text := int64(out.State), nextAttempt(out), orNull(out.Error)
	if out.State == store.Cancelled {
		text = nil // only the attempt has it
	}
	switch {
	case s.Claimed && s.Ahead:
		n, err = t.w.stmt.settleAhead.Exec(sequence, handler, attempt, state, t.now, next, text, started)
	case s.Claimed:
		n, err = t.w.stmt.settleClaimed.Exec(sequence, handler, attempt, state, t.now, next, text)
	case s.Attempt == 1 && next == nil && text == nil && s.When != "":
		var when int64
		inserted = true // with its condition
		if when, err = t.condition(s); err == nil {
			n, err = t.w.stmt.insertWhen.Exec(sequence, handler, state, started, t.now, when)
		}
	case s.Attempt == 1 && next == nil && text == nil:
		n, err = t.w.stmt.insertSettled.Exec(sequence, handler, state, started, t.now)
	case s.Attempt == 1:
		n, err = t.w.stmt.insertRun.Exec(sequence, handler, state, started, t.now, next, text)
	default:
		n, err = t.w.stmt.settleUnbegun.Exec(sequence, handler, attempt, state, t.now, next, text, started)
	}
	if err != nil || n != 1 {
		return false, err
	}
	if out.State == store.Skipped && !inserted {
		err = t.noteCondition(s)
	}
	return true, errors.Join(err, t.noteRun(s.Handler, out.State, sequence))
}

// orCancelled ends a run whose attempt has failed as cancelled, if it was marked. A cancelled attempt that has not begun is not counted.
func (t *txn) orCancelled(s *store.Settlement, out store.Outcome) (store.Outcome, error) {
	var query string
	switch {
	case out.State == store.Cancelled && out.Uncounted:
		query = `UPDATE runs SET attempt = attempt - 1 WHERE sequence = ? AND handler = ?`
	case s.Claimed && (out.State == store.Retrying || out.State == store.Dead):
		query = `UPDATE runs SET state = 7, next_attempt_at = NULL, error = NULL WHERE sequence = ? AND handler = ? AND reason IS NOT NULL`
	default:
		return out, nil
	}
	end, err := t.w.prepared(query)
	if err != nil {
		return out, err
	}
	n, err := end.Exec(s.Event.Sequence, int64(s.Handler))
	if n == 1 && out.State != store.Cancelled {
		out = store.Outcome{State: store.Cancelled, Error: out.Error}
	}
	return out, err
}

func nextAttempt(out store.Outcome) any {
	if out.State != store.Retrying {
		return nil
	}
	return schema.Micros(out.NextAttemptAt)
}

// finish records the consequences of the outcome: the failed attempt's history, joined events, the changed run. The emitted events
// are for the caller to append.
func (t *txn) finish(s *store.Settlement, out store.Outcome) error {
	if out.State == store.Retrying || out.State == store.Dead || out.State == store.Cancelled && !out.Uncounted {
		if _, err := t.w.stmt.insertAttempt.Exec(s.Event.Sequence, int64(s.Handler), int64(s.Attempt), schema.Micros(s.Started), t.now, out.Error); err != nil {
			return err
		}
	}
	if s.Attempt == 1 && !s.Claimed {
		if err := t.join(s.Handler, s.Event.Sequence, s.Joins, s.Started); err != nil {
			return err
		}
	}
	if out.Uncounted && out.State == store.Retrying {
		if _, err := t.w.stmt.uncount.Exec(s.Event.Sequence, int64(s.Handler)); err != nil {
			return err
		}
	}
	if t.wantRuns {
		name := t.w.names[s.Handler]
		id := s.ID
		if id == "" {
			id = store.RunID(s.Event.Sequence, name, t.w.id)
		}
		reason, err := t.reasonOf(s, out)
		if err != nil {
			return err
		}
		run := store.Run{
			ID: id, Handler: name, HandlerID: s.Handler,
			EventID: s.Event.ID, Sequence: s.Event.Sequence, Type: s.Event.Type, Chain: s.Event.Chain,
			State: out.State, Attempt: s.Attempt, Error: out.Error, Reason: reason,
			StartedAt: s.Started.UTC().Truncate(1000), FinishedAt: schema.Time(t.now), NextAttemptAt: out.NextAttemptAt,
		}
		if out.State == store.Skipped {
			run.When = s.When
		}
		if out.State != store.Skipped && (out.State != store.Cancelled || !out.Uncounted) {
			t.attempts = append(t.attempts, store.Attempted{Run: len(t.runs), Event: s.Event})
		}
		t.runs = append(t.runs, run)
	}
	return nil
}

// reasonOf reads why a run was cancelled.
func (t *txn) reasonOf(s *store.Settlement, out store.Outcome) (string, error) {
	if out.State != store.Cancelled {
		return "", nil
	}
	get, err := t.w.prepared(`SELECT reason FROM runs WHERE sequence = ? AND handler = ?`)
	if err != nil {
		return "", err
	}
	var row [1]driver.Value
	err = get.QueryRow(row[:], s.Event.Sequence, int64(s.Handler))
	reason, _ := row[0].(string)
	return reason, err
}
