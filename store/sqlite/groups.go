package sqlite

import (
	"database/sql/driver"
	"errors"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// Rows of one kind that follow each other in a transaction are inserted in groups: one statement takes groupRows rows, and the rest goes row by row.
// A statement's fixed cost is thereby shared, and values that all rows of a group have are bound once.
//
// The statements say OR FAIL: the rows before one whose key already exists stay, and that row and those behind it are not inserted. So it is known
// exactly which row it is; it goes by itself, in the way that handles existing keys, and the next group begins behind it. OR FAIL is also cheaper than
// the default: SQLite keeps no journal of the pages that the statement changes, unless the rows give an INTEGER PRIMARY KEY.

// groupRows is the number of rows of a group. Larger groups are hardly cheaper, and leave more rows to single statements.
const groupRows = 32

// groups decides which rows go in groups.
type groups struct {
	singly int // so many rows go by themselves: there was an existing key, and others may follow
}

// next returns how many of the next rows go into one statement: groupRows or 1.
func (g *groups) next(rows int) int {
	if g.singly == 0 && rows >= groupRows {
		return groupRows
	}
	g.singly = max(0, g.singly-1)
	return 1
}

// nextFitting is next, but returns 1 if fits says of one of the rows that it can't go into a group with the first.
func (g *groups) nextFitting(rows int, fits func(i int) bool) int {
	taken := g.next(rows)
	for i := 0; i < taken && taken > 1; i++ {
		if !fits(i) {
			return 1
		}
	}
	return taken
}

// exists notes that a row's key already exists.
func (g *groups) exists() { g.singly = groupRows }

// insertGroup runs a group's statement and returns how many of its rows were inserted. If these are not all, the key of the next one already exists.
func (t *txn) insertGroup(insert *conn.Stmt, values []driver.Value) (n int, err error) {
	switch _, err := insert.Exec(values...); {
	case err == nil:
		return groupRows, nil
	case !errors.Is(err, store.ErrConflict):
		return 0, t.check(err)
	}
	var row [1]driver.Value
	if err := t.w.stmt.changes.QueryRow(row[:]); err != nil {
		return 0, t.check(err)
	}
	return int(row[0].(int64)), nil
}
