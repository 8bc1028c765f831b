package reads

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// handlerRows reads the handlers with these names, or all handlers, sorted by name.
func (r *Reader) handlerRows(ctx context.Context, names ...string) ([]*columns.Handler, error) {
	where, args := "", []any{}
	if len(names) > 0 {
		where = ` WHERE name IN (?` + strings.Repeat(`, ?`, len(names)-1) + `)`
		for _, name := range names {
			args = append(args, name)
		}
	}
	rows, err := r.db.QueryContext(ctx, `SELECT `+schema.HandlerColumns+` FROM handlers`+where+` ORDER BY name`, args...)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var list []*columns.Handler
	for rows.Next() {
		h := &columns.Handler{}
		var patterns, predecessors, by, why sql.NullString
		var left, heir, at, disabled sql.NullInt64
		if err := rows.Scan(&h.Name, &h.ID, &h.LowWater, &h.Since, &h.Active, &h.Paused, &patterns, &left, &h.LeftHead, &heir, &predecessors,
			&by, &why, &at, &disabled); err != nil {
			return nil, conn.Translate(err)
		}
		h.Patterns, h.Left, h.LeftAt, h.Heir, h.Predecessors = patterns.String, left.Valid, left.Int64, heir.Int64, predecessors.String
		h.Pause, h.DisabledAt = columns.Pause{PausedBy: by.String, PausedWhy: why.String, PausedAt: at.Int64}, disabled.Int64
		list = append(list, h)
	}
	return list, conn.Translate(rows.Err())
}

// Handlers implements [store.Handlers].
func (r *Reader) Handlers(ctx context.Context, names ...string) ([]store.Consumer, error) {
	rows, err := r.handlerRows(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("read handlers: %w", err)
	}
	list := make([]store.Consumer, len(rows))
	for i, h := range rows {
		list[i] = h.Consumer()
	}
	return list, nil
}

// maxCounted is how many events of the journal CountWaiting checks; it counts all later events as waiting.
const maxCounted = 100_000

// Backlog implements [store.Handlers].
func (r *Reader) Backlog(ctx context.Context, c store.Consumer, upTo int64) (store.Backlog, error) {
	counts, err := r.Counts(ctx)
	if err != nil {
		return store.Backlog{}, fmt.Errorf("count the backlog of handler %s: %w", c.Name, err)
	}
	b := store.Backlog{Counts: counts[c.Name]}
	b.Waiting, b.AtMost, err = r.CountWaiting(ctx, c, upTo)
	return b, err
}

// CountWaiting implements [store.Handlers].
func (r *Reader) CountWaiting(ctx context.Context, c store.Consumer, upTo int64) (n int64, atMost bool, err error) {
	n, atMost, err = r.countWaiting(ctx, c, upTo)
	if err != nil {
		return 0, false, fmt.Errorf("count the backlog of handler %s: %w", c.Name, err)
	}
	return n, atMost, nil
}

func (r *Reader) countWaiting(ctx context.Context, c store.Consumer, upTo int64) (n int64, atMost bool, err error) {
	head, err := r.Head(ctx)
	if err != nil {
		return 0, false, err
	}
	if upTo == 0 || upTo > head {
		upTo = head
	}
	if upTo <= c.LowWater {
		return 0, false, nil
	}
	looked := min(upTo, c.LowWater+maxCounted)
	n = upTo - looked
	atMost = n > 0 || len(c.On) == 0
	condition, args := typeCondition(narrowing(c.On))
	if condition == "" {
		condition = "1"
	}
	target, targets := targetCondition(c)
	rows, err := r.db.QueryContext(ctx, `SELECT e.type, count(*) FROM events e WHERE e.sequence > ? AND e.sequence <= ?
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = e.sequence AND r.handler = ?) AND `+condition+` AND `+target+` GROUP BY e.type`,
		slices.Concat([]any{c.LowWater, looked, int64(c.ID)}, args, targets)...)
	if err != nil {
		return 0, false, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var typ string
		var of int64
		if err := rows.Scan(&typ, &of); err != nil {
			return 0, false, conn.Translate(err)
		}
		if events.Selects(c.On, typ) {
			n += of
		}
	}
	return n, atMost && n > 0, conn.Translate(rows.Err())
}

// targetCondition returns [store.Consumer.Takes] as a condition on e.
func targetCondition(c store.Consumer) (condition string, values []any) {
	const target = `e.extensions ->> '` + columns.TargetKey + `'`
	condition, values = `(e.extensions IS NULL OR ifnull(`+target+` = ?, 1)`, []any{c.Name}
	for _, p := range c.Predecessors {
		condition += ` OR ` + target + ` = ? AND e.sequence <= ?`
		values = append(values, p.Name, p.Head)
	}
	return condition + `)`, values
}
