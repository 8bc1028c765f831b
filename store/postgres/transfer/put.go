package transfer

import (
	"context"
	"encoding/hex"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store/transfer"
)

// Clean implements [transfer.Target]: PostgreSQL's texts are UTF-8 without NUL.
func (s *Store) Clean(_ *transfer.Table, row transfer.Row) (changed bool) {
	for i, v := range row {
		text, ok := v.(string)
		if !ok || utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
			continue
		}
		row[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
		changed = true
	}
	return changed
}

func (s *Store) arrive(ctx context.Context, c interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
}, a *transfer.Arrival) error {
	text, err := a.Encode()
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, setMeta, transfer.ArrivalKey, text)
	return err
}

// Put implements [transfer.Target].
func (s *Store) Put(ctx context.Context, t *transfer.Table, part iter.Seq2[[]transfer.Row, error], a *transfer.Arrival) error {
	return pgx.BeginFunc(ctx, s.c, func(tx pgx.Tx) error {
		if !t.Keyed {
			if _, err := tx.Exec(ctx, `DELETE FROM `+s.name(t)+condition(t)); err != nil {
				return err
			}
		}
		var err error
		if !t.Own && t.Name == "handlers" {
			err = handlers(ctx, tx, t, part)
		} else {
			err = s.copy(ctx, t, part)
		}
		if err == nil && t.Own {
			err = s.sequences(ctx, tx, t)
		}
		if err != nil {
			return err
		}
		return s.arrive(ctx, tx, a)
	})
}

// handlers writes the handlers, each with all of its slots in one share.
func handlers(ctx context.Context, tx pgx.Tx, t *transfer.Table, part iter.Seq2[[]transfer.Row, error]) error {
	var names, values []string
	for _, c := range t.Columns {
		if c.Name == "low_water" {
			continue
		}
		names = append(names, c.Name)
		value := "$" + strconv.Itoa(len(names))
		if truths[c.Name] {
			value = "(" + value + "::bigint <> 0)"
		}
		values = append(values, value)
	}
	insert := `INSERT INTO evrun.handlers (` + strings.Join(names, ", ") + `) OVERRIDING SYSTEM VALUE VALUES (` + strings.Join(values, ", ") + `)`
	if _, err := tx.Exec(ctx, `DELETE FROM evrun.shares WHERE handler > 0`); err != nil {
		return err
	}
	for rows, err := range part {
		if err != nil {
			return err
		}
		for _, row := range rows {
			args := make([]any, 0, len(row))
			var mark any
			for i, c := range t.Columns {
				if c.Name == "low_water" {
					mark = row[i]
				} else {
					args = append(args, row[i])
				}
			}
			if _, err := tx.Exec(ctx, insert, args...); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO evrun.shares (handler, slots, low_water) VALUES ($1, -1, $2)`, row[0], mark); err != nil {
				return err
			}
		}
	}
	return nil
}

// sequences has the sequences that give numbers to columns of a table go on behind what it has.
func (s *Store) sequences(ctx context.Context, tx pgx.Tx, t *transfer.Table) error {
	for _, c := range t.Columns {
		if c.Kind != transfer.Int || c.Type == "boolean" {
			continue
		}
		if _, err := tx.Exec(ctx, `SELECT setval(q, (SELECT max(`+quote(c.Name)+`) FROM `+s.name(t)+`)) FROM (SELECT pg_get_serial_sequence($1, $2) AS q) x
			WHERE q IS NOT NULL AND EXISTS (SELECT FROM `+s.name(t)+` WHERE `+quote(c.Name)+` > 0)`, s.name(t), c.Name); err != nil {
			return err
		}
	}
	return nil
}

// copy writes rows with COPY.
func (s *Store) copy(ctx context.Context, t *transfer.Table, part iter.Seq2[[]transfer.Row, error]) error {
	var names []string
	for _, c := range t.Columns {
		if names = append(names, quote(c.Name)); split(t, c) {
			names = append(names, `bytes`)
		}
	}
	r := &reader{t: t}
	var stop func()
	r.next, stop = iter.Pull2(part)
	defer stop()
	_, err := s.c.PgConn().CopyFrom(ctx, r, `COPY `+s.name(t)+` (`+strings.Join(names, ", ")+`) FROM STDIN`)
	if r.err != nil { // the server only says that it was cancelled
		return r.err
	}
	return err
}

// reader has the text form of rows: https://www.postgresql.org/docs/current/sql-copy.html
type reader struct {
	t    *transfer.Table
	next func() ([]transfer.Row, error, bool)
	buf  []byte
	at   int // in buf
	err  error
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	for r.at == len(r.buf) {
		rows, err, ok := r.next()
		if err != nil {
			r.err = err
			return 0, err
		}
		if !ok {
			return 0, io.EOF
		}
		r.buf, r.at = r.buf[:0], 0
		for _, row := range rows {
			r.row(row)
		}
	}
	n := copy(p, r.buf[r.at:])
	r.at += n
	return n, nil
}

func (r *reader) row(row transfer.Row) {
	for i, v := range row {
		if i > 0 {
			r.buf = append(r.buf, '\t')
		}
		c := r.t.Columns[i]
		if split(r.t, c) {
			if b, ok := v.([]byte); ok {
				r.buf = append(r.buf, `\N`+"\t"...)
				r.value(c, b)
				continue
			}
			r.value(c, v)
			r.buf = append(r.buf, "\t"+`\N`...)
			continue
		}
		r.value(c, v)
	}
	r.buf = append(r.buf, '\n')
}

func (r *reader) value(c transfer.Column, v any) {
	switch v := v.(type) {
	case nil:
		r.buf = append(r.buf, `\N`...)
	case int64:
		r.buf = strconv.AppendInt(r.buf, v, 10)
	case float64:
		r.buf = strconv.AppendFloat(r.buf, v, 'g', -1, 64)
	case []byte:
		if c.Kind == transfer.Other && c.Type != "bytea" && utf8.Valid(v) {
			r.text(string(v))
			return
		}
		r.buf = append(r.buf, `\\x`...)
		r.buf = hex.AppendEncode(r.buf, v)
	case string:
		if c.Type == "bytea" {
			r.buf = append(r.buf, `\\x`...)
			r.buf = hex.AppendEncode(r.buf, []byte(v))
			return
		}
		r.text(v)
	}
}

func (r *reader) text(v string) {
	for {
		i := strings.IndexAny(v, "\\\n\r\t")
		if i < 0 {
			r.buf = append(r.buf, v...)
			return
		}
		r.buf = append(r.buf, v[:i]...)
		switch v[i] {
		case '\\':
			r.buf = append(r.buf, `\\`...)
		case '\n':
			r.buf = append(r.buf, `\n`...)
		case '\r':
			r.buf = append(r.buf, `\r`...)
		case '\t':
			r.buf = append(r.buf, `\t`...)
		}
		v = v[i+1:]
	}
}
