package sqlite

import (
	"fmt"

	"evrun/store/sqlite/conn"
)

// statements are the writer's, prepared once. Savepoints have one name: they are never nested.
type statements struct {
	begin, commit, rollback      *conn.Stmt
	savepoint, undo, release     *conn.Stmt
	findEvent, changes, lastID   *conn.Stmt
	insertSettled, insertWhen    *conn.Stmt
	insertRun                    *conn.Stmt
	insertClaim, startRun        *conn.Stmt
	settleClaimed, settleUnbegun *conn.Stmt
	settleAhead                  *conn.Stmt
	resettle, insertAttempt      *conn.Stmt
	uncount, insertJoined        *conn.Stmt
	moveMark                     *conn.Stmt
	insertUser, findUser         *conn.Stmt
	updateUser, deleteUser       *conn.Stmt
	moveSchedule                 *conn.Stmt
}

// orBegin ends the statements that insert a first attempt. A run that was cancelled before it had begun, and retried, has a row with attempt 0: it is
// replaced. Any other row is left as it is.
const orBegin = ` ON CONFLICT (sequence, handler) DO UPDATE SET state = excluded.state, attempt = 1, budget = excluded.budget,
	started_at = excluded.started_at, finished_at = excluded.finished_at, next_attempt_at = excluded.next_attempt_at, error = excluded.error,
	condition = excluded.condition
	WHERE runs.state = 2 AND runs.attempt = 0`

func (s *statements) prepare(c *conn.Conn) error {
	for _, p := range []struct {
		to    **conn.Stmt
		query string
	}{
		{&s.begin, `BEGIN IMMEDIATE`},
		{&s.commit, `COMMIT`},
		{&s.rollback, `ROLLBACK`},
		{&s.savepoint, `SAVEPOINT effect`},
		{&s.undo, `ROLLBACK TO effect`},
		{&s.release, `RELEASE effect`},
		// Most runs leave columns at their defaults. Each omitted argument saves about 470 of the 30,000 instructions per row.
		{&s.findEvent, `SELECT sequence FROM events WHERE id = ? AND source = ?`},
		{&s.changes, `SELECT changes()`},
		{&s.lastID, `SELECT last_insert_rowid()`},
		{&s.insertSettled, `INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at) VALUES (?,?,?,1,?,?)` + orBegin},
		{&s.insertWhen, `INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at, condition) VALUES (?,?,?,1,?,?,?)` + orBegin},
		{&s.insertRun, `INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at, next_attempt_at, error)
			VALUES (?,?,?,1,?,?,?,?)` + orBegin},
		{&s.insertClaim, `INSERT INTO runs (sequence, handler, state, attempt, started_at, budget) VALUES (?,?,1,1,?,?)` + orBegin},
		{&s.startRun, `UPDATE runs SET state = 1, attempt = ?3, started_at = ?4, finished_at = NULL, next_attempt_at = NULL
			WHERE sequence = ?1 AND handler = ?2 AND state = 2 AND attempt = ?3 - 1`},
		{&s.settleClaimed, `UPDATE runs SET state = ?4, finished_at = ?5, next_attempt_at = ?6, error = ?7
			WHERE sequence = ?1 AND handler = ?2 AND state = 1 AND attempt = ?3`},
		{&s.settleAhead, `UPDATE runs SET state = ?4, finished_at = ?5, next_attempt_at = ?6, error = ?7, started_at = ?8, budget = 0
			WHERE sequence = ?1 AND handler = ?2 AND state = 1 AND attempt = ?3`},
		{&s.settleUnbegun, `UPDATE runs SET state = ?4, attempt = ?3, started_at = ?8, finished_at = ?5, next_attempt_at = ?6, error = ?7
			WHERE sequence = ?1 AND handler = ?2 AND state = 2 AND attempt = ?3 - 1`},
		{&s.resettle, `UPDATE runs SET state = ?3, next_attempt_at = ?4, error = ?5 WHERE sequence = ?1 AND handler = ?2`},
		{&s.insertAttempt, `INSERT INTO attempts (sequence, handler, attempt, started_at, finished_at, error) VALUES (?,?,?,?,?,?)
			ON CONFLICT (sequence, handler, attempt) DO NOTHING`},
		{&s.uncount, `UPDATE runs SET budget = budget + 1 WHERE sequence = ?1 AND handler = ?2`},
		{&s.insertJoined, `INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at, joined) VALUES (?,?,4,1,?,?,?)
			ON CONFLICT (sequence, handler) DO NOTHING`},
		{&s.moveMark, `UPDATE handlers SET low_water = ?2 WHERE id = ?1 AND low_water < ?2`},
		{&s.insertUser, `INSERT INTO users (name, email, attributes, created_at, event_id) VALUES (?,?,?,?,?)`},
		{&s.findUser, `SELECT id, name, email, attributes, created_at, event_id FROM users WHERE email = ?`},
		{&s.updateUser, `UPDATE users SET name = ?2, attributes = ?3 WHERE id = ?1`},
		{&s.deleteUser, `DELETE FROM users WHERE id = ?`},
		{&s.moveSchedule, `INSERT INTO schedules (name, since, slot, fired, timing, paused) VALUES (?,?,?,?,?,?)
			ON CONFLICT (name) DO UPDATE SET since = excluded.since, slot = excluded.slot, fired = excluded.fired,
				timing = excluded.timing, paused = excluded.paused`},
	} {
		st, err := c.Prepare(p.query)
		if err != nil {
			return fmt.Errorf("statements: %w", err)
		}
		*p.to = st
	}
	return nil
}

// prepared returns a rarely used statement, compiled at its first use.
func (w *writer) prepared(query string) (*conn.Stmt, error) {
	return w.conn.Prepared(query)
}
