package guard

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"evrun/store"
)

// read takes all rows, up to the bounds.
func read(rows driver.Rows, r *store.Result) error {
	r.Columns = rows.Columns()
	row := make([]driver.Value, len(r.Columns))
	size := 0
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(r.Rows) == store.MaxRows {
			return fmt.Errorf("%w: it returns more than %d rows; a LIMIT bounds them", store.ErrStatement, store.MaxRows)
		}
		values := make([]any, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v)
			default:
				size += 8
			}
			values[i] = v
			if t, ok := v.(time.Time); ok { // the driver's doing, for columns declared so
				values[i] = timeText(t, rows.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(i))
			}
		}
		if size > store.MaxResultBytes {
			return fmt.Errorf("%w: it returns more than %d bytes; select fewer columns or rows", store.ErrStatement, store.MaxResultBytes)
		}
		r.Rows = append(r.Rows, values)
	}
}

func timeText(t time.Time, declared string) string {
	if declared == "DATE" && t.Equal(t.Truncate(24*time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}
