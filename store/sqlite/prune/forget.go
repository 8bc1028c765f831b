package prune

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"evrun/store/sqlite/conn"
)

const (
	keysAt     = 2000 // that one step looks at
	keysDelete = 200  // that one transaction deletes
)

// ForgetKeys implements [store.Retention].
func (p *Pruner) ForgetKeys(ctx context.Context, after []byte, before time.Time) (next []byte, forgotten int64, err error) {
	if len(after) == 0 && p.o.Write != nil { // within a transaction: what was pruned before is committed, and is read below
		if _, err := p.write(ctx, func(conn.Prepare) error { p.o.Keys.rebuild(); return nil }); err != nil {
			return nil, 0, fmt.Errorf("forget keys of pruned events: %w", err)
		}
	}
	var gone [][]byte
	err = p.reading(func() error {
		n := 0
		err := p.query(`SELECT key, pruned_at FROM pruned_keys WHERE key > ? ORDER BY key LIMIT ?`, func(row []driver.Value) error {
			key, _ := row[0].([]byte)
			if pruned, _ := row[1].(int64); pruned < before.Unix() {
				gone = append(gone, key)
			} else if p.o.Keys != nil {
				p.o.Keys.found(key)
			}
			next = key
			n++
			return nil
		}, append([]byte{}, after...), int64(keysAt))
		if n < keysAt {
			next = nil
		}
		return err
	})
	for err == nil && len(gone) > 0 {
		some := gone[:min(len(gone), keysDelete)]
		var took time.Duration
		took, err = p.write(ctx, func(w conn.Prepare) error {
			for _, key := range some {
				if _, err := w.Exec(`DELETE FROM pruned_keys WHERE key = ? AND pruned_at < ?`, key, before.Unix()); err != nil {
					return err
				}
			}
			_, err := w.Exec(`UPDATE pruning SET keys = keys - ?`, int64(len(some)))
			return err
		})
		if err == nil {
			forgotten += int64(len(some))
			gone = gone[len(some):]
			err = pause(ctx, restFactor*took)
		}
	}
	if err != nil {
		return after, forgotten, fmt.Errorf("forget keys of pruned events: %w", err)
	}
	if next == nil && p.o.Keys != nil {
		p.o.Keys.rebuilt()
	}
	return next, forgotten, nil
}
