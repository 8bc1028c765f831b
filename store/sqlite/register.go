package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/reads"
	"evrun/store/sqlite/schema"
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
	plan      reads.Plan
	consumers []store.Consumer
}

// register updates the table to match the wiring. It may run again after a rollback.
func (t *txn) register(r *registering) error {
	t.reopened = true
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
		row, err := t.activate(h, stored[h.Name], head, begin, r.plan.Idle[h.Name])
		if err != nil {
			return err
		}
		stored[h.Name], named[h.Name] = row, true
		t.w.names[store.HandlerID(row.ID)] = h.Name
	}
	for _, row := range stored {
		if row.Active && !named[row.Name] {
			row.Active, row.Left, row.LeftAt, row.LeftHead, row.changed = false, true, t.now, head, true
		}
	}
	for _, h := range r.handlers {
		if was := stored[h.Was]; was != nil && was.Left {
			was.Heir, was.changed = stored[h.Name].ID, true
		}
	}
	took := map[string]bool{}
	for _, step := range r.plan.Takeovers {
		if err := t.takeOver(stored[step.Heir], stored[step.Was], &step); err != nil {
			return fmt.Errorf("handler %s takes over from %s: %w", step.Heir, step.Was, err)
		}
		took[step.Heir] = true
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
		row = &handlerRow{Handler: columns.Handler{Name: h.Name, Since: head, LowWater: begin}}
		if h.FromStart {
			row.LowWater = 0
		}
	case row.Forgotten(): // its mark is where a later handler of this name begins
		if row.Since = head; !h.FromStart {
			row.LowWater = begin
		}
	case row.Left:
		late := t.now-row.LeftAt > store.ReturnWithin.Microseconds()
		row.Paused = row.Paused || late && !idle
	}
	patterns, err := columns.EncodePatterns(h.On)
	if err != nil {
		return nil, err
	}
	disabled := int64(0)
	if h.Disabled {
		if disabled = row.DisabledAt; disabled == 0 {
			disabled = t.now
		}
	}
	row.changed = !row.Active || row.Patterns != patterns || row.Paused != stays(row, h) || row.DisabledAt != disabled
	row.Active, row.Left, row.Heir, row.Patterns, row.Paused, row.DisabledAt = true, false, 0, patterns, stays(row, h), disabled
	return row, t.putHandler(row)
}

// stays reports whether a handler stays paused: one that is from the mark only if somebody paused it.
func stays(row *handlerRow, h store.Registration) bool {
	return row.Paused && (!h.FromMark || row.PausedAt > 0)
}

// answer fills in the consumers that Register returns.
func (r *registering) answer(stored map[string]*handlerRow, took map[string]bool) {
	inherits := map[int64]bool{}
	for _, row := range stored {
		if row.Left && row.Heir != 0 {
			inherits[row.Heir] = true
		}
	}
	r.consumers = make([]store.Consumer, len(r.handlers))
	for i, h := range r.handlers {
		row := stored[h.Name]
		row.Paused = stays(row, h)
		r.consumers[i] = row.Consumer()
		r.consumers[i].Took, r.consumers[i].Inherits = took[h.Name], inherits[row.ID]
	}
}

// handlerRow is a handler's row in the transaction.
type handlerRow struct {
	columns.Handler
	changed bool // putHandler has something to write
}

func (t *txn) handlerRows() (map[string]*handlerRow, error) {
	list, err := t.w.prepared(`SELECT ` + schema.HandlerColumns + ` FROM handlers`)
	if err != nil {
		return nil, err
	}
	stored := map[string]*handlerRow{}
	err = list.Query(func(row []driver.Value) error {
		h := &handlerRow{Handler: *schema.ScanHandler(row)}
		stored[h.Name] = h
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
	query := `INSERT INTO handlers (name, low_water, since, active, paused, patterns, left_at, left_head, heir, predecessors,
		paused_by, paused_why, paused_at, disabled_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	if h.ID != 0 {
		query = `UPDATE handlers SET low_water = ?2, since = ?3, active = ?4, paused = ?5, patterns = ?6, left_at = ?7, left_head = ?8,
			heir = ?9, predecessors = ?10, paused_by = ?11, paused_why = ?12, paused_at = ?13, disabled_at = ?14 WHERE name = ?1`
	}
	put, err := t.w.prepared(query)
	if err != nil {
		return err
	}
	var leftAt any
	if h.Left {
		leftAt = h.LeftAt
	}
	id, err := put.Insert(h.Name, h.LowWater, h.Since, number(h.Active), number(h.Paused), orNull(h.Patterns), leftAt, h.LeftHead, orNull(h.Heir),
		orNull(h.Predecessors), orNull(h.PausedBy), orNull(h.PausedWhy), orNull(h.PausedAt), orNull(h.DisabledAt))
	if h.ID == 0 {
		h.ID = id
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
func (t *txn) takeOver(heir, was *handlerRow, step *reads.Takeover) error {
	if was == nil || !was.Left || was.LowWater != step.Mark {
		return fmt.Errorf("the handler has changed meanwhile")
	}
	if err := heir.Succeed(&was.Handler, t.next-1); err != nil {
		return err
	}
	heir.LowWater, heir.Paused, heir.changed = heir.MarkAfter(&was.Handler), heir.Paused || was.Paused, true
	if heir.PausedAt == 0 {
		heir.Pause = was.Pause
	}
	// A later handler of this name begins here at the earliest, so that ids of runs are never reused.
	*was = handlerRow{changed: true, Handler: columns.Handler{
		ID: was.ID, Name: was.Name, LowWater: t.next - 1, Since: was.Since, Patterns: was.Patterns, LeftHead: was.LeftHead,
	}}
	// Where both have a run for a sequence, each keeps its run.
	move, err := t.w.prepared(`UPDATE OR IGNORE runs SET handler = ?3, began_as = ifnull(began_as, ?2) WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	history, err := t.w.prepared(`UPDATE OR IGNORE attempts SET handler = ?3 WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	outputs, err := t.w.prepared(`UPDATE OR IGNORE run_outputs SET handler = ?3 WHERE sequence = ?1 AND handler = ?2`)
	if err != nil {
		return err
	}
	if err := t.noteTaken(heir.ID, was.ID); err != nil {
		return err
	}
	for _, sequence := range step.Runs {
		n, err := move.Exec(sequence, was.ID, heir.ID)
		if err == nil && n == 1 {
			_, err = history.Exec(sequence, was.ID, heir.ID)
			if err == nil {
				_, err = outputs.Exec(sequence, was.ID, heir.ID)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
