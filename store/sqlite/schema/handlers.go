package schema

import (
	"database/sql/driver"

	"evrun/store/columns"
)

// HandlerColumns are the columns of a [columns.Handler].
const HandlerColumns = `name, id, low_water, since, active, paused, patterns, left_at, left_head, heir, predecessors,
	paused_by, paused_why, paused_at, disabled_at`

// ScanHandler reads a row with the HandlerColumns.
func ScanHandler(row []driver.Value) *columns.Handler {
	number := func(i int) int64 {
		n, _ := row[i].(int64)
		return n
	}
	text := func(i int) string {
		s, _ := row[i].(string)
		return s
	}
	_, left := row[7].(int64)
	return &columns.Handler{Name: text(0), ID: number(1), LowWater: number(2), Since: number(3), Active: number(4) == 1, Paused: number(5) == 1,
		Patterns: text(6), Left: left, LeftAt: number(7), LeftHead: number(8), Heir: number(9), Predecessors: text(10),
		Pause: columns.Pause{PausedBy: text(11), PausedWhy: text(12), PausedAt: number(13)}, DisabledAt: number(14)}
}
