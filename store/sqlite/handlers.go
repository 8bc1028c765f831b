package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"

	"evrun/events"
	"evrun/store"
)

// Handlers implements [store.Handlers].
func (s *Store) Handlers(ctx context.Context) ([]store.Consumer, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id, name, low_water, active, paused, patterns, left_at, left_head FROM handlers ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read handlers: %w", translate(err))
	}
	defer rows.Close()
	var list []store.Consumer
	for rows.Next() {
		var c store.Consumer
		var active bool
		var patterns sql.NullString
		var left sql.NullInt64
		if err := rows.Scan(&c.ID, &c.Name, &c.LowWater, &active, &c.Paused, &patterns, &left, &c.LeftHead); err != nil {
			return nil, fmt.Errorf("read handlers: %w", translate(err))
		}
		switch {
		case active:
			c.State = store.Active
		case left.Valid:
			c.State = store.Left
		default:
			c.State = store.Forgotten
		}
		if left.Int64 > 0 {
			c.Left = fromMicros(left.Int64)
		}
		c.On = decodePatterns(patterns.String)
		list = append(list, c)
	}
	return list, translate(rows.Err())
}

func encodePatterns(list []events.Pattern) (string, error) {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.String()
	}
	text, err := events.MarshalJSON(names)
	return string(text), err
}

// decodePatterns reads back what encodePatterns made; nil when it is something else, so that all types count.
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

// maxCounted is how many events of the journal Backlog looks at; it takes those beyond for events that wait.
const maxCounted = 100_000

// Backlog implements [store.Handlers].
func (s *Store) Backlog(ctx context.Context, c store.Consumer, upTo int64) (store.Backlog, error) {
	b, err := s.backlog(ctx, c, upTo)
	if err != nil {
		return b, fmt.Errorf("count what handler %s has to do: %w", c.Name, err)
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
		return b, translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var typ string
		var n int64
		if err := rows.Scan(&typ, &n); err != nil {
			return b, translate(err)
		}
		if matches(c.On, typ) {
			b.Waiting += n
		}
	}
	b.AtMost = b.AtMost && b.Waiting > 0
	return b, translate(rows.Err())
}

// Register implements [store.Handlers].
func (s *Store) Register(ctx context.Context, handlers []store.Registration, evs []*events.Event) ([]store.Consumer, error) {
	r := &registering{handlers: handlers, takes: map[string]*taken{}, idle: map[string]bool{}}
	err := s.beforeRegister(ctx, r)
	if err == nil {
		err = s.w.submit(ctx, newOp(len(handlers)+len(evs), payload(evs), func(t *txn) error {
			if err := t.register(r); err != nil {
				return t.check(err)
			}
			return t.emit(evs)
		}))
	}
	if err != nil {
		return nil, fmt.Errorf("register handlers: %w", err)
	}
	return r.consumers, nil
}

// registering is a call of Register.
type registering struct {
	handlers  []store.Registration
	takes     map[string]*taken // by the name of the heir
	idle      map[string]bool   // handlers that had left, and have nothing to do
	consumers []store.Consumer
}

// taken is what a handler takes over.
type taken struct {
	from store.Consumer
	runs []int64 // sequences
}

// beforeRegister reads what need not be read while the writer is held: nobody runs the handlers that it is about.
func (s *Store) beforeRegister(ctx context.Context, r *registering) error {
	if s.w == nil {
		return nil // submit says that it is open for reading only
	}
	list, err := s.Handlers(ctx)
	if err != nil {
		return err
	}
	known, named := map[string]store.Consumer{}, map[string]bool{}
	for _, c := range list {
		known[c.Name] = c
	}
	for _, h := range r.handlers {
		named[h.Name] = true
	}
	for _, h := range r.handlers {
		if c := known[h.Name]; c.State == store.Left && !h.FromMark {
			b, err := s.backlog(ctx, c, 0)
			if err != nil {
				return err
			}
			r.idle[h.Name] = b.Empty()
		}
		if c, ok := known[h.Was]; ok && c.State != store.Forgotten && !named[h.Was] {
			runs, err := s.toTake(ctx, c)
			if err != nil {
				return err
			}
			r.takes[h.Name] = &taken{from: c, runs: runs}
			named[h.Was] = true // one heir
		}
	}
	return nil
}

// toTake gives the sequences of the runs that go to a handler's heir: those that are not settled or are dead, those that
// they took along, and those above the mark, since the heir looks at their events again.
func (s *Store) toTake(ctx context.Context, c store.Consumer) ([]int64, error) {
	rows, err := s.readers.QueryContext(ctx, `
		WITH open AS (
			SELECT sequence FROM runs WHERE handler = ?1 AND state <= 2 UNION SELECT sequence FROM runs WHERE handler = ?1 AND state = 5)
		SELECT sequence FROM open
		UNION SELECT sequence FROM runs WHERE handler = ?1 AND joined IN (SELECT sequence FROM open)
		UNION SELECT sequence FROM runs WHERE handler = ?1 AND sequence > ?2`, int64(c.ID), c.LowWater)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var sequence int64
		if err := rows.Scan(&sequence); err != nil {
			return nil, translate(err)
		}
		list = append(list, sequence)
	}
	return list, translate(rows.Err())
}

// handlerRow is a handler in the writer's transaction.
type handlerRow struct {
	id, lowWater, since    int64
	active, paused         int64
	patterns               string
	left                   bool // it has left_at
	leftAt, leftHead       int64
	changed, fresh, listed bool
}

// register brings the table in line with the wiring. It may run again after a rollback.
func (t *txn) register(r *registering) error {
	stored, err := t.handlerRows()
	if err != nil {
		return err
	}
	head := t.next - 1
	begin, err := t.takeUnattended(head)
	if err != nil {
		return err
	}
	r.consumers = make([]store.Consumer, len(r.handlers))
	rows := make([]*handlerRow, len(r.handlers))
	for i, h := range r.handlers {
		row := stored[h.Name]
		switch {
		case row == nil:
			row = &handlerRow{fresh: true, since: head, lowWater: begin, changed: true}
			if h.FromStart {
				row.lowWater = 0
			}
			stored[h.Name] = row
		case row.active == 0 && !row.left: // forgotten: its mark is where it may begin again
			row.since, row.changed = head, true
			if !h.FromStart {
				row.lowWater = begin
			}
		case row.active == 0:
			row.changed = true
			if late := t.now-row.leftAt > store.ReturnWithin.Microseconds(); late && !r.idle[h.Name] {
				row.paused = 1
			}
		}
		if h.FromMark && row.paused == 1 {
			row.paused, row.changed = 0, true
		}
		patterns, err := encodePatterns(h.On)
		if err != nil {
			return err
		}
		if patterns != row.patterns {
			row.patterns, row.changed = patterns, true
		}
		row.active, row.left, row.listed = 1, false, true
		rows[i] = row
	}
	for _, row := range stored {
		if row.active == 1 && !row.listed {
			row.active, row.left, row.leftAt, row.leftHead, row.changed = 0, true, t.now, head, true
		}
	}
	if err := t.putHandlers(stored); err != nil {
		return err
	}
	for i, h := range r.handlers {
		row := rows[i]
		c := store.Consumer{ID: store.HandlerID(row.id), Name: h.Name, LowWater: row.lowWater, State: store.Active, Paused: row.paused == 1, On: h.On}
		t.w.names[c.ID] = h.Name
		if taken := r.takes[h.Name]; taken != nil {
			if err := t.takeOver(&c, row, stored[taken.from.Name], taken, h.FromMark); err != nil {
				return fmt.Errorf("handler %s takes over from %s: %w", h.Name, h.Was, err)
			}
		}
		r.consumers[i] = c
	}
	return nil
}

func (t *txn) handlerRows() (map[string]*handlerRow, error) {
	list, err := t.w.prepared(`SELECT name, id, low_water, since, active, paused, patterns, left_at, left_head FROM handlers`)
	if err != nil {
		return nil, err
	}
	stored := map[string]*handlerRow{}
	err = list.query(func(row []driver.Value) error {
		h := &handlerRow{id: row[1].(int64), lowWater: row[2].(int64), since: row[3].(int64), active: row[4].(int64), paused: row[5].(int64),
			leftHead: row[8].(int64)}
		h.patterns, _ = row[6].(string)
		h.leftAt, h.left = row[7].(int64)
		stored[row[0].(string)] = h
		return nil
	})
	if err != nil && !noRows(err) {
		return nil, err
	}
	return stored, nil
}

// putHandlers writes what has changed.
func (t *txn) putHandlers(rows map[string]*handlerRow) error {
	insert, err := t.w.prepared(`INSERT INTO handlers (name, low_water, since, active, patterns) VALUES (?, ?, ?, 1, ?)`)
	if err != nil {
		return err
	}
	update, err := t.w.prepared(`UPDATE handlers SET low_water = ?2, since = ?3, active = ?4, paused = ?5, patterns = ?6, left_at = ?7,
		left_head = ?8 WHERE id = ?1`)
	if err != nil {
		return err
	}
	for name, row := range rows {
		switch {
		case row.fresh:
			row.id, err = insert.insert(name, row.lowWater, row.since, row.patterns)
			row.fresh = false
		case row.changed:
			var leftAt any
			if row.left {
				leftAt = row.leftAt
			}
			_, err = update.exec(row.id, row.lowWater, row.since, row.active, row.paused, orNull(row.patterns), leftAt, row.leftHead)
		}
		if err != nil {
			return err
		}
		row.changed = false
	}
	return nil
}

// takeOver gives a handler the mark and the runs of the one that it was.
func (t *txn) takeOver(c *store.Consumer, heir, was *handlerRow, taken *taken, fromMark bool) error {
	if was == nil || was.lowWater != taken.from.LowWater || was.active == 0 && !was.left {
		return fmt.Errorf("it has changed meanwhile") // somebody ran it
	}
	mark := was.lowWater
	if heir.since < was.leftHead { // both were wired at a time: the heir has a backlog of its own
		mark = min(mark, heir.lowWater)
	}
	heir.lowWater, heir.changed = mark, true
	if was.paused == 1 && !fromMark {
		heir.paused = 1
	}
	// Its name may come again, and then begins here at the earliest: ids of runs are never given twice.
	was.active, was.left, was.paused, was.lowWater, was.changed = 0, false, 0, t.next-1, true
	if err := t.putHandlers(map[string]*handlerRow{c.Name: heir, taken.from.Name: was}); err != nil {
		return err
	}
	c.LowWater, c.Paused, c.Took = mark, heir.paused == 1, true
	// A sequence on which both have a run stays with each.
	move, err := t.w.prepared(`UPDATE OR IGNORE runs SET handler = ?3, began_as = ifnull(began_as, ?2) WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	history, err := t.w.prepared(`UPDATE OR IGNORE attempts SET handler = ?3 WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	for _, sequence := range taken.runs {
		n, err := move.exec(sequence, was.id, heir.id)
		if err == nil && n == 1 {
			_, err = history.exec(sequence, was.id, heir.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The key of meta that has the head before the first event which was accepted while nobody was registered.
const unattendedKey = "unattended"

// noteUnattended records that events are accepted which no handler that is new could see.
func (t *txn) noteUnattended(sequence int64) error {
	if !t.w.opt.Unattended || t.noted {
		return nil
	}
	t.noted = true
	note, err := t.w.prepared(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	_, err = note.exec(unattendedKey, strconv.FormatInt(sequence-1, 10))
	return err
}

// takeUnattended gives the sequence at which new handlers begin, and lets later ones begin at the head.
func (t *txn) takeUnattended(head int64) (int64, error) {
	take, err := t.w.prepared(`DELETE FROM meta WHERE key = ? RETURNING value`)
	if err != nil {
		return 0, err
	}
	begin := head
	err = take.query(func(row []driver.Value) error {
		begin, err = strconv.ParseInt(row[0].(string), 10, 64)
		return err
	}, unattendedKey)
	if noRows(err) {
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
		if row.active == 0 {
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		if paused = row.paused == 1; !paused {
			return nil
		}
		row.paused, row.changed = 0, true
		if skipTo > row.lowWater {
			row.lowWater = min(skipTo, t.next-1)
		}
		if err := t.putHandlers(map[string]*handlerRow{name: row}); err != nil {
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
		case row.active == 1:
			return fmt.Errorf("handler %q: %w", name, store.ErrActive)
		case !row.left:
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		row.left, row.paused, row.lowWater, row.changed = false, 0, 0, true
		if err := t.putHandlers(map[string]*handlerRow{name: row}); err != nil {
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

// dropOpen drops the runs of a handler that are in such a state.
func (t *txn) dropOpen(handler int64, state, reason string) error {
	drop, err := t.w.prepared(`UPDATE runs SET state = 6, finished_at = ?2, next_attempt_at = NULL, reason = ?3 WHERE handler = ?1 AND ` + state)
	if err == nil {
		_, err = drop.exec(handler, t.now, reason)
	}
	return err
}
