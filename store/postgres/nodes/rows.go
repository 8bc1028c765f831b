package nodes

import (
	"context"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/schema"
)

// sender is a pool or a transaction.
type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// read reads what is stored of the sharing of handlers. Those that don't exist have nothing.
func read(ctx context.Context, from sender, ids []store.HandlerID) (map[store.HandlerID]*handler, error) {
	handlers := make(map[store.HandlerID]*handler, len(ids))
	for _, id := range ids {
		handlers[id] = &handler{id: id, open: id < 0}
	}
	b := &pgx.Batch{}
	b.Queue(`SELECT id, coalesce(division, ''), active AND NOT paused AND disabled_at IS NULL FROM evrun.handlers WHERE id = ANY($1)`, ids).
		Query(func(rows pgx.Rows) error {
			var id store.HandlerID
			var division string
			var open bool
			_, err := pgx.ForEachRow(rows, []any{&id, &division, &open}, func() error {
				handlers[id].division, handlers[id].open = division, open
				return nil
			})
			return err
		})
	b.Queue(`SELECT handler, node, division FROM evrun.wants WHERE handler = ANY($1)`, ids).Query(func(rows pgx.Rows) error {
		var id store.HandlerID
		var w want
		_, err := pgx.ForEachRow(rows, []any{&id, &w.node, &w.division}, func() error {
			handlers[id].wants = append(handlers[id].wants, w)
			return nil
		})
		return err
	})
	b.Queue(`SELECT handler, id, slots, coalesce(node, 0), low_water FROM evrun.shares WHERE handler = ANY($1) ORDER BY id`, ids).Query(func(rows pgx.Rows) error {
		var id store.HandlerID
		var s share
		var slots int64
		_, err := pgx.ForEachRow(rows, []any{&id, &s.id, &slots, &s.node, &s.mark}, func() error {
			s.slots = store.Slots(slots)
			handlers[id].shares = append(handlers[id].shares, s)
			return nil
		})
		return err
	})
	return handlers, from.SendBatch(ctx, b).Close()
}

// write stores the shares of node me and the free ones, all of whose rows are locked, as they are after a move.
func (h *handler) write(ctx context.Context, tx pgx.Tx, me int64, after []share, redivide bool, division string) error {
	b := &pgx.Batch{}
	var before []share
	for _, s := range h.shares {
		if s.node == me || s.node == 0 {
			before = append(before, s)
		}
	}
	for i, s := range after {
		node := any(s.node)
		if s.node == 0 {
			node = nil
		}
		switch {
		case i >= len(before):
			b.Queue(`INSERT INTO evrun.shares (handler, slots, node, low_water) VALUES ($1, $2, $3, $4)`, h.id, int64(s.slots), node, s.mark)
		case s.slots != before[i].slots || s.node != before[i].node || s.mark != before[i].mark:
			b.Queue(`UPDATE evrun.shares SET slots = $2, node = $3, low_water = $4 WHERE id = $1`, before[i].id, int64(s.slots), node, s.mark)
		}
	}
	for _, s := range before[min(len(before), len(after)):] {
		b.Queue(`DELETE FROM evrun.shares WHERE id = $1`, s.id)
	}
	if redivide {
		b.Queue(`UPDATE evrun.handlers SET division = $2 WHERE id = $1`, h.id, division)
	}
	// A node that has just been taken over takes nothing: its row is locked by who does that, or has gone.
	b.Queue(`SELECT 1 / (count(*)) FROM (SELECT FROM evrun.nodes WHERE id = $1 FOR KEY SHARE) AS alive`, me)
	return tx.SendBatch(ctx, b).Close()
}

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// List returns the daemons that share the store; self is the node of this process, or 0.
func List(ctx context.Context, from querier, self int64) ([]store.Node, error) {
	rows, err := from.Query(ctx, `SELECT n.id, n.name, n.version, n.started_at, b.expires_at, n.labels, n.wiring,
			s.handler, coalesce(h.name, ''), s.slots
		FROM evrun.nodes n JOIN evrun.beats b ON b.node = n.id
		LEFT JOIN (SELECT node, handler, bit_or(slots) AS slots FROM evrun.shares GROUP BY node, handler) s ON s.node = n.id
		LEFT JOIN evrun.handlers h ON h.id = s.handler
		ORDER BY n.id, h.name, s.handler DESC`)
	if err != nil {
		return nil, err
	}
	var list []store.Node
	var (
		n       store.Node
		started int64
		handler *store.HandlerID
		name    string
		slots   *int64
	)
	_, err = pgx.ForEachRow(rows, []any{&n.ID, &n.Name, &n.Version, &started, &n.Expires, &n.Labels, &n.Wiring, &handler, &name, &slots}, func() error {
		if len(list) == 0 || list[len(list)-1].ID != n.ID {
			n.Started, n.Expires, n.Self = schema.Time(started), n.Expires.UTC(), n.ID == self
			list = append(list, n)
		}
		if handler != nil {
			l := &list[len(list)-1]
			l.Holdings = append(l.Holdings, store.Holding{Handler: *handler, Name: nameOf(*handler, name), Slots: store.Slots(*slots)})
		}
		return nil
	})
	return list, err
}

func nameOf(id store.HandlerID, name string) string {
	switch id {
	case store.LeadSchedules:
		return "schedules"
	case store.LeadRetention:
		return "retention"
	}
	return name
}
