package reads

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// StoredTokens implements [store.Tokens].
func (r *Reader) StoredTokens(ctx context.Context) ([]store.Token, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT name, hash, rights, rate, actor, created_at, expires_at FROM evrun_tokens ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", conn.Translate(err))
	}
	defer rows.Close()
	var list []store.Token
	for rows.Next() {
		var t store.Token
		var rights string
		var created int64
		var expires sql.NullInt64
		if err := rows.Scan(&t.Name, &t.Hash, &rights, &t.Rate, &t.By, &created, &expires); err != nil {
			return nil, fmt.Errorf("read tokens: %w", conn.Translate(err))
		}
		t.Rights, t.Created = strings.Split(rights, "\n"), schema.Time(created)
		if expires.Valid {
			t.Expires = schema.Time(expires.Int64)
		}
		list = append(list, t)
	}
	return list, conn.Translate(rows.Err())
}
