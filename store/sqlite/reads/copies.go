package reads

import (
	"context"
	"fmt"
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
)

// Copies implements [store.Erasing].
func (r *Reader) Copies(ctx context.Context, sequences []int64) ([]store.Copy, error) {
	c := copies{r: r, at: map[int64]bool{}, byID: map[string]int64{}}
	if err := c.find(ctx, sequences); err != nil {
		return nil, fmt.Errorf("find what carries the data: %w", err)
	}
	return c.list, c.open(ctx)
}

// copies is the search of Copies. It goes through each chain once, in order of sequence: what an event causes comes after it.
type copies struct {
	r    *Reader
	list []store.Copy
	at   map[int64]bool   // what is in list
	byID map[string]int64 // likewise, by id: older versions stored no cause
}

func (c *copies) add(sequence, from int64, id string) {
	if !c.at[sequence] {
		c.at[sequence], c.byID[id] = true, sequence
		c.list = append(c.list, store.Copy{Sequence: sequence, From: from})
	}
}

func (c *copies) find(ctx context.Context, sequences []int64) error {
	begins := map[int64]int64{} // chains, with the sequence from which on to look at them
	begin := func(chain, sequence int64) {
		if from, ok := begins[chain]; !ok || sequence < from {
			begins[chain] = sequence
		}
	}
	for _, sequence := range sequences {
		err := c.each(ctx, `SELECT sequence, id, ifnull(chain, sequence), NULL, NULL, NULL FROM events WHERE sequence = ?`, func(e carrier) error {
			c.add(e.sequence, 0, e.id)
			begin(e.chain, e.sequence)
			return nil
		}, sequence)
		if err != nil {
			return err
		}
	}
	for repeated := 0; len(begins) > 0; {
		for chain, from := range begins {
			err := c.each(ctx, `SELECT sequence, id, chain, cause, causationid, NULL FROM events WHERE chain = ? AND sequence > ? ORDER BY sequence`, func(e carrier) error {
				if e.cause == nil && e.parent != nil {
					if sequence, ok := c.byID[*e.parent]; ok {
						e.cause = &sequence
					}
				}
				if e.cause != nil && c.at[*e.cause] {
					c.add(e.sequence, *e.cause, e.id)
				}
				return nil
			}, chain, from)
			if err != nil {
				return err
			}
		}
		clear(begins)
		for ; repeated < len(c.list); repeated++ { // the id of what repeats an event begins with its sequence
			of := c.list[repeated].Sequence
			first := strconv.FormatInt(of, 10)
			err := c.each(ctx, `SELECT sequence, id, ifnull(chain, sequence), NULL, NULL, extensions FROM events WHERE id > ? AND id < ? AND extensions IS NOT NULL`, func(e carrier) error {
				var repeats events.Event
				if err := columns.DecodeExtensions(&repeats, *e.extensions); err != nil {
					return err
				}
				if repeats.ReplayOf == of && !c.at[e.sequence] {
					c.add(e.sequence, of, e.id)
					begin(e.chain, e.sequence)
				}
				return nil
			}, first+"-", first+".")
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// carrier is an event as far as copies minds.
type carrier struct {
	sequence, chain    int64
	id                 string
	cause              *int64
	parent, extensions *string
}

func (c *copies) each(ctx context.Context, query string, do func(carrier) error, args ...any) error {
	rows, err := c.r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e carrier
		if err := rows.Scan(&e.sequence, &e.id, &e.chain, &e.cause, &e.parent, &e.extensions); err != nil {
			return conn.Translate(err)
		}
		if err := do(e); err != nil {
			return err
		}
	}
	return conn.Translate(rows.Err())
}

// open marks what has runs that have not ended.
func (c *copies) open(ctx context.Context) error {
	for i := range c.list {
		err := c.r.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE sequence = ?1 AND state <= 2)
			OR EXISTS (SELECT 1 FROM meta WHERE key = '`+columns.UnattendedKey+`' AND CAST(value AS INTEGER) < ?1)`, c.list[i].Sequence).Scan(&c.list[i].Open)
		if err != nil {
			return fmt.Errorf("find what runs: %w", conn.Translate(err))
		}
	}
	return nil
}
