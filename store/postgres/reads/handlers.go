package reads

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/columns"
)

// The mark of a handler is the lowest of its shares.
const handlerColumns = `h.name, h.id, coalesce((SELECT min(s.low_water) FROM evrun.shares s WHERE s.handler = h.id), h.since), h.since, h.active, h.paused,
	coalesce(h.patterns, ''), h.left_at IS NOT NULL, coalesce(h.left_at, 0), h.left_head, coalesce(h.heir, 0), coalesce(h.predecessors, ''),
	coalesce(h.paused_by, ''), coalesce(h.paused_why, ''), coalesce(h.paused_at, 0), coalesce(h.disabled_at, 0)`

// elsewhere is whether a live daemon other than the node in the second parameter has the handler in its wiring.
const elsewhere = `EXISTS (SELECT FROM evrun.wired w JOIN evrun.beats b ON b.node = w.node WHERE w.handler = h.id AND w.node <> $2 AND b.expires_at > clock_timestamp())`

func scanHandler(rows pgx.Rows) (store.Consumer, error) {
	var h columns.Handler
	elsewhere := false
	if err := rows.Scan(&h.Name, &h.ID, &h.LowWater, &h.Since, &h.Active, &h.Paused, &h.Patterns, &h.Left, &h.LeftAt, &h.LeftHead, &h.Heir, &h.Predecessors,
		&h.PausedBy, &h.PausedWhy, &h.PausedAt, &h.DisabledAt, &elsewhere); err != nil {
		return store.Consumer{}, err
	}
	c := h.Consumer()
	c.Elsewhere = elsewhere
	return c, nil
}

// Handlers implements [store.Handlers].
func (r *Reader) Handlers(ctx context.Context, names ...string) ([]store.Consumer, error) {
	if names == nil {
		names = []string{}
	}
	self := int64(0)
	if r.Self != nil {
		self = r.Self()
	}
	found, err := list(ctx, r, scanHandler, `SELECT `+handlerColumns+`, `+elsewhere+`
		FROM evrun.handlers h WHERE cardinality($1::text[]) = 0 OR h.name = ANY($1) ORDER BY h.name`, names, self)
	if err != nil {
		return nil, fmt.Errorf("read handlers: %w", err)
	}
	return found, nil
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
	types, err := r.typesOf(ctx, c.On)
	if err != nil {
		return 0, false, err
	}
	var where condition
	where.add(`e.sequence > ? AND e.sequence <= ?`, c.LowWater, looked)
	where.withoutRun(c.ID)
	where.taken(&c)
	where.addAll(types.condition())
	query, args := numbered(`SELECT count(*) FROM evrun.events e`+where.where(), where.args)
	var matching int64
	if err := r.row(ctx, []any{&matching}, query, args...); err != nil {
		return 0, false, err
	}
	n = upTo - looked
	atMost = n > 0 || len(c.On) == 0
	n += matching
	return n, atMost && n > 0, nil
}
