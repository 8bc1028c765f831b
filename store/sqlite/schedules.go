package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
)

// ScheduleMarks implements [store.Schedules].
func (s *Store) ScheduleMarks(ctx context.Context) (map[string]store.ScheduleMark, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT name, since, slot, fired, timing, paused FROM schedules`)
	if err != nil {
		return nil, fmt.Errorf("schedule marks: %w", conn.Translate(err))
	}
	defer rows.Close()
	marks := map[string]store.ScheduleMark{}
	for rows.Next() {
		var m store.ScheduleMark
		var since, slot int64
		var fired sql.NullInt64
		if err := rows.Scan(&m.Name, &since, &slot, &fired, &m.Timing, &m.Paused); err != nil {
			return nil, fmt.Errorf("schedule marks: %w", conn.Translate(err))
		}
		m.Since, m.Slot = fromMicros(since), fromMicros(slot)
		if fired.Valid {
			m.Fired = fromMicros(fired.Int64)
		}
		marks[m.Name] = m
	}
	return marks, conn.Translate(rows.Err())
}

// FireSlots implements [store.Schedules].
func (s *Store) FireSlots(ctx context.Context, marks []store.ScheduleMark, evs []*events.Event) ([]store.Receipt, error) {
	receipts := make([]store.Receipt, len(evs))
	err := s.w.submit(ctx, newOp(len(evs)+len(marks), payload(evs), func(t *txn) error {
		if err := t.moveSchedules(marks); err != nil {
			return err
		}
		return t.append(evs, receipts)
	}))
	if err != nil {
		return nil, fmt.Errorf("fire slots: %w", err)
	}
	return receipts, nil
}

// SaveMarks implements [store.Schedules].
func (s *Store) SaveMarks(ctx context.Context, marks []store.ScheduleMark, gone []string) error {
	err := s.w.submit(ctx, newOp(len(marks)+len(gone), 0, func(t *txn) error {
		if err := t.moveSchedules(marks); err != nil {
			return err
		}
		return t.forgetSchedules(gone)
	}))
	if err != nil {
		return fmt.Errorf("save schedules' marks: %w", err)
	}
	return nil
}

func (t *txn) moveSchedules(marks []store.ScheduleMark) error {
	for _, m := range marks {
		var fired any
		if !m.Fired.IsZero() {
			fired = micros(m.Fired)
		}
		if _, err := t.w.stmt.moveSchedule.Exec(m.Name, micros(m.Since), micros(m.Slot), fired, m.Timing, number(m.Paused)); err != nil {
			return fmt.Errorf("schedule %s: %w", m.Name, t.check(err))
		}
	}
	return nil
}

func (t *txn) forgetSchedules(names []string) error {
	forget, err := t.w.prepared(`DELETE FROM schedules WHERE name = ?`)
	if err != nil {
		return t.check(err)
	}
	for _, name := range names {
		if _, err := forget.Exec(name); err != nil {
			return t.check(err)
		}
	}
	return nil
}
