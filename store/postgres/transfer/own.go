package transfer

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"evrun/store/transfer"
)

// Own implements [transfer.Reader]. A table that statements find without its schema has only its name.
func (s *Store) Own(ctx context.Context) (list []transfer.Table, err error) {
	rows, err := s.c.Query(ctx, `SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END,
			quote_ident(n.nspname) || '.' || quote_ident(c.relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('evrun', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n [2]string, err error) { return n, row.Scan(&n[0], &n[1]) })
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		s.names[n[0]] = n[1]
		t, err := s.describe(ctx, n[0], true)
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

// describe reads the columns of a table that has a name in s.names. Of a source, what is not a number or bytes is read as text.
func (s *Store) describe(ctx context.Context, name string, source bool) (t transfer.Table, err error) {
	t = transfer.Table{Name: name, Own: true}
	rows, err := s.c.Query(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(array_position(i.indkey::smallint[], a.attnum) + 1, 0)
		FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
		WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum`, s.names[name])
	if err != nil {
		return t, err
	}
	t.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c transfer.Column, err error) {
		err = row.Scan(&c.Name, &c.Type, &c.Key)
		c.Kind = kindOf(c.Type, source)
		return c, err
	})
	return t, err
}

func kindOf(typ string, source bool) transfer.Kind {
	switch base, _, _ := strings.Cut(typ, "("); {
	case base == "smallint", base == "integer", base == "bigint", base == "boolean":
		return transfer.Int
	case base == "double precision", base == "real" && source:
		return transfer.Float
	case base == "text", base == "character varying", source && base != "bytea":
		return transfer.Text
	case base == "bytea":
		return transfer.Bytes
	}
	return transfer.Other
}

// types are the types of the columns that Create makes.
var types = map[transfer.Kind]string{transfer.Int: "bigint", transfer.Float: "double precision", transfer.Text: "text", transfer.Bytes: "bytea"}

// typeOf is the type of a column that Create makes. What a column of another kind has is only known from its rows: the declared type says most.
func typeOf(c transfer.Column) string {
	declared := strings.ToUpper(c.Type)
	switch {
	case types[c.Kind] != "":
		return types[c.Kind]
	case strings.Contains(declared, "BOOL"):
		return "boolean"
	case strings.Contains(declared, "NUMERIC"), strings.Contains(declared, "DECIMAL"):
		return "numeric"
	}
	return "text"
}

// Create implements [transfer.Target]. Names are in lower case, as statements that don't quote them have them.
func (s *Store) Create(ctx context.Context, t *transfer.Table, again bool) (there transfer.Table, err error) {
	name := strings.ToLower(t.Name)
	var found string
	if err := s.c.QueryRow(ctx, `SELECT coalesce(coalesce(to_regclass(quote_ident($1)), to_regclass(quote_ident($2)))::oid::regclass::text, '')`, name, t.Name).Scan(&found); err != nil {
		return there, err
	}
	if found == "" {
		if _, err := s.c.Exec(ctx, Definition(t)); err != nil {
			return there, err
		}
		found = quote(name)
	}
	s.names[t.Name] = found
	if there, err = s.describe(ctx, t.Name, false); err != nil {
		return there, err
	}
	var has bool
	if err := s.c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+found+`)`).Scan(&has); err != nil {
		return there, err
	}
	if has && !again {
		return there, transfer.ErrNotEmpty
	}
	return t.As(&there)
}

// Definition is the statement that makes a table with the columns and the primary key of another, and nothing else of it.
func Definition(t *transfer.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", quote(strings.ToLower(t.Name)))
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(strings.ToLower(c.Name)) + " " + typeOf(c))
	}
	if keys := t.Keys(); len(keys) > 0 {
		for i, k := range keys {
			keys[i] = quote(strings.ToLower(k))
		}
		fmt.Fprintf(&b, ", PRIMARY KEY (%s)", strings.Join(keys, ", "))
	}
	b.WriteString(")")
	return b.String()
}
