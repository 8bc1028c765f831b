package transfer

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
	"evrun/store/transfer"
)

// ownNames are the names of evrun's tables here, where they are others.
var ownNames = map[string]string{"tokens": "evrun_tokens"}

// nameOf is the name of a table in a statement.
func nameOf(t *transfer.Table) string {
	if name := ownNames[t.Name]; name != "" && !t.Own {
		return name
	}
	return quote(t.Name)
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// columnsOf are a table's columns, as a statement reads or writes them.
func columnsOf(t *transfer.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = quote(c.Name)
	}
	return strings.Join(names, ", ")
}

// read is what a statement reads of a table. An expression has no declared type, by which the driver would make a time of a text.
func read(t *transfer.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		switch names[i] = quote(c.Name); {
		case t.Own && c.Kind == transfer.Bytes:
			names[i] = "CAST(" + names[i] + " AS BLOB)"
		case t.Own:
			names[i] = "+" + names[i]
		}
	}
	return strings.Join(names, ", ")
}

// condition is which rows are copied.
func condition(t *transfer.Table) string {
	if t.Name != "meta" || t.Own {
		return ""
	}
	return ` WHERE key NOT IN ('` + strings.Join(transfer.OtherMeta, `', '`) + `')`
}

var errEnough = errors.New("that is enough")

// Rows implements [transfer.Reader].
func (s *Store) Rows(ctx context.Context, t *transfer.Table, after any) transfer.Rows {
	return func(yield func(transfer.Row, error) bool) {
		query, args := `SELECT `+read(t)+` FROM `+nameOf(t)+condition(t), []driver.Value(nil)
		if t.Keyed {
			key := quote(t.Columns[0].Name)
			if after != nil {
				query, args = query+` WHERE `+key+` > ?`, []driver.Value{after}
			}
			query += ` ORDER BY ` + key
			if t.Columns[1].Name == "handler" { // of an event, in one order
				query += `, handler`
			}
		}
		st, err := s.c.PrepareOnce(query)
		if err != nil {
			yield(nil, err)
			return
		}
		defer st.Close()
		n := 0
		err = st.Query(func(row []driver.Value) error {
			if n++; n%1000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			copied := make(transfer.Row, len(row))
			for i, v := range row {
				copied[i] = v
			}
			if !yield(copied, nil) {
				return errEnough
			}
			return nil
		}, args...)
		if err != nil && !conn.NoRows(err) && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// Count implements [transfer.Reader].
func (s *Store) Count(_ context.Context, t *transfer.Table) (int64, error) {
	st, err := s.c.PrepareOnce(`SELECT count(*) FROM ` + nameOf(t) + condition(t))
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var row [1]driver.Value
	err = st.QueryRow(row[:])
	n, _ := row[0].(int64)
	return n, err
}

// Own implements [transfer.Reader].
func (s *Store) Own(ctx context.Context) (list []transfer.Table, err error) {
	own, err := schema.Own(s.c)
	if err != nil {
		return nil, err
	}
	names, err := s.c.Pairs(`SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if own[strings.ToLower(name[0])] {
			continue
		}
		t, err := s.describe(name[0])
		if err != nil {
			return nil, err
		}
		if t.Rows, err = s.Count(ctx, &t); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// describe reads the columns of a table; there are none: it does not exist.
func (s *Store) describe(name string) (t transfer.Table, err error) {
	t = transfer.Table{Name: name, Own: true}
	st, err := s.c.PrepareOnce(`SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid`)
	if err != nil {
		return t, err
	}
	defer st.Close()
	err = st.Query(func(row []driver.Value) error {
		var c transfer.Column
		c.Name, _ = row[0].(string)
		c.Type, _ = row[1].(string)
		key, _ := row[2].(int64)
		c.Key, c.Kind = int(key), kindOf(c.Type)
		t.Columns = append(t.Columns, c)
		return nil
	}, name)
	if conn.NoRows(err) {
		err = nil
	}
	return t, err
}

// kindOf is what a column has, by the rules of affinity: https://www.sqlite.org/datatype3.html. A column without one may have anything.
func kindOf(declared string) transfer.Kind {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(strings.ToUpper(declared), p) })
	}
	switch {
	case has("INT"):
		return transfer.Int
	case has("CHAR", "CLOB", "TEXT"):
		return transfer.Text
	case has("BLOB"):
		return transfer.Bytes
	case has("REAL", "FLOA", "DOUBLE"):
		return transfer.Float
	}
	return transfer.Other
}

// Clean implements [transfer.Target]: all values can be stored.
func (s *Store) Clean(*transfer.Table, transfer.Row) bool { return false }

// Put implements [transfer.Target].
func (s *Store) Put(ctx context.Context, t *transfer.Table, part iter.Seq2[[]transfer.Row, error], a *transfer.Arrival) error {
	return s.transaction(func() error {
		if !t.Keyed {
			st, err := s.c.PrepareOnce(`DELETE FROM ` + nameOf(t) + condition(t))
			if err != nil {
				return err
			}
			defer st.Close()
			if _, err := st.Exec(); err != nil {
				return err
			}
		}
		insert, err := s.c.PrepareOnce(`INSERT INTO ` + nameOf(t) + ` (` + columnsOf(t) + `) VALUES (?` + strings.Repeat(`, ?`, len(t.Columns)-1) + `)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		values := make([]driver.Value, len(t.Columns))
		for rows, err := range part {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			for _, row := range rows {
				for i, v := range row {
					values[i] = v
				}
				if _, err := insert.Exec(values...); err != nil {
					return err
				}
			}
		}
		return s.arrive(a)
	})
}

// types are the declared types of the columns that Create makes.
var types = map[transfer.Kind]string{transfer.Int: "INTEGER", transfer.Float: "REAL", transfer.Text: "TEXT", transfer.Bytes: "BLOB"}

// Create implements [transfer.Target].
func (s *Store) Create(ctx context.Context, t *transfer.Table, again bool) (transfer.Table, error) {
	there, err := s.describe(t.Name)
	if err != nil {
		return there, err
	}
	if len(there.Columns) == 0 {
		if err := s.c.Exec(Definition(t)); err != nil {
			return there, err
		}
		if there, err = s.describe(t.Name); err != nil {
			return there, err
		}
	}
	n, err := s.Count(ctx, &there)
	if err != nil {
		return there, err
	}
	if n > 0 && !again {
		return there, transfer.ErrNotEmpty
	}
	return t.As(&there)
}

// Definition is the statement that makes a table with the columns and the primary key of another, and nothing else of it.
func Definition(t *transfer.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", quote(t.Name))
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(c.Name))
		if typ := types[c.Kind]; typ != "" {
			b.WriteString(" " + typ)
		}
	}
	if keys := t.Keys(); len(keys) > 0 {
		for i, k := range keys {
			keys[i] = quote(k)
		}
		fmt.Fprintf(&b, ", PRIMARY KEY (%s)", strings.Join(keys, ", "))
	}
	b.WriteString(")")
	return b.String()
}
