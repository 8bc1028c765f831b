package registry

import (
	"fmt"

	"evrun/store"
	"evrun/store/columns"
)

// Pause pauses an active handler. It returns false if it was paused already.
func (c *Change) Pause(name string, by, why string) (bool, error) {
	h, err := c.active(name)
	if err != nil || h.Paused {
		return false, err
	}
	h.Paused, h.changed = true, true
	h.Pause = columns.Pause{PausedBy: by, PausedWhy: why, PausedAt: c.now}
	return true, c.put(h)
}

// Resume ends an active handler's pause, and leaves out what it has up to skipTo; 0: nothing. It returns false if it was not paused.
func (c *Change) Resume(name string, skipTo int64) (bool, error) {
	h, err := c.active(name)
	if err != nil || !h.Paused {
		return false, err
	}
	h.Paused, h.Pause, h.changed = false, columns.Pause{}, true
	if err := c.put(h); err != nil || skipTo == 0 {
		return true, err
	}
	if err := Alone(c.tx, h.ID); err != nil {
		return true, err
	}
	if _, err := c.tx.Exec(`UPDATE evrun.shares SET low_water = $2 WHERE handler = $1 AND low_water < $2`, h.ID, min(skipTo, c.head)); err != nil {
		return true, err
	}
	return true, c.dropOpen(h, `state <= 2`, "left out when its handler was resumed")
}

// Forget deletes the mark of a handler that has left, and drops its runs that have not ended, or are dead.
func (c *Change) Forget(name string) error {
	h := c.rows[name]
	switch {
	case h == nil || !h.Active && !h.Left:
		return fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
	case h.Active:
		return fmt.Errorf("handler %q: %w", name, store.ErrActive)
	}
	h.Left, h.Paused, h.Heir, h.Pause, h.DisabledAt = false, false, 0, columns.Pause{}, 0
	h.LowWater, h.marked, h.changed = 0, true, true
	if err := c.put(h); err != nil {
		return err
	}
	return c.dropOpen(h, `(state <= 2 OR state = 5 AND (state = 2 OR state > 4))`, "dropped with its handler, which was forgotten")
}

func (c *Change) active(name string) (*row, error) {
	h := c.rows[name]
	if h == nil || !h.Active {
		return nil, fmt.Errorf("handler %q: %w", name, store.ErrNotFound)
	}
	return h, nil
}

// dropOpen drops the runs of a handler that match an SQL condition on their state.
func (c *Change) dropOpen(h *row, state, reason string) error {
	_, err := c.tx.Exec(`UPDATE evrun.runs SET state = 6, finished_at = $2, next_attempt_at = NULL, reason = $3 WHERE handler = $1 AND `+state, h.ID, c.now, reason)
	return err
}
