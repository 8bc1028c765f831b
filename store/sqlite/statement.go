package sqlite

import (
	"evrun/store"
	"evrun/store/sqlite/guard"
)

// ParseStatement is the [store.StatementParser] of SQLite's dialect, see [guard.Parse].
func ParseStatement(text string) (*store.Statement, error) { return guard.Parse(text) }
