package postgres

import "github.com/jackc/pgx/v5"

// part is a transaction as the packages below see it, which make a part of it.
type part struct{ *txn }

// Exec runs a statement, and returns how many rows it changed.
func (p part) Exec(query string, args ...any) (int64, error) { return p.exec(query, args...) }

// Query runs a statement that returns rows.
func (p part) Query(query string, args ...any) (pgx.Rows, error) { return p.query(query, args...) }

// Row runs a statement that returns one row.
func (p part) Row(query string, args ...any) pgx.Row { return p.row(query, args...) }
