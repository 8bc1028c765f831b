package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"evrun/store"
)

// pairs reads the first two columns of a query of evrun's own about the schema.
func (c *conn) pairs(query string, args ...driver.Value) (list [][2]string, err error) {
	st, err := c.prepareOnce(query)
	if err != nil {
		return nil, err
	}
	defer st.s.Close()
	err = st.query(func(row []driver.Value) error {
		var pair [2]string
		for i := range min(len(row), 2) {
			pair[i], _ = row[i].(string)
		}
		list = append(list, pair)
		return nil
	}, args...)
	if noRows(err) {
		err = nil
	}
	return list, err
}

// checkReferences finds foreign keys on evrun's own tables. They would let a user's rows refuse, or slow down, what evrun
// does with its own; and a cascade of one of evrun's own statements would run user's triggers without the guard.
func (u *userStatements) checkReferences() error {
	keys, err := u.conn.pairs(`SELECT m.name, f."table" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if u.guard.owns(k[1]) {
			return fmt.Errorf("%w: table %q references %q, which is evrun's own: keep its key without REFERENCES", store.ErrStatement, k[0], k[1])
		}
	}
	return nil
}

// checkTriggers compiles, but does not run, a statement that fires each trigger, so that one that may not do what it does
// is refused when it is made and not with the first event. A trigger that can't be compiled for another reason, say because
// it writes a table that comes with a later statement, is left for its first use.
func (u *userStatements) checkTriggers() error {
	tables, err := u.conn.pairs(`SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if u.guard.owns(t[0]) {
			continue // the trigger is evrun's own: a user's can't be made on its tables
		}
		columns, err := u.conn.pairs(`SELECT name FROM pragma_table_info(?)`, t[0])
		if err != nil {
			return err
		}
		table := quoteName(t[0])
		sets := make([]string, len(columns))
		for i, c := range columns {
			sets[i] = quoteName(c[0]) + " = NULL"
		}
		for _, query := range []string{
			"INSERT INTO " + table + " DEFAULT VALUES", "DELETE FROM " + table, "UPDATE " + table + " SET " + strings.Join(sets, ", "),
		} {
			if err := u.compiles(query); err != nil {
				return err
			}
		}
	}
	return nil
}

// compiles returns why the guard refuses a statement; nil when it doesn't.
func (u *userStatements) compiles(query string) error {
	defer u.guard.on(rows, nil)()
	st, err := u.conn.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err == nil {
		return st.Close()
	}
	if u.guard.denied == "" {
		err = nil
	}
	return u.explain(err)
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
