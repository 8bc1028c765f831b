package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// join records the events that a new run joins to its own.
func (t *txn) join(h store.HandlerID, sequence int64, others []int64, started time.Time) error {
	for _, other := range others {
		n, err := t.w.stmt.insertJoined.Exec(other, int64(h), micros(started), t.now, sequence)
		if err != nil {
			return err
		}
		if n == 1 && t.wantRuns {
			if err := t.tellJoined(h, other, sequence, started); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellJoined adds a joined run to the runs of the commit. It reads the run's event, because the joining run knows only the sequence.
func (t *txn) tellJoined(h store.HandlerID, other, sequence int64, started time.Time) error {
	find, err := t.w.prepared(`SELECT id, type, ifnull(chain, sequence) FROM events WHERE sequence = ?`)
	if err != nil {
		return err
	}
	var row [3]driver.Value
	if err := find.QueryRow(row[:], other); err != nil {
		if conn.NoRows(err) {
			return nil
		}
		return err
	}
	name := t.w.names[h]
	r := store.Run{
		ID: store.RunID(other, name, t.w.id), Handler: name, HandlerID: h, Sequence: other, State: store.Skipped, Attempt: 1,
		StartedAt: started.UTC().Truncate(time.Microsecond), FinishedAt: fromMicros(t.now), Joined: sequence,
	}
	r.EventID, _ = row[0].(string)
	r.Type, _ = row[1].(string)
	r.Chain, _ = row[2].(int64)
	t.runs = append(t.runs, r)
	return nil
}

// Joined implements [store.Runs].
func (s *Store) Joined(ctx context.Context, h store.HandlerID, sequence int64) ([]int64, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT sequence FROM runs WHERE handler = ? AND joined = ? ORDER BY sequence`, int64(h), sequence)
	if err != nil {
		return nil, fmt.Errorf("read joined runs: %w", conn.Translate(err))
	}
	defer rows.Close()
	var joined []int64
	for rows.Next() {
		var other int64
		if err := rows.Scan(&other); err != nil {
			return nil, conn.Translate(err)
		}
		joined = append(joined, other)
	}
	return joined, conn.Translate(rows.Err())
}
