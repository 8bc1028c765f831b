package sqlite

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// ScheduleMarks implements [store.Schedules].
func (s *Store) ScheduleMarks(ctx context.Context) (map[string]store.ScheduleMark, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT name, since, slot, paused FROM schedules`)
	if err != nil {
		return nil, fmt.Errorf("schedule marks: %w", translate(err))
	}
	defer rows.Close()
	marks := map[string]store.ScheduleMark{}
	for rows.Next() {
		var m store.ScheduleMark
		var since, slot int64
		if err := rows.Scan(&m.Name, &since, &slot, &m.Paused); err != nil {
			return nil, fmt.Errorf("schedule marks: %w", translate(err))
		}
		m.Since, m.Slot = fromMicros(since), fromMicros(slot)
		marks[m.Name] = m
	}
	return marks, translate(rows.Err())
}

// FireSlots implements [store.Schedules].
func (s *Store) FireSlots(ctx context.Context, marks []store.ScheduleMark, evs []*events.Event) ([]store.Receipt, error) {
	receipts := make([]store.Receipt, len(evs))
	err := s.w.submit(ctx, newOp(len(evs)+len(marks), payload(evs), func(t *txn) error {
		for _, m := range marks {
			paused := int64(0)
			if m.Paused {
				paused = 1
			}
			if _, err := t.w.stmt.moveSchedule.exec(m.Name, micros(m.Since), micros(m.Slot), paused); err != nil {
				return fmt.Errorf("schedule %s: %w", m.Name, t.check(err))
			}
		}
		return t.append(evs, receipts)
	}))
	if err != nil {
		return nil, fmt.Errorf("fire slots: %w", err)
	}
	return receipts, nil
}
