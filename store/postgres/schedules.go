package postgres

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/schema"
)

// FireSlots implements [store.Schedules].
func (s *Store) FireSlots(ctx context.Context, marks []store.ScheduleMark, evs []*events.Event) (receipts []store.Receipt, err error) {
	err = s.change(ctx, func(t *txn) error {
		receipts = make([]store.Receipt, len(evs))
		if err := t.moveSchedules(marks); err != nil {
			return err
		}
		t.tell(store.Foreign{Schedules: len(marks) > 0})
		t.accept(evs, receipts)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("fire slots: %w", err)
	}
	return receipts, nil
}

// SaveMarks implements [store.Schedules].
func (s *Store) SaveMarks(ctx context.Context, marks []store.ScheduleMark, gone []string) error {
	err := s.change(ctx, func(t *txn) error {
		if err := t.moveSchedules(marks); err != nil {
			return err
		}
		t.tell(store.Foreign{Schedules: true})
		return t.forgetSchedules(gone)
	})
	if err != nil {
		return fmt.Errorf("save schedules' marks: %w", err)
	}
	return nil
}

// moveSchedules stores marks. While the timing of a schedule stays the same, its mark never goes back: another daemon may have fired its slots since the
// caller read it. What moves the mark on does not end a pause that the caller has not seen.
func (t *txn) moveSchedules(marks []store.ScheduleMark) error {
	if len(marks) == 0 {
		return nil
	}
	var (
		n             = len(marks)
		names, timing = make([]string, n), make([]string, n)
		since, slot   = make([]int64, n), make([]int64, n)
		fired, paused = make([]*int64, n), make([]bool, n)
	)
	for i, m := range marks {
		names[i], timing[i], since[i], slot[i], paused[i] = m.Name, m.Timing, schema.Micros(m.Since), schema.Micros(m.Slot), m.Paused
		if !m.Fired.IsZero() {
			us := schema.Micros(m.Fired)
			fired[i] = &us
		}
	}
	_, err := t.exec(`INSERT INTO evrun.schedules AS s (name, since, slot, fired, timing, paused)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::boolean[]) ORDER BY 1
		ON CONFLICT (name) DO UPDATE SET since = excluded.since, timing = excluded.timing,
			slot = CASE WHEN s.timing = excluded.timing THEN greatest(s.slot, excluded.slot) ELSE excluded.slot END,
			fired = CASE WHEN s.timing = excluded.timing THEN greatest(s.fired, excluded.fired) ELSE excluded.fired END,
			paused = CASE WHEN s.timing = excluded.timing AND s.slot < excluded.slot THEN s.paused ELSE excluded.paused END`,
		names, since, slot, fired, timing, paused)
	if err != nil {
		return fmt.Errorf("store marks of schedules: %w", err)
	}
	return nil
}

func (t *txn) forgetSchedules(names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := t.exec(`DELETE FROM evrun.schedules WHERE name = ANY ($1)`, names)
	return err
}
