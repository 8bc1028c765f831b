package reads

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
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
	asked := map[int64]carrier{}
	if err := c.each(ctx, func(e carrier) error {
		asked[e.sequence] = e
		return nil
	}, `e.sequence = ANY($1)`, sequences); err != nil {
		return err
	}
	for _, sequence := range sequences {
		if e, ok := asked[sequence]; ok {
			c.add(e.sequence, 0, e.id)
			begin(e.chain, e.sequence)
		}
	}
	for repeated := 0; len(begins) > 0; {
		for chain, from := range begins {
			if err := c.each(ctx, c.caused, `e.chain = $1 AND e.sequence > $2 ORDER BY e.sequence`, chain, from); err != nil {
				return err
			}
		}
		clear(begins)
		for ; repeated < len(c.list); repeated++ { // the id of what repeats an event begins with its sequence
			of := c.list[repeated].Sequence
			first := strconv.FormatInt(of, 10)
			if err := c.each(ctx, func(e carrier) error {
				var repeats events.Event
				if err := columns.DecodeExtensions(&repeats, e.extensions); err != nil {
					return err
				}
				if repeats.ReplayOf == of && !c.at[e.sequence] {
					c.add(e.sequence, of, e.id)
					begin(e.chain, e.sequence)
				}
				return nil
			}, `e.id > $1 AND e.id < $2 AND e.extensions IS NOT NULL`, first+"-", first+"."); err != nil {
				return err
			}
		}
	}
	return nil
}

// caused adds an event of a chain if one that carries the data has caused it.
func (c *copies) caused(e carrier) error {
	if e.cause == nil && e.parent != nil {
		if sequence, ok := c.byID[*e.parent]; ok {
			e.cause = &sequence
		}
	}
	if e.cause != nil && c.at[*e.cause] {
		c.add(e.sequence, *e.cause, e.id)
	}
	return nil
}

// carrier is an event as far as copies minds.
type carrier struct {
	sequence, chain int64
	id, extensions  string
	cause           *int64
	parent          *string
}

func (c *copies) each(ctx context.Context, do func(carrier) error, where string, args ...any) error {
	return c.r.each(ctx, func(rows pgx.Rows) error {
		var e carrier
		if err := rows.Scan(&e.sequence, &e.id, &e.chain, &e.cause, &e.parent, &e.extensions); err != nil {
			return err
		}
		return do(e)
	}, `SELECT e.sequence, e.id, coalesce(e.chain, e.sequence), e.cause, e.causationid, coalesce(e.extensions, '') FROM evrun.events e WHERE `+where, args...)
}

// open marks what has runs that have not ended, and what was accepted for handlers that are not known yet.
func (c *copies) open(ctx context.Context) error {
	sequences := make([]int64, len(c.list))
	for i := range c.list {
		sequences[i] = c.list[i].Sequence
	}
	open := map[int64]bool{}
	err := c.r.each(ctx, func(rows pgx.Rows) error {
		sequence, err := number(rows)
		open[sequence] = true
		return err
	}, `SELECT r.sequence FROM evrun.runs r WHERE r.sequence = ANY($1) AND r.state <= 2
		UNION SELECT s FROM unnest($1::bigint[]) s WHERE s > (SELECT m.value::bigint FROM evrun.meta m WHERE m.key = $2)`, sequences, columns.UnattendedKey)
	if err != nil {
		return fmt.Errorf("find what runs: %w", err)
	}
	for i := range c.list {
		c.list[i].Open = open[c.list[i].Sequence]
	}
	return nil
}
