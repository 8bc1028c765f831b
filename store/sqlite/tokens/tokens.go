// Package tokens has the statements of [store.Tokens]. No goroutines.
package tokens

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// Create stores a token.
func Create(w conn.Prepare, t store.Token) error {
	var row [2]driver.Value
	err := w.QueryRow(row[:], `SELECT count(*), count(*) FILTER (WHERE name = ?1 OR hash = ?2) FROM evrun_tokens`, t.Name, t.Hash)
	all, known := row[0], row[1]
	switch {
	case err != nil:
		return err
	case known != int64(0):
		return store.ErrTokenExists
	case all.(int64) >= store.MaxTokens:
		return store.ErrTooManyTokens
	}
	var expires driver.Value
	if !t.Expires.IsZero() {
		expires = schema.Micros(t.Expires)
	}
	_, err = w.Exec(`INSERT INTO evrun_tokens (name, hash, rights, rate, actor, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.Name, t.Hash, strings.Join(t.Rights, "\n"), t.Rate, t.By, schema.Micros(t.Created), expires)
	return err
}

// Revoke deletes a token.
func Revoke(w conn.Prepare, name string) error {
	n, err := w.Exec(`DELETE FROM evrun_tokens WHERE name = ?`, name)
	if err == nil && n == 0 {
		err = fmt.Errorf("token %q: %w", name, store.ErrNotFound)
	}
	return err
}
