package prune

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"evrun/store"
	"evrun/store/chains"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// deletion is what one transaction deletes.
type deletion struct {
	prepare conn.Prepare
	pruned  *Keys
	l       *chains.Look
	now     int64
	head    int64
	did     store.Pruned
	keys    int64
	lost    chains.Losses
}

// delete deletes the chains of a look, a few in each transaction, and notes how far it went.
func (p *Pruner) delete(ctx context.Context, l *chains.Look, generation int64) error {
	if len(l.Going) == 0 && !l.Advances() {
		return nil
	}
	for rest := l.Going; ; {
		done := 0
		took, err := p.write(ctx, func(w conn.Prepare) (err error) {
			if generation != p.generation() {
				return errMoved
			}
			d := &deletion{prepare: w, pruned: p.o.Keys, l: l, now: l.Now, lost: chains.Losses{}}
			if done, err = d.chains(rest); err != nil {
				return err
			}
			return d.note(done == len(rest) && l.Advances())
		})
		if err != nil {
			return err
		}
		if rest = rest[done:]; len(rest) == 0 {
			return nil
		}
		if err := pause(ctx, restFactor*took); err != nil {
			return err
		}
	}
}

// write runs do in a transaction of the writer, and returns how long it took.
func (p *Pruner) write(ctx context.Context, do func(conn.Prepare) error) (took time.Duration, err error) {
	err = p.o.Write(ctx, func(w conn.Prepare) error {
		begun := time.Now()
		defer func() { took = time.Since(begun) }()
		return do(w)
	})
	return took, err
}

// pause waits, so that others have the writer.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// chains deletes chains while there is time, and returns how many.
func (d *deletion) chains(list []*chains.Chain) (done int, err error) {
	if d.head, err = d.prepare.Number(`SELECT ` + schema.JournalHead); err != nil {
		return 0, err
	}
	begun := time.Now()
	for done < len(list) {
		n, goes := 1, false
		if list[done].Large {
			goes, err = d.large(list[done], begun)
		} else {
			n, err = d.some(list[done:])
			goes = true
		}
		if err != nil {
			return 0, err
		}
		if !goes {
			return done, nil
		}
		for _, c := range list[done : done+n] {
			d.did.Add(c.Pruned)
			d.lost.Add(c.Lost)
		}
		if done += n; time.Since(begun) > holdFor {
			break
		}
	}
	return done, nil
}

// some deletes the first of the chains, and returns how many.
func (d *deletion) some(list []*chains.Chain) (n int, err error) {
	var evs []*chains.Event
	for bytes := int64(0); n < len(list) && !list[n].Large; n++ {
		if n > 0 && (len(evs)+len(list[n].Events) > maxUnits || bytes+list[n].Bytes > maxBytes) {
			break
		}
		evs = append(evs, list[n].Events...)
		bytes += list[n].Bytes
	}
	slices.SortFunc(evs, func(a, b *chains.Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for i := 0; i < len(evs); {
		last := i
		for last+1 < len(evs) && d.l.Follows(evs[last], evs[last+1]) {
			last++
		}
		if err := d.sequences(evs[i].Sequence, evs[last].Sequence); err != nil {
			return 0, err
		}
		i = last + 1
	}
	return n, d.keep(evs)
}

// large deletes events of a large chain, the last ones first, while there is time. gone says that all of them are.
func (d *deletion) large(c *chains.Chain, begun time.Time) (gone bool, err error) {
	list, err := d.prepare(`SELECT ` + eventColumns + ` FROM events e INDEXED BY events_chain WHERE e.chain = ? AND e.sequence > ? ORDER BY e.sequence DESC LIMIT ?`)
	if err != nil {
		return false, err
	}
	for {
		var page []*chains.Event
		err := list.Query(func(row []driver.Value) error {
			page = append(page, scan(row))
			return nil
		}, c.Events[0].Chain, c.Key, int64(maxUnits))
		if err != nil && !conn.NoRows(err) {
			return false, err
		}
		if gone = len(page) == 0; gone {
			page = c.Events[:1]
		}
		for _, e := range page {
			if err := d.sequences(e.Sequence, e.Sequence); err != nil {
				return false, err
			}
		}
		if err := d.keep(page); err != nil || gone || time.Since(begun) > holdFor {
			return gone, err
		}
	}
}

// sequences deletes the events from one sequence to another, with all that hangs on them.
func (d *deletion) sequences(first, last int64) error {
	for _, query := range []string{
		`DELETE FROM attempts WHERE sequence BETWEEN ? AND ?`,
		`DELETE FROM run_outputs WHERE sequence BETWEEN ? AND ?`,
		`DELETE FROM runs WHERE sequence BETWEEN ? AND ?`,
		`DELETE FROM events WHERE sequence BETWEEN ? AND ?`,
	} {
		if err := d.exec(query, first, last); err != nil {
			return err
		}
	}
	for block := first >> schema.BlockShift; block <= last>>schema.BlockShift; block++ {
		if block >= d.head>>schema.BlockShift { // the writer knows what it noted for this one
			return nil
		}
		low, high := block<<schema.BlockShift, (block+1)<<schema.BlockShift-1
		if err := d.exec(`DELETE FROM blocks WHERE block = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE sequence BETWEEN ?2 AND ?3)
			AND NOT EXISTS (SELECT 1 FROM runs WHERE sequence BETWEEN ?2 AND ?3)`, block, low, high); err != nil {
			return err
		}
	}
	return nil
}

// keep keeps the keys of deleted events.
func (d *deletion) keep(list []*chains.Event) error {
	if !d.l.Query.Keys {
		return nil
	}
	insert, err := d.prepare(`INSERT OR REPLACE INTO pruned_keys (key, sequence, pruned_at) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Bare {
			continue
		}
		key := chains.KeyOf(e.ID, e.Source)
		d.pruned.add(key)
		n, err := insert.Exec(key, e.Sequence, d.now/1e6)
		if err != nil {
			return err
		}
		d.keys += n
	}
	return nil
}

// note stores what the transaction has deleted and, with scanned, how far the journal was looked at.
func (d *deletion) note(scanned bool) error {
	for h, n := range d.lost {
		if err := d.exec(`INSERT INTO pruning_lost (handler, events, runs) VALUES (?1, ?2, ?3)
			ON CONFLICT (handler) DO UPDATE SET events = events + ?2, runs = runs + ?3`, int64(h), n.Events, n.Runs); err != nil {
			return err
		}
	}
	if scanned {
		if err := d.exec(`DELETE FROM batches WHERE ended_at < ?`, d.l.Until); err != nil {
			return err
		}
		if err := d.exec(`UPDATE pruning SET scanned = max(scanned, ?)`, d.l.Reached); err != nil {
			return err
		}
	}
	if d.did == (store.Pruned{}) && d.keys == 0 {
		return nil
	}
	return d.exec(`UPDATE pruning SET chains = chains + ?, events = events + ?, runs = runs + ?, bytes = bytes + ?, keys = keys + ?, pruned_at = ?`,
		d.did.Chains, d.did.Events, d.did.Runs, d.did.Bytes, d.keys, d.now)
}

func (d *deletion) exec(query string, args ...driver.Value) error {
	_, err := d.prepare.Exec(query, args...)
	return err
}
