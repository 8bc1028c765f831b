package prune

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"fmt"
	"time"

	"evrun/events"
	"evrun/store/sqlite/conn"
)

// A key of a pruned event is the first bytes of its id, and a hash of source and id. The hash alone tells the events apart. The beginning of the id only
// gives the order: most ids grow with time, and keys that come and go together then lie together.
const (
	keyBegin = 8
	keyHash  = 12
)

func keyOf(id, source string) []byte {
	text := make([]byte, 0, 256)
	text = append(text, id...)
	text = append(text, 0)
	text = append(text, source...)
	sum := sha256.Sum256(text)
	key := make([]byte, keyBegin+keyHash)
	copy(key, id)
	copy(key[keyBegin:], sum[:])
	return key
}

// Keys answers whether an event is one that was pruned. It belongs to the writer's transactions, as does what it is asked with.
type Keys struct {
	some bool // there may be keys
}

// Load looks whether there are keys.
func (k *Keys) Load(w Prepare) error {
	var n int64
	err := one(w, `SELECT EXISTS (SELECT 1 FROM pruned_keys)`, &n)
	k.some = n != 0
	return err
}

// Any reports whether one of these events was pruned.
func (k *Keys) Any(w Prepare, evs []*events.Event) (bool, error) {
	for _, e := range evs {
		if sequence, err := k.Sequence(w, e); sequence != 0 || err != nil {
			return sequence != 0, err
		}
	}
	return false, nil
}

// Sequence returns the sequence of an event that was pruned; 0: it is not known.
func (k *Keys) Sequence(w Prepare, e *events.Event) (sequence int64, err error) {
	if !k.some {
		return 0, nil
	}
	err = one(w, `SELECT sequence FROM pruned_keys WHERE key = ?`, &sequence, keyOf(e.ID, e.Source))
	if conn.NoRows(err) {
		return 0, nil
	}
	return sequence, err
}

const (
	keysAt     = 2000 // that one step looks at
	keysDelete = 200  // that one transaction deletes
)

// ForgetKeys implements [store.Retention].
func (p *Pruner) ForgetKeys(ctx context.Context, after []byte, before time.Time) (next []byte, forgotten int64, err error) {
	var gone [][]byte
	err = p.reading(func() error {
		n := 0
		err := p.query(`SELECT key, pruned_at FROM pruned_keys WHERE key > ? ORDER BY key LIMIT ?`, func(row []driver.Value) error {
			key, _ := row[0].([]byte)
			if pruned, _ := row[1].(int64); pruned < before.Unix() {
				gone = append(gone, key)
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
		took, err = p.write(ctx, func(w Prepare) error {
			d := &deletion{prepare: w}
			for _, key := range some {
				if err := d.exec(`DELETE FROM pruned_keys WHERE key = ? AND pruned_at < ?`, key, before.Unix()); err != nil {
					return err
				}
			}
			return d.exec(`UPDATE pruning SET keys = keys - ?`, int64(len(some)))
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
	return next, forgotten, nil
}
