// Package erase empties events in a store's transactions, and overwrites what the database's file has in unused places: see [store.Erasing].
//
// SQLite leaves copies. What is deleted stays in its page, and in free pages, until something else is written there; PRAGMA secure_delete overwrites
// these. But where a page was split or grew into a tree, older copies lie in the unused part of a page that is in use, and nothing of SQLite but VACUUM
// finds them; VACUUM needs as much space again, and holds the writer for seconds. So pages.go looks at each page by itself, through sqlite_dbpage, and
// writes zeros over its unused part, in transactions of milliseconds.
//
// No goroutines.
package erase

import (
	"database/sql/driver"

	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
)

// Events empties events, and deletes the users of each.
func Events(w conn.Prepare, sequences []int64, users map[int64][]int64, now int64) (done store.Erased, err error) {
	for _, sequence := range sequences {
		if err := event(w, sequence, users[sequence], now, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}

func event(w conn.Prepare, sequence int64, users []int64, now int64, done *store.Erased) error {
	var row [1]driver.Value
	err := w.QueryRow(row[:], `SELECT extensions FROM events WHERE sequence = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE sequence = ?1 AND state <= 2)`, sequence)
	if conn.NoRows(err) {
		return nil // it does not exist, or a run has not ended
	} else if err != nil {
		return err
	}
	text, _ := row[0].(string)
	extensions, err := columns.ErasedExtensions(text, now)
	if err != nil {
		return err
	}
	attempts := 0
	for _, x := range []struct {
		n     *int // the rows that were changed are added to it
		query string
		args  []driver.Value
	}{
		{&done.Events, `UPDATE events SET subject = NULL, datacontenttype = NULL, dataschema = NULL, data = NULL, correlationid = NULL, causationid = NULL, extensions = ?2
			WHERE sequence = ?1`, []driver.Value{sequence, extensions}},
		{&done.Runs, `UPDATE runs SET error = NULL, state = CASE WHEN state IN (5, 7) THEN 6 ELSE state END,
			reason = CASE state WHEN 5 THEN 'its event was erased; it was dead' WHEN 7 THEN 'its event was erased; it was cancelled' ELSE iif(reason IS NULL, NULL, 'its event was erased') END
			WHERE sequence = ?1`, []driver.Value{sequence}},
		{&attempts, `UPDATE attempts SET error = 'erased' WHERE sequence = ?1`, []driver.Value{sequence}},
		{&done.Outputs, `DELETE FROM run_outputs WHERE sequence = ?1`, []driver.Value{sequence}},
	} {
		n, err := w.Exec(x.query, x.args...)
		if err != nil {
			return err
		}
		*x.n += int(n)
	}
	for _, id := range users {
		n, err := w.Exec(`DELETE FROM users WHERE id = ?`, id)
		if err != nil {
			return err
		}
		done.Users += int(n)
	}
	return nil
}
