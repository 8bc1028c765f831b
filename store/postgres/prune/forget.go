package prune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const keysAt = 2000 // that one step looks at

// ForgetKeys implements [store.Retention].
func (p *Pruner) ForgetKeys(ctx context.Context, after []byte, before time.Time) (next []byte, forgotten int64, err error) {
	err = p.o.Pool.QueryRow(ctx, `SELECT key FROM evrun.pruned_keys WHERE key > $1 ORDER BY key OFFSET $2 LIMIT 1`, notNil(after), keysAt-1).Scan(&next)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return after, 0, fmt.Errorf("forget keys of pruned events: %w", err)
	}
	err = p.o.Write(ctx, func(tx Tx) (err error) {
		if forgotten, err = tx.Exec(`DELETE FROM evrun.pruned_keys WHERE key > $1 AND ($2::bytea IS NULL OR key <= $2) AND pruned_at < $3`,
			notNil(after), next, before.Unix()); err != nil || forgotten == 0 {
			return err
		}
		_, err = tx.Exec(`UPDATE evrun.pruning SET keys = keys - $1`, forgotten)
		return err
	})
	if err != nil {
		return after, 0, fmt.Errorf("forget keys of pruned events: %w", err)
	}
	return next, forgotten, nil
}

func notNil(key []byte) []byte {
	if key == nil {
		return []byte{}
	}
	return key
}

// AnnouncePruning implements [store.Retention].
func (p *Pruner) AnnouncePruning(ctx context.Context) error {
	err := p.o.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(`UPDATE evrun.pruning SET announced_at = $1 WHERE announced_at IS NULL`, p.o.Now().UnixMicro())
		return err
	})
	if err != nil {
		return fmt.Errorf("announce pruning: %w", err)
	}
	return nil
}

// GiveBack implements [store.Retention]. Vacuum gives back what it can by itself.
func (p *Pruner) GiveBack(context.Context, int64) (int64, error) { return 0, nil }
