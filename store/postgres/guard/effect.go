package guard

import (
	"context"
	"time"

	"evrun/store"
)

// Effect runs the effect of a settlement, in the transaction of the connection. Unless its outcome is [store.Succeeded], everything that it wrote is undone.
// Each of its statements may take so long. After an error the transaction must be rolled back; it may be repeated.
func (u *Statements) Effect(ctx context.Context, limit time.Duration, do func(store.Tx) store.Outcome) (store.Outcome, error) {
	// Constraints that can wait for the commit must not fail there: it is the commit of others, too.
	// And where names are looked up may have been changed by a function of another role.
	if err := u.begin(ctx, searchPath+`SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT evrun_effect; `); err != nil {
		return store.Outcome{}, err
	}
	tx := &effectTx{u: u, ctx: ctx, limit: limit}
	out := do(tx)
	if tx.failed != nil {
		return out, tx.failed
	}
	end := `RELEASE evrun_effect`
	if out.State != store.Succeeded {
		end = `ROLLBACK TO evrun_effect; RELEASE evrun_effect`
	}
	_, err := u.c.PgConn().Exec(ctx, end).ReadAll()
	return out, err
}

// effectTx implements [store.Tx]. It keeps an error that concerns the whole transaction.
type effectTx struct {
	u      *Statements
	ctx    context.Context
	limit  time.Duration
	failed error
}

// Exec implements [store.Tx].
func (tx *effectTx) Exec(s *store.Statement, args []any) (store.Result, error) {
	if tx.failed != nil {
		return store.Result{}, tx.failed
	}
	r, err := tx.u.Exec(tx.ctx, tx.limit, s, args)
	if err != nil && !belongs(err) {
		tx.failed = err
	}
	return r, err
}
