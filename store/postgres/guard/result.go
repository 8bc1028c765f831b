package guard

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"evrun/store"
)

// read takes all rows, up to the bounds. What is beyond them is read and dropped.
func read(rows *pgconn.ResultReader, st *statement, r *store.Result) (full error) {
	fields := rows.FieldDescriptions()
	skip := 0
	if st.bounded {
		skip = 2
	}
	if len(fields) > skip {
		r.Columns = make([]string, len(fields)-skip)
		for i, f := range fields[skip:] {
			r.Columns[i] = f.Name
		}
	}
	size := 0
	for rows.NextRow() {
		row := rows.Values()
		if full != nil {
			continue
		}
		if st.bounded {
			count, _ := strconv.ParseInt(string(row[0]), 10, 64)
			bytes, _ := strconv.ParseInt(string(row[1]), 10, 64)
			switch {
			case count == 0:
				continue
			case count > store.MaxRows:
				full = errRows
				continue
			case bytes > 4*store.MaxResultBytes:
				full = errBytes
				continue
			}
		}
		if len(r.Rows) == store.MaxRows {
			full = errRows
			continue
		}
		values := make([]any, len(r.Columns))
		for i, text := range row[skip:] {
			values[i] = decode(fields[skip+i].DataTypeOID, text)
			size += max(8, len(text))
		}
		r.Rows = append(r.Rows, values)
		if size > store.MaxResultBytes && sizeOf(r.Rows) > store.MaxResultBytes {
			full = errBytes
		}
	}
	return full
}

var (
	errRows  = refused(fmt.Sprintf("it returns more than %d rows; a LIMIT bounds them", store.MaxRows))
	errBytes = refused(fmt.Sprintf("it returns more than %d bytes; select fewer columns or rows", store.MaxResultBytes))
)

// sizeOf is the size of values as they are counted: bytes without their digits.
func sizeOf(rows [][]any) (size int) {
	for _, row := range rows {
		for _, v := range row {
			switch v := v.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v)
			default:
				size += 8
			}
		}
	}
	return size
}

// decode makes a value of a text of the server. Types that have no like among nil, int64, float64, string and []byte come as texts.
func decode(oid uint32, text []byte) any {
	if text == nil {
		return nil
	}
	s := string(text)
	switch oid {
	case pgtype.BoolOID:
		if s == "t" {
			return int64(1)
		}
		return int64(0)
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	case pgtype.Float4OID, pgtype.Float8OID:
		if f, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "NI") { // NaN, Infinity: not in JSON
			return f
		}
	case pgtype.NumericOID:
		return decimal(s)
	case pgtype.ByteaOID:
		if b, err := hex.DecodeString(strings.TrimPrefix(s, `\x`)); err == nil {
			if len(b) == 0 {
				return []byte(nil)
			}
			return b
		}
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999-07"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC().Format(time.RFC3339Nano)
			}
		}
	}
	return s
}

// decimal is an exact number as an integer or a float, if that is exact, too.
func decimal(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	digits := strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(s), "0")
	if f, err := strconv.ParseFloat(s, 64); err == nil && len(digits) <= 15 && !strings.ContainsAny(s, "NI") {
		return f
	}
	return s
}
