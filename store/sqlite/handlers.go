package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
)

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
	_, err = note.Exec(columns.UnattendedKey, strconv.FormatInt(sequence-1, 10))
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
	}, columns.UnattendedKey)
	if conn.NoRows(err) {
		return head, nil
	}
	return min(begin, head), err
}

// Pause implements [store.Handlers].
func (s *Store) Pause(ctx context.Context, name string, p store.Pause, evs []*events.Event) (changed bool, err error) {
	err = s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		row, err := t.handler(name)
		if err != nil {
			return err
		}
		if !row.Active {
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		if changed = !row.Paused; !changed {
			return nil
		}
		row.Paused, row.changed = true, true
		row.Pause = columns.Pause{PausedBy: p.By, PausedWhy: p.Why, PausedAt: t.now}
		if err := t.putHandler(row); err != nil {
			return t.check(err)
		}
		return t.emit(evs)
	}))
	if err != nil {
		return false, fmt.Errorf("pause: %w", err)
	}
	return changed, nil
}

// Resume implements [store.Handlers].
func (s *Store) Resume(ctx context.Context, name string, skipTo int64, evs []*events.Event) (paused bool, err error) {
	err = s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		row, err := t.handler(name)
		if err != nil {
			return err
		}
		if !row.Active {
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		if paused = row.Paused; !paused {
			return nil
		}
		row.Paused, row.Pause, row.changed = false, columns.Pause{}, true
		if skipTo > row.LowWater {
			row.LowWater = min(skipTo, t.next-1)
		}
		if err := t.putHandler(row); err != nil {
			return t.check(err)
		}
		if skipTo > 0 {
			if err := t.dropOpen(row.ID, `state <= 2`, "left out when its handler was resumed"); err != nil {
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
		case row.Active:
			return fmt.Errorf("handler %q: %w", name, store.ErrActive)
		case !row.Left:
			return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
		}
		row.Left, row.Paused, row.LowWater, row.Heir, row.changed = false, false, 0, 0, true
		row.Pause, row.DisabledAt = columns.Pause{}, 0
		if err := t.putHandler(row); err != nil {
			return t.check(err)
		}
		if err := t.dropOpen(row.ID, `(state <= 2 OR state = 5 AND (state = 2 OR state > 4))`, "dropped with its handler, which was forgotten"); err != nil {
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
