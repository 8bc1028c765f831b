package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
)

// handlerRow is a handler as it is stored.
type handlerRow struct {
	id              int64
	name            string
	lowWater, since int64
	active, paused  bool
	patterns        string
	left            bool // it has left_at
	leftAt          int64
	leftHead        int64
	heir            int64 // 0: none
	changed         bool
}

const handlerColumns = `name, id, low_water, since, active, paused, patterns, left_at, left_head, heir`

// forgotten reports whether the row is only kept because runs refer to it.
func (h *handlerRow) forgotten() bool { return !h.active && !h.left }

func (h *handlerRow) consumer() store.Consumer {
	c := store.Consumer{ID: store.HandlerID(h.id), Name: h.name, LowWater: h.lowWater, Paused: h.paused, LeftHead: h.leftHead, On: decodePatterns(h.patterns)}
	switch {
	case h.active:
		c.State = store.Active
	case h.left:
		c.State = store.Left
	default:
		c.State = store.Forgotten
	}
	if h.left && h.leftAt > 0 {
		c.Left = fromMicros(h.leftAt)
	}
	return c
}

// handlerRows reads the handlers with these names, or all handlers, sorted by name.
func (s *Store) handlerRows(ctx context.Context, names ...string) ([]*handlerRow, error) {
	where, args := "", []any{}
	if len(names) > 0 {
		where = ` WHERE name IN (?` + strings.Repeat(`, ?`, len(names)-1) + `)`
		for _, name := range names {
			args = append(args, name)
		}
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT `+handlerColumns+` FROM handlers`+where+` ORDER BY name`, args...)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var list []*handlerRow
	for rows.Next() {
		h := &handlerRow{}
		var patterns sql.NullString
		var left, heir sql.NullInt64
		if err := rows.Scan(&h.name, &h.id, &h.lowWater, &h.since, &h.active, &h.paused, &patterns, &left, &h.leftHead, &heir); err != nil {
			return nil, conn.Translate(err)
		}
		h.patterns, h.left, h.leftAt, h.heir = patterns.String, left.Valid, left.Int64, heir.Int64
		list = append(list, h)
	}
	return list, conn.Translate(rows.Err())
}

// Handlers implements [store.Handlers].
func (s *Store) Handlers(ctx context.Context, names ...string) ([]store.Consumer, error) {
	rows, err := s.handlerRows(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("read handlers: %w", err)
	}
	list := make([]store.Consumer, len(rows))
	for i, h := range rows {
		list[i] = h.consumer()
	}
	return list, nil
}

func encodePatterns(list []events.Pattern) (string, error) {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.String()
	}
	text, err := events.MarshalJSON(names)
	return string(text), err
}

// decodePatterns is the inverse of encodePatterns. For any other text it returns nil, so that all types match.
func decodePatterns(text string) []events.Pattern {
	var names []string
	if json.Unmarshal([]byte(text), &names) != nil {
		return nil
	}
	var list []events.Pattern
	for _, name := range names {
		p, err := events.ParsePattern(name)
		if err != nil {
			return nil
		}
		list = append(list, p)
	}
	return list
}

// maxCounted is how many events of the journal Backlog checks; it counts all later events as waiting.
const maxCounted = 100_000

// Backlog implements [store.Handlers].
func (s *Store) Backlog(ctx context.Context, c store.Consumer, upTo int64) (store.Backlog, error) {
	b, err := s.backlog(ctx, c, upTo)
	if err != nil {
		return b, fmt.Errorf("count the backlog of handler %s: %w", c.Name, err)
	}
	return b, nil
}

func (s *Store) backlog(ctx context.Context, c store.Consumer, upTo int64) (b store.Backlog, err error) {
	head, err := s.Head(ctx)
	if err != nil {
		return b, err
	}
	if upTo == 0 || upTo > head {
		upTo = head
	}
	counts, err := s.Counts(ctx)
	if err != nil {
		return b, err
	}
	b.Counts = counts[c.Name]
	looked := min(upTo, c.LowWater+maxCounted)
	b.Waiting = max(0, upTo-looked)
	if b.AtMost = b.Waiting > 0 || len(c.On) == 0; looked <= c.LowWater {
		b.AtMost = false
		return b, nil
	}
	condition, args := typeCondition(c.On)
	if condition == "" {
		condition = "1"
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT e.type, count(*) FROM events e WHERE e.sequence > ? AND e.sequence <= ?
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = e.sequence AND r.handler = ?) AND `+condition+` GROUP BY e.type`,
		append([]any{c.LowWater, looked, int64(c.ID)}, args...)...)
	if err != nil {
		return b, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var typ string
		var n int64
		if err := rows.Scan(&typ, &n); err != nil {
			return b, conn.Translate(err)
		}
		if matches(c.On, typ) {
			b.Waiting += n
		}
	}
	b.AtMost = b.AtMost && b.Waiting > 0
	return b, conn.Translate(rows.Err())
}

// The key in meta for the journal's head before the first event that was accepted while no handlers were registered.
const unattendedKey = "unattended"

// noteUnattended records the journal's head before the first event that is accepted while no handlers are registered.
func (t *txn) noteUnattended(sequence int64) error {
	if !t.w.opt.Unattended || t.noted {
		return nil
	}
	t.noted = true
	note, err := t.w.prepared(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	_, err = note.Exec(unattendedKey, strconv.FormatInt(sequence-1, 10))
	return err
}

// takeUnattended returns the sequence at which new handlers begin, and deletes it, so that later ones begin at the head.
func (t *txn) takeUnattended(head int64) (int64, error) {
	take, err := t.w.prepared(`DELETE FROM meta WHERE key = ? RETURNING value`)
	if err != nil {
		return 0, err
	}
	begin := head
	err = take.Query(func(row []driver.Value) error {
		begin, err = strconv.ParseInt(row[0].(string), 10, 64)
		return err
	}, unattendedKey)
	if conn.NoRows(err) {
		return head, nil
	}
	return min(begin, head), err
}

// Resume implements [store.Handlers].
func (s *Store) Resume(ctx context.Context, name string, skipTo int64, evs []*events.Event) (paused bool, err error) {
	err = s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		row, err := t.handler(name)
		if err != nil {
			return err
		}
		if !row.active {
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		if paused = row.paused; !paused {
			return nil
		}
		row.paused, row.changed = false, true
		if skipTo > row.lowWater {
			row.lowWater = min(skipTo, t.next-1)
		}
		if err := t.putHandler(row); err != nil {
			return t.check(err)
		}
		if skipTo > 0 {
			if err := t.dropOpen(row.id, `state <= 2`, "left out when its handler was resumed"); err != nil {
				return t.check(err)
			}
		}
		return t.emit(evs)
	}))
	if err != nil {
		return false, fmt.Errorf("resume: %w", err)
	}
	return paused, nil
}

// Forget implements [store.Handlers].
func (s *Store) Forget(ctx context.Context, name string, evs []*events.Event) error {
	err := s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		row, err := t.handler(name)
		if err != nil {
			return err
		}
		switch {
		case row.active:
			return fmt.Errorf("handler %q: %w", name, store.ErrActive)
		case !row.left:
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		row.left, row.paused, row.lowWater, row.heir, row.changed = false, false, 0, 0, true
		if err := t.putHandler(row); err != nil {
			return t.check(err)
		}
		if err := t.dropOpen(row.id, `(state <= 2 OR state = 5)`, "dropped with its handler, which was forgotten"); err != nil {
			return t.check(err)
		}
		return t.emit(evs)
	}))
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return nil
}

// handler reads one handler's row.
func (t *txn) handler(name string) (*handlerRow, error) {
	rows, err := t.handlerRows()
	if err != nil {
		return nil, t.check(err)
	}
	row := rows[name]
	if row == nil {
		return nil, fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
	}
	return row, nil
}

// dropOpen drops the runs of a handler that match an SQL condition on their state.
func (t *txn) dropOpen(handler int64, state, reason string) error {
	drop, err := t.w.prepared(`UPDATE runs SET state = 6, finished_at = ?2, next_attempt_at = NULL, reason = ?3 WHERE handler = ?1 AND ` + state)
	if err == nil {
		_, err = drop.Exec(handler, t.now, reason)
	}
	return err
}
