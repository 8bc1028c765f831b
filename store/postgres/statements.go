package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

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

// newUserReads makes what runs read-only statements of users, on connections of its own.
func newUserReads(config *pgxpool.Config) *guard.Reader {
	return guard.NewReader(func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, config.ConnConfig.Copy())
	})
}

// Read implements [store.Statements].
func (s *Store) Read(ctx context.Context, st *store.Statement, args []any) (store.Result, error) {
	return s.user.Read(ctx, st, args)
}
