package reads

import (
	"context"
	"database/sql"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// ScheduleMarks implements [store.Schedules].
func (r *Reader) ScheduleMarks(ctx context.Context) (map[string]store.ScheduleMark, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT name, since, slot, fired, timing, paused FROM schedules`)
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
		m.Since, m.Slot = schema.Time(since), schema.Time(slot)
		if fired.Valid {
			m.Fired = schema.Time(fired.Int64)
		}
		marks[m.Name] = m
	}
	return marks, conn.Translate(rows.Err())
}
