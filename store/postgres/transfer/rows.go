package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"evrun/store/transfer"
)

// truths are the columns of evrun's tables that are boolean here, and numbers elsewhere.
var truths = map[string]bool{"active": true, "paused": true, "old": true}

// name is a table as statements name it.
func (s *Store) name(t *transfer.Table) string {
	if t.Own {
		return s.names[t.Name]
	}
	return "evrun." + t.Name
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// split is the column of events that is two here: text when it is JSON, else bytes.
func split(t *transfer.Table, c transfer.Column) bool { return !t.Own && c.Kind == transfer.Any }

// expressions are what a statement reads of a table: of each column one value in its binary form, but two of one that is split.
func expressions(t *transfer.Table) string {
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		name := quote(c.Name)
		switch {
		case !t.Own && t.Name == "handlers" && c.Name == "low_water":
			name = `(SELECT min(low_water) FROM evrun.shares s WHERE s.handler = t.id)`
		case split(t, c):
			name += `, bytes`
		case !t.Own && truths[c.Name], t.Own && c.Type == "boolean":
			name += `::integer::bigint`
		case c.Kind == transfer.Int:
			name += `::bigint`
		case c.Kind == transfer.Float:
			name += `::float8`
		case strings.HasPrefix(c.Type, "timestamp with time zone"):
			name = `to_char(` + name + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
		case c.Kind == transfer.Text && t.Own:
			name += `::text`
		}
		list[i] = name
	}
	return strings.Join(list, ", ")
}

// condition is which rows are copied.
func condition(t *transfer.Table) string {
	if t.Name != "meta" || t.Own {
		return ""
	}
	return ` WHERE key NOT IN ('` + strings.Join(transfer.OtherMeta, `', '`) + `')`
}

// Rows implements [transfer.Reader].
func (s *Store) Rows(ctx context.Context, t *transfer.Table, after any) transfer.Rows {
	return func(yield func(transfer.Row, error) bool) {
		query, args := `SELECT `+expressions(t)+` FROM `+s.name(t)+` t`+condition(t), []any{pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.BinaryFormatCode}}
		if t.Keyed {
			key := quote(t.Columns[0].Name)
			if after != nil {
				query += ` WHERE ` + key + ` > $1`
				args = append(args, after)
			}
			query += ` ORDER BY ` + key
			if t.Columns[1].Name == "handler" { // of an event, in one order
				query += `, handler`
			}
		}
		rows, err := s.c.Query(ctx, query, args...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			row, err := decode(t, rows.RawValues())
			if !yield(row, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// decode reads a row's values, which are in binary form.
func decode(t *transfer.Table, raw [][]byte) (transfer.Row, error) {
	row := make(transfer.Row, len(t.Columns))
	for i, c := range t.Columns {
		v := raw[0]
		raw = raw[1:]
		kind := c.Kind
		if split(t, c) {
			kind = transfer.Text
			if v == nil {
				v, kind = raw[0], transfer.Bytes
			}
			raw = raw[1:]
		}
		if v == nil {
			continue
		}
		switch {
		case kind == transfer.Int && len(v) == 8:
			row[i] = int64(binary.BigEndian.Uint64(v))
		case kind == transfer.Float && len(v) == 8:
			row[i] = math.Float64frombits(binary.BigEndian.Uint64(v))
		case kind == transfer.Text:
			row[i] = string(v)
		case kind == transfer.Bytes:
			row[i] = bytes.Clone(v)
		default:
			return nil, fmt.Errorf("column %s: %d bytes are not as expected", c.Name, len(v))
		}
	}
	return row, nil
}

// Count implements [transfer.Reader].
func (s *Store) Count(ctx context.Context, t *transfer.Table) (n int64, err error) {
	err = s.c.QueryRow(ctx, `SELECT count(*) FROM `+s.name(t)+condition(t)).Scan(&n)
	return n, err
}
