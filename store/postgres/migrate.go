package postgres

import (
	"evrun/store"
	"evrun/store/postgres/guard"
)

// ParseStatement is the [store.StatementParser] of PostgreSQL's dialect, see [guard.Parse].
func ParseStatement(text string) (*store.Statement, error) { return guard.Parse(text) }

// migrate makes the handlers' own tables.
func (t *txn) migrate(w store.Wiring) error {
	if len(w.Migrations) == 0 {
		return nil
	}
	u, err := guard.New(t.ctx, t.tx.Conn())
	if err != nil {
		return err
	}
	return u.Migrate(t.ctx, w.Migrations, w.Within, t.now)
}
