package registry

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/columns"
)

// Register makes these handlers those of the daemon, as [store.Handlers] says. idle has the names of those that had left and have no work to do.
func (c *Change) Register(list []store.Registration, idle map[string]bool) ([]store.Consumer, error) {
	named := map[string]bool{}
	for _, h := range list {
		named[h.Name] = true
	}
	elsewhere, err := c.wiredElsewhere()
	if err != nil {
		return nil, err
	}
	var leaving []*row
	for _, h := range c.rows {
		if h.Active && !named[h.Name] && !elsewhere[h.ID] {
			leaving = append(leaving, h)
		}
	}
	if err := c.lock(leaving); err != nil {
		return nil, err
	}
	begin, err := c.takeUnattended()
	if err != nil {
		return nil, err
	}
	heirs := map[int64]bool{} // of other daemons: they wait
	for _, h := range c.rows {
		heirs[h.ID] = elsewhere[h.ID] && !named[h.Name]
	}
	for _, h := range list {
		if err := c.activate(h, begin, idle[h.Name], heirs); err != nil {
			return nil, fmt.Errorf("handler %s: %w", h.Name, err)
		}
	}
	if err := c.wire(list); err != nil {
		return nil, err
	}
	for _, h := range leaving {
		c.leave(h)
	}
	c.appoint(list, named)
	took, err := c.takeOvers(list, named)
	if err != nil {
		return nil, err
	}
	return c.answer(list, took, elsewhere), c.putAll()
}

// appoint notes the heirs that the list names.
func (c *Change) appoint(list []store.Registration, named map[string]bool) {
	for _, h := range list {
		if was := c.rows[h.Was]; was != nil && !named[h.Was] && !was.Forgotten() && was.Heir != c.rows[h.Name].ID {
			was.Heir, was.changed = c.rows[h.Name].ID, true
		}
	}
}

// lock waits for the transactions that accept events for one of the handlers alone, which lock it, and keeps out others. The head is behind these events.
func (c *Change) lock(list []*row) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]int64, len(list))
	for i, h := range list {
		ids[i] = h.ID
	}
	if _, err := c.tx.Exec(`SELECT FROM evrun.handlers WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`, ids); err != nil {
		return err
	}
	return c.readHead()
}

// takeUnattended returns the sequence at which new handlers begin, and deletes it, so that later ones begin at the head.
func (c *Change) takeUnattended() (int64, error) {
	var text string
	err := c.tx.Row(`DELETE FROM evrun.meta WHERE key = $1 RETURNING value`, columns.UnattendedKey).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return c.head, nil
	}
	if err != nil {
		return 0, err
	}
	begin, err := strconv.ParseInt(text, 10, 64)
	return min(begin, c.head), err
}

// activate writes the row of a wired handler. New handlers begin at begin. Only those in heirs may still take over from it, once it has left.
func (c *Change) activate(r store.Registration, begin int64, idle bool, heirs map[int64]bool) error {
	h := c.rows[r.Name]
	switch {
	case h == nil:
		h = &row{Handler: columns.Handler{Name: r.Name, Since: c.head, LowWater: begin}}
		if r.FromStart {
			h.LowWater = 0
		}
		c.rows[r.Name] = h
	case h.Forgotten(): // its mark is where a later handler of this name begins
		if h.Since = c.head; !r.FromStart {
			h.LowWater, h.marked = begin, true
		}
	case h.Left:
		late := c.now-h.LeftAt > store.ReturnWithin.Microseconds()
		h.Paused = h.Paused || late && !idle
	}
	patterns, err := columns.EncodePatterns(r.On)
	if err != nil {
		return err
	}
	disabled := int64(0)
	if r.Disabled {
		if disabled = h.DisabledAt; disabled == 0 {
			disabled = c.now
		}
	}
	paused := h.Paused && (!r.FromMark || h.PausedAt > 0) // by hand: whatever the wiring says
	heir := h.Heir
	if h.Left || !heirs[heir] {
		heir = 0
	}
	h.changed = !h.Active || h.Heir != heir || h.Patterns != patterns || h.Paused != paused || h.DisabledAt != disabled
	h.Active, h.Left, h.Heir, h.Patterns, h.Paused, h.DisabledAt = true, false, heir, patterns, paused, disabled
	return c.put(h)
}

// wire records what the daemon has wired.
func (c *Change) wire(list []store.Registration) error {
	if c.node == 0 {
		return nil
	}
	ids := make([]int64, len(list))
	for i, r := range list {
		ids[i] = c.rows[r.Name].ID
	}
	gone, err := c.tx.Exec(`DELETE FROM evrun.wired WHERE node = $1 AND handler <> ALL ($2)`, c.node, ids)
	if err != nil {
		return err
	}
	fresh, err := c.tx.Exec(`INSERT INTO evrun.wired (node, handler) SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING`, c.node, ids)
	c.changed = c.changed || gone+fresh > 0
	return err
}

// wiredElsewhere are the handlers that other daemons have wired.
func (c *Change) wiredElsewhere() (map[int64]bool, error) {
	rows, err := c.tx.Query(`SELECT DISTINCT w.handler::bigint FROM evrun.wired w JOIN evrun.beats b ON b.node = w.node
		WHERE w.node <> $1 AND b.expires_at > clock_timestamp()`, c.node)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	set := make(map[int64]bool, len(list))
	for _, id := range list {
		set[id] = true
	}
	return set, err
}

func (c *Change) leave(h *row) {
	h.Active, h.Left, h.LeftAt, h.LeftHead, h.changed = false, true, c.now, c.head, true
}

// Leave lets the handlers leave that no daemon has wired, if there are daemons: one has ended, and nobody else runs what only it had. After the last daemon
// all stay active, because it may be restarted.
func (c *Change) Leave() (changed bool, err error) {
	c.node = 0 // each daemon counts
	wired, err := c.wiredElsewhere()
	if err != nil || len(wired) == 0 {
		return false, err
	}
	var leaving []*row
	for _, h := range c.rows {
		if h.Active && !wired[h.ID] {
			leaving = append(leaving, h)
		}
	}
	if err := c.lock(leaving); err != nil {
		return false, err
	}
	for _, h := range leaving {
		c.leave(h)
	}
	return len(leaving) > 0, c.putAll()
}

// answer fills in the consumers that Register returns.
func (c *Change) answer(list []store.Registration, took map[string]bool, elsewhere map[int64]bool) []store.Consumer {
	inherits := map[int64]bool{}
	for _, h := range c.rows {
		if !h.Forgotten() && h.Heir != 0 {
			inherits[h.Heir] = true
		}
	}
	consumers := make([]store.Consumer, len(list))
	for i, r := range list {
		h := c.rows[r.Name]
		h.Paused = h.Paused && (!r.FromMark || h.PausedAt > 0)
		consumers[i] = h.Consumer()
		consumers[i].Took, consumers[i].Inherits, consumers[i].Elsewhere = took[h.Name], inherits[h.ID], elsewhere[h.ID]
	}
	return consumers
}
