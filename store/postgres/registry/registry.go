// Package registry changes the handlers of a store: which ones the daemons have wired, who takes over from whom, and which ones are paused or forgotten.
//
// Changes are made one after the other, whichever daemon makes them. A handler is active while a daemon has it in its wiring; it leaves with the last one
// that had it. Its low-water mark is that of its shares, which others may hold meanwhile: what lowers a mark waits until nobody holds them.
//
// No goroutines.
package registry

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"evrun/store/columns"
)

// Tx is the transaction of a change.
type Tx interface {
	Exec(query string, args ...any) (rows int64, err error)
	Query(query string, args ...any) (pgx.Rows, error)
	Row(query string, args ...any) pgx.Row
}

// Change is a change of the handlers.
type Change struct {
	tx        Tx
	now, head int64 // when it is made, and the journal's head then
	node      int64 // who makes it; 0: a process that is not a daemon
	rows      map[string]*row
	changed   bool
}

// Changed reports whether there is anything that other daemons must know.
func (c *Change) Changed() bool { return c.changed }

// row is a handler's row in the transaction.
type row struct {
	columns.Handler
	changed bool // put has something to write
	marked  bool // its LowWater is to be that of all its shares
}

// What is done one after the other, whichever process does it. The other numbers are those of handlers whose slots are moved: see package nodes.
const (
	Handlers = math.MinInt32 + iota // changes of the handlers
	Tokens                          // new tokens
)

// Alone waits until no other transaction is in what, and keeps others waiting until this one has ended.
func Alone(tx Tx, what int64) error {
	_, err := tx.Exec(`SELECT pg_advisory_xact_lock(1702261365, $1)`, what) // the first number is evrun's own: "evru"
	return err
}

// Begin waits for its turn.
func Begin(tx Tx, now, node int64) (*Change, error) {
	if err := Alone(tx, Handlers); err != nil {
		return nil, err
	}
	c := &Change{tx: tx, now: now, node: node}
	return c, c.read()
}

// read reads the handlers and the head.
func (c *Change) read() error {
	if err := c.tx.Row(`SELECT head FROM evrun.journal`).Scan(&c.head); err != nil {
		return err
	}
	list, err := Read(c.tx)
	c.rows = make(map[string]*row, len(list))
	for _, h := range list {
		c.rows[h.Name] = &row{Handler: *h}
	}
	return err
}

// Read returns all handlers that were ever registered.
func Read(tx interface {
	Query(query string, args ...any) (pgx.Rows, error)
}) ([]*columns.Handler, error) {
	rows, err := tx.Query(`SELECT id, name, (SELECT min(low_water) FROM evrun.shares s WHERE s.handler = h.id), since, active, paused, coalesce(patterns, ''),
			left_at IS NOT NULL, coalesce(left_at, 0), left_head, coalesce(heir, 0), coalesce(predecessors, ''),
			coalesce(paused_by, ''), coalesce(paused_why, ''), coalesce(paused_at, 0), coalesce(disabled_at, 0)
		FROM evrun.handlers h`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (*columns.Handler, error) {
		h := &columns.Handler{}
		return h, r.Scan(&h.ID, &h.Name, &h.LowWater, &h.Since, &h.Active, &h.Paused, &h.Patterns, &h.Left, &h.LeftAt, &h.LeftHead, &h.Heir, &h.Predecessors,
			&h.PausedBy, &h.PausedWhy, &h.PausedAt, &h.DisabledAt)
	})
}

// WaitForChanges has a transaction wait until no change of the handlers goes on, and none be made until the transaction ends.
func WaitForChanges(tx interface {
	Exec(query string, args ...any) (rows int64, err error)
}) error {
	_, err := tx.Exec(`SELECT pg_advisory_xact_lock_shared(1702261365, 1)`)
	return err
}

func (c *Change) readHead() error { return c.tx.Row(`SELECT head FROM evrun.journal`).Scan(&c.head) }

// sorted are the handlers in the order of their names.
func (c *Change) sorted() []*row {
	list := make([]*row, 0, len(c.rows))
	for _, h := range c.rows {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b *row) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// put inserts or updates a handler's row. A new handler gets its slots, which nobody has.
func (c *Change) put(h *row) error {
	if !h.changed {
		return nil
	}
	h.changed, c.changed = false, true
	var leftAt any
	if h.Left {
		leftAt = h.LeftAt
	}
	args := []any{h.Name, h.Since, h.Active, h.Paused, orNull(h.Patterns), leftAt, h.LeftHead, orNull(h.Heir), orNull(h.Predecessors),
		orNull(h.PausedBy), orNull(h.PausedWhy), orNull(h.PausedAt), orNull(h.DisabledAt)}
	if h.ID == 0 {
		h.marked = false
		return c.tx.Row(`WITH h AS (
				INSERT INTO evrun.handlers (name, since, active, paused, patterns, left_at, left_head, heir, predecessors, paused_by, paused_why, paused_at, disabled_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id)
			INSERT INTO evrun.shares (handler, slots, low_water) SELECT id, -1, $14::bigint FROM h RETURNING handler`, append(args, h.LowWater)...).Scan(&h.ID)
	}
	_, err := c.tx.Exec(`UPDATE evrun.handlers SET since = $2, active = $3, paused = $4, patterns = $5, left_at = $6, left_head = $7, heir = $8, predecessors = $9,
		paused_by = $10, paused_why = $11, paused_at = $12, disabled_at = $13 WHERE name = $1`, args...)
	if err == nil && h.marked {
		err = c.putMark(h)
	}
	return err
}

// putMark gives all shares of a handler its mark.
func (c *Change) putMark(h *row) error {
	h.marked = false
	if err := Alone(c.tx, h.ID); err != nil { // nobody moves its slots, and makes shares anew
		return err
	}
	_, err := c.tx.Exec(`UPDATE evrun.shares SET low_water = $2 WHERE handler = $1`, h.ID, h.LowWater)
	return err
}

func (c *Change) putAll() error {
	for _, h := range c.sorted() {
		if err := c.put(h); err != nil {
			return fmt.Errorf("handler %s: %w", h.Name, err)
		}
	}
	return nil
}

// orNull stores the zero value as NULL.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
