package reads

import (
	"context"
	"strings"

	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// Types is [store.Journal.Types]. It reads the names that the blocks have, each found from the one before, and no event.
func (r *Reader) Types(ctx context.Context, from string, limit int) (list []string, err error) {
	rows, err := r.db.QueryContext(ctx, `WITH RECURSIVE names(what) AS (
			SELECT min(what) FROM blocks WHERE what >= ?1
			UNION ALL SELECT (SELECT min(what) FROM blocks WHERE what > n.what) FROM names n WHERE n.what IS NOT NULL AND substr(n.what, 1, length(?2)) = ?2
		) SELECT what FROM names WHERE what IS NOT NULL AND substr(what, 1, length(?2)) = ?2 LIMIT ?3`, max(schema.TypeKey(from), schema.AnyType+"\x00"), schema.AnyType, limit)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var what string
		if err := rows.Scan(&what); err != nil {
			return nil, conn.Translate(err)
		}
		list = append(list, strings.TrimPrefix(what, schema.AnyType))
	}
	return list, conn.Translate(rows.Err())
}
