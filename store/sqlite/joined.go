package sqlite

import (
	"database/sql/driver"
	"time"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// join records the events that a new run joins to its own.
func (t *txn) join(h store.HandlerID, sequence int64, others []int64, started time.Time) error {
	for _, other := range others {
		n, err := t.w.stmt.insertJoined.Exec(other, int64(h), schema.Micros(started), t.now, sequence)
		if err != nil {
			return err
		}
		if n == 1 {
			if err := t.noteRun(h, store.Skipped, other); err != nil {
				return err
			}
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
		StartedAt: started.UTC().Truncate(time.Microsecond), FinishedAt: schema.Time(t.now), Joined: sequence,
	}
	r.EventID, _ = row[0].(string)
	r.Type, _ = row[1].(string)
	r.Chain, _ = row[2].(int64)
	t.runs = append(t.runs, r)
	return nil
}
