package guard

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"evrun/store"
)

// CheckReferences finds foreign keys on evrun's own tables. With them a user's rows could refuse, or slow down, evrun's own
// statements; and a cascade of evrun's own statements would run user's triggers without the guard.
func (u *Statements) CheckReferences() error {
	keys, err := u.conn.Pairs(`SELECT m.name, f."table" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`)
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

// CheckTriggers compiles, but does not run, a statement that fires each trigger, so that a forbidden one is refused when it is created and not with
// the first event. A trigger that can't be compiled for another reason, for example because a later statement creates its table, is checked at its
// first use.
func (u *Statements) CheckTriggers() error {
	tables, err := u.conn.Pairs(`SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if u.guard.owns(t[0]) {
			continue // the trigger is evrun's: users can't create triggers on its tables
		}
		columns, err := u.conn.Pairs(`SELECT name FROM pragma_table_info(?)`, t[0])
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

// compiles returns why the guard refuses a statement; nil: it does not.
func (u *Statements) compiles(query string) error {
	defer u.guard.on(rows, nil)()
	st, err := u.conn.Raw().(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err == nil {
		return st.Close()
	}
	if u.guard.denied == "" {
		err = nil
	}
	return u.explain(err)
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
