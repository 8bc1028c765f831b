package sqlite

import (
	"database/sql/driver"
	"maps"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// maxConditions is how many texts of conditions the store keeps: a wiring that is edited for years must not fill it. An older run then has no text.
const maxConditions = 10_000

// conditions has the numbers of the conditions that were used since the store was opened, by their text. A text gets its number in the transaction of
// the first run that has it, and all runs of a group share it, so that a run whose reason is never asked for costs one bound number.
type conditions struct {
	known map[string]int64
	fresh map[string]int64 // of the open transaction; nil: none
}

// condition returns the number of a settlement's condition; 0: it has none.
func (t *txn) condition(s *store.Settlement) (int64, error) {
	if s.When == "" {
		return 0, nil
	}
	c := &t.w.conditions
	if id, ok := c.known[s.When]; ok {
		return id, nil
	}
	if id, ok := c.fresh[s.When]; ok {
		return id, nil
	}
	find, err := t.w.prepared(`SELECT id FROM conditions WHERE text = ?`)
	if err != nil {
		return 0, err
	}
	var row [1]driver.Value
	switch err := find.QueryRow(row[:], s.When); {
	case conn.NoRows(err):
		if row[0], err = t.newCondition(s.When); err != nil {
			return 0, t.check(err)
		}
	case err != nil:
		return 0, t.check(err)
	}
	id, _ := row[0].(int64)
	if c.fresh == nil {
		c.fresh = map[string]int64{}
	}
	c.fresh[s.When] = id
	return id, nil
}

// newCondition adds a text, and deletes the one that is too old. The numbers only grow, because the newest one is never deleted.
func (t *txn) newCondition(text string) (id int64, err error) {
	insert, err := t.w.prepared(`INSERT INTO conditions (text) VALUES (?)`)
	if err != nil {
		return 0, err
	}
	if _, err := insert.Exec(text); err != nil {
		return 0, err
	}
	var row [1]driver.Value
	if err := t.w.stmt.lastID.QueryRow(row[:]); err != nil {
		return 0, err
	}
	id, _ = row[0].(int64)
	old, err := t.w.prepared(`DELETE FROM conditions WHERE id <= ?`)
	if err != nil || id <= maxConditions {
		return id, err
	}
	n, err := old.Exec(id - maxConditions)
	if n > 0 { // a handler may still have it: it gets a new number
		t.w.conditions = conditions{}
	}
	return id, err
}

// ended keeps the numbers of a transaction that was committed, and forgets those of one that was not.
func (c *conditions) ended(committed bool) {
	if len(c.fresh) == 0 {
		return
	}
	if committed && len(c.known) < maxConditions {
		if c.known == nil {
			c.known = map[string]int64{}
		}
		maps.Copy(c.known, c.fresh)
	} else {
		c.known = nil // newCondition may have deleted some
	}
	c.fresh = nil
}

// noteCondition keeps the condition of a skipped run whose row was not new.
func (t *txn) noteCondition(s *store.Settlement) error {
	id, err := t.condition(s)
	if err != nil || id == 0 {
		return err
	}
	note, err := t.w.prepared(`UPDATE runs SET condition = ?3 WHERE sequence = ?1 AND handler = ?2`)
	if err == nil {
		_, err = note.Exec(s.Event.Sequence, int64(s.Handler), id)
	}
	return err
}
