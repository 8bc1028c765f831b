package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
)

// Register implements [store.Handlers].
func (s *Store) Register(ctx context.Context, handlers []store.Registration, evs []*events.Event) ([]store.Consumer, error) {
	if handlers == nil {
		handlers = []store.Registration{}
	}
	return s.Rewire(ctx, store.Wiring{Handlers: handlers, Events: evs})
}

// registering is a call of Register.
type registering struct {
	handlers  []store.Registration
	idle      map[string]bool // handlers that had left and have no work to do
	takeovers []takeover      // in this order
	consumers []store.Consumer
}

// takeover says that one handler takes over from another.
type takeover struct {
	heir, was string
	mark      int64   // the row of was when the takeover was planned
	runs      []int64 // the sequences of the runs of was that are taken over
}

// plan reads everything that can't change, before the writer is held: none of these handlers runs.
func (s *Store) plan(ctx context.Context, r *registering) error {
	if s.w == nil {
		return nil // submit will report that the store is read-only
	}
	rows, err := s.handlerRows(ctx)
	if err != nil {
		return err
	}
	p := planning{s: s, rows: rows, named: map[string]bool{}, heirs: map[string]string{}, r: r}
	for _, h := range r.handlers {
		p.named[h.Name], p.heirs[h.Was] = true, h.Name
	}
	for _, h := range r.handlers {
		row := p.find(func(row *handlerRow) bool { return row.name == h.Name })
		if row != nil && row.left && !h.FromMark {
			b, err := s.backlog(ctx, row.consumer(), 0)
			if err != nil {
				return err
			}
			r.idle[h.Name] = b.Empty()
		}
		if !h.Later {
			if row == nil {
				row = &handlerRow{name: h.Name, since: -1}
			}
			if _, err := p.takes(ctx, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// planning finds out which handler takes over from which.
type planning struct {
	s     *Store
	rows  []*handlerRow
	named map[string]bool   // wired handlers (nobody takes over from these), and predecessors
	heirs map[string]string // the takeovers that the wiring asks for
	r     *registering
}

func (p *planning) find(is func(*handlerRow) bool) *handlerRow {
	if i := slices.IndexFunc(p.rows, is); i >= 0 {
		return p.rows[i]
	}
	return nil
}

// takes plans which runs a handler takes over: those of its predecessors and, in turn, of their predecessors. It returns their sequences.
func (p *planning) takes(ctx context.Context, heir *handlerRow) (runs []int64, err error) {
	for _, row := range p.rows {
		named, ok := p.heirs[row.name]
		if row.forgotten() || p.named[row.name] || named != heir.name && (ok || row.heir == 0 || row.heir != heir.id) {
			continue
		}
		p.named[row.name] = true
		more, err := p.takes(ctx, row)
		if err != nil {
			return nil, err
		}
		own, err := p.s.toTake(ctx, row.id, row.lowWater) // as it is after it took over
		if err != nil {
			return nil, err
		}
		step := takeover{heir: heir.name, was: row.name, mark: row.lowWater, runs: append(more, own...)}
		p.r.takeovers = append(p.r.takeovers, step)
		runs = append(runs, step.runs...)
		heir.lowWater = markAfter(heir, row)
	}
	return runs, nil
}

// markAfter returns the mark of a handler that takes over from another.
func markAfter(heir, was *handlerRow) int64 {
	if heir.since >= 0 && heir.since < was.leftHead { // both were wired at the same time: the heir keeps its own backlog
		return min(was.lowWater, heir.lowWater)
	}
	return was.lowWater
}

// toTake returns the sequences of the runs that go to a handler's heir: unsettled and dead runs, the runs that they joined, and runs above the mark,
// because the heir reads those events again.
func (s *Store) toTake(ctx context.Context, handler, mark int64) ([]int64, error) {
	// No time limit: it runs at a start or a reload, and with a limit the heir might never start.
	rows, err := s.readers.DB.QueryContext(ctx, `
		WITH open AS (
			SELECT sequence FROM runs WHERE handler = ?1 AND state <= 2 UNION SELECT sequence FROM runs WHERE handler = ?1 AND state = 5)
		SELECT sequence FROM open
		UNION SELECT sequence FROM runs WHERE handler = ?1 AND joined IN (SELECT sequence FROM open)
		UNION SELECT sequence FROM runs WHERE handler = ?1 AND sequence > ?2`, handler, mark)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var sequence int64
		if err := rows.Scan(&sequence); err != nil {
			return nil, conn.Translate(err)
		}
		list = append(list, sequence)
	}
	return list, conn.Translate(rows.Err())
}

// register updates the table to match the wiring. It may run again after a rollback.
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
	named := map[string]bool{}
	for _, h := range r.handlers {
		row, err := t.activate(h, stored[h.Name], head, begin, r.idle[h.Name])
		if err != nil {
			return err
		}
		stored[h.Name], named[h.Name] = row, true
		t.w.names[store.HandlerID(row.id)] = h.Name
	}
	for _, row := range stored {
		if row.active && !named[row.name] {
			row.active, row.left, row.leftAt, row.leftHead, row.changed = false, true, t.now, head, true
		}
	}
	for _, h := range r.handlers {
		if was := stored[h.Was]; was != nil && was.left {
			was.heir, was.changed = stored[h.Name].id, true
		}
	}
	took := map[string]bool{}
	for _, step := range r.takeovers {
		if err := t.takeOver(stored[step.heir], stored[step.was], &step); err != nil {
			return fmt.Errorf("handler %s takes over from %s: %w", step.heir, step.was, err)
		}
		took[step.heir] = true
	}
	r.answer(stored, took)
	for _, row := range stored {
		if err := t.putHandler(row); err != nil {
			return err
		}
	}
	return nil
}

// activate writes the row of a wired handler; row is the stored one, or nil. New handlers begin at begin.
func (t *txn) activate(h store.Registration, row *handlerRow, head, begin int64, idle bool) (*handlerRow, error) {
	switch {
	case row == nil:
		row = &handlerRow{name: h.Name, since: head, lowWater: begin}
		if h.FromStart {
			row.lowWater = 0
		}
	case row.forgotten(): // its mark is where a later handler of this name begins
		if row.since = head; !h.FromStart {
			row.lowWater = begin
		}
	case row.left:
		late := t.now-row.leftAt > store.ReturnWithin.Microseconds()
		row.paused = row.paused || late && !idle
	}
	patterns, err := encodePatterns(h.On)
	if err != nil {
		return nil, err
	}
	row.changed = !row.active || row.patterns != patterns || row.paused && h.FromMark
	row.active, row.left, row.heir, row.patterns, row.paused = true, false, 0, patterns, row.paused && !h.FromMark
	return row, t.putHandler(row)
}

// answer fills in the consumers that Register returns.
func (r *registering) answer(stored map[string]*handlerRow, took map[string]bool) {
	inherits := map[int64]bool{}
	for _, row := range stored {
		if row.left && row.heir != 0 {
			inherits[row.heir] = true
		}
	}
	r.consumers = make([]store.Consumer, len(r.handlers))
	for i, h := range r.handlers {
		row := stored[h.Name]
		row.paused = row.paused && !h.FromMark
		r.consumers[i] = row.consumer()
		r.consumers[i].Took, r.consumers[i].Inherits = took[h.Name], inherits[row.id]
	}
}

func (t *txn) handlerRows() (map[string]*handlerRow, error) {
	list, err := t.w.prepared(`SELECT ` + handlerColumns + ` FROM handlers`)
	if err != nil {
		return nil, err
	}
	stored := map[string]*handlerRow{}
	err = list.Query(func(row []driver.Value) error {
		h := &handlerRow{name: row[0].(string), id: row[1].(int64), lowWater: row[2].(int64), since: row[3].(int64),
			active: row[4].(int64) == 1, paused: row[5].(int64) == 1, leftHead: row[8].(int64)}
		h.patterns, _ = row[6].(string)
		h.leftAt, h.left = row[7].(int64)
		h.heir, _ = row[9].(int64)
		stored[h.name] = h
		return nil
	})
	if err != nil && !conn.NoRows(err) {
		return nil, err
	}
	return stored, nil
}

// putHandler inserts or updates a handler's row.
func (t *txn) putHandler(h *handlerRow) error {
	if !h.changed {
		return nil
	}
	query := `INSERT INTO handlers (name, low_water, since, active, paused, patterns, left_at, left_head, heir) VALUES (?,?,?,?,?,?,?,?,?)`
	if h.id != 0 {
		query = `UPDATE handlers SET low_water = ?2, since = ?3, active = ?4, paused = ?5, patterns = ?6, left_at = ?7, left_head = ?8,
			heir = ?9 WHERE name = ?1`
	}
	put, err := t.w.prepared(query)
	if err != nil {
		return err
	}
	var leftAt any
	if h.left {
		leftAt = h.leftAt
	}
	id, err := put.Insert(h.name, h.lowWater, h.since, number(h.active), number(h.paused), orNull(h.patterns), leftAt, h.leftHead, orNull(h.heir))
	if h.id == 0 {
		h.id = id
	}
	h.changed = false
	return err
}

func number(truth bool) int64 {
	if truth {
		return 1
	}
	return 0
}

// takeOver gives a handler the mark and the runs of another.
func (t *txn) takeOver(heir, was *handlerRow, step *takeover) error {
	if was == nil || !was.left || was.lowWater != step.mark {
		return fmt.Errorf("the handler has changed meanwhile")
	}
	heir.lowWater, heir.paused, heir.changed = markAfter(heir, was), heir.paused || was.paused, true
	// A later handler of this name begins here at the earliest, so that ids of runs are never reused.
	*was = handlerRow{id: was.id, name: was.name, lowWater: t.next - 1, since: was.since, patterns: was.patterns, leftHead: was.leftHead, changed: true}
	// Where both have a run for a sequence, each keeps its run.
	move, err := t.w.prepared(`UPDATE OR IGNORE runs SET handler = ?3, began_as = ifnull(began_as, ?2) WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	history, err := t.w.prepared(`UPDATE OR IGNORE attempts SET handler = ?3 WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	for _, sequence := range step.runs {
		n, err := move.Exec(sequence, was.id, heir.id)
		if err == nil && n == 1 {
			_, err = history.Exec(sequence, was.id, heir.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
