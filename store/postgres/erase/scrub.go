package erase

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
)

// How often, and for how long, Scrub looks whether transactions that began before it have ended.
const (
	scrubTries = 50
	scrubWait  = 100 * time.Millisecond
)

// Scrub has PostgreSQL remove what was deleted or replaced before: from the tables that Events changes, and from their indexes. It waits for transactions
// that may still read it, for some seconds: then the error is [store.ErrBusy].
func Scrub(ctx context.Context, pool *pgxpool.Pool) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	var last string // a transaction behind all that had erased something
	if err := c.QueryRow(ctx, `SELECT pg_current_xact_id()::text`).Scan(&last); err != nil {
		return err
	}
	for try := 0; ; try++ {
		var readers int
		// Of sessions of other users it only shows what this role may see.
		err := c.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()
			AND backend_type = 'client backend' AND age(backend_xmin) >= age($1::xid8::xid)`, last).Scan(&readers)
		if err != nil {
			return err
		}
		if readers == 0 {
			break
		}
		if try == scrubTries {
			return fmt.Errorf("vacuum: %w: %d transactions that began before have not ended", store.ErrBusy, readers)
		}
		select {
		case <-time.After(scrubWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if _, err := c.Exec(ctx, `SET statement_timeout = 0`); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `VACUUM evrun.events, evrun.runs, evrun.attempts, evrun.run_outputs, evrun.users`)
	if _, rerr := c.Exec(context.WithoutCancel(ctx), `RESET statement_timeout`); err == nil {
		err = rerr
	}
	return err
}
