package sqlite

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/schema"
)

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
			fired = schema.Micros(m.Fired)
		}
		if _, err := t.w.stmt.moveSchedule.Exec(m.Name, schema.Micros(m.Since), schema.Micros(m.Slot), fired, m.Timing, number(m.Paused)); err != nil {
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
