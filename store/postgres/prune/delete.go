package prune

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/chains"
	"evrun/store/postgres/registry"
)

// deletion is what one transaction deletes.
type deletion struct {
	tx   Tx
	l    *look
	did  store.Pruned
	keys int64
	lost chains.Losses
}

// delete deletes the chains of a look, some in each transaction, and notes how far it went.
func (p *Pruner) delete(ctx context.Context, l *look) error {
	if len(l.Going) == 0 && !l.Advances() {
		return nil
	}
	for rest := l.Going; ; {
		done := 0
		begun := time.Now()
		err := p.o.Write(ctx, func(tx Tx) (err error) {
			d := &deletion{tx: tx, l: l, lost: chains.Losses{}}
			if err := d.begin(); err != nil {
				return err
			}
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
		if err := pause(ctx, restFactor*time.Since(begun)); err != nil {
			return err
		}
	}
}

// begin waits for its turn among all that prune the store, and has the handlers stay as they are. They must be as the look found them.
func (d *deletion) begin() error {
	for _, query := range []string{
		`SET LOCAL synchronous_commit = off`,
		`SELECT FROM evrun.pruning FOR UPDATE`,
	} {
		if _, err := d.tx.Exec(query); err != nil {
			return err
		}
	}
	if err := registry.WaitForChanges(d.tx); err != nil {
		return err
	}
	rows, err := d.tx.Query(handlersAsTheyAre)
	if err != nil {
		return err
	}
	handlers, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err == nil && handlers != d.l.handlers {
		err = errMoved
	}
	return err
}

// chains deletes some of the chains, and returns how many.
func (d *deletion) chains(list []*chains.Chain) (done int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	if list[0].Large {
		gone, err := d.large(list[0])
		if err != nil || !gone {
			return 0, err
		}
		done = 1
	} else {
		var evs []*chains.Event
		for bytes := int64(0); done < len(list) && !list[done].Large; done++ {
			if done > 0 && (len(evs)+len(list[done].Events) > maxUnits || bytes+list[done].Bytes > maxBytes) {
				break
			}
			evs = append(evs, list[done].Events...)
			bytes += list[done].Bytes
		}
		if err := d.events(evs); err != nil {
			return 0, err
		}
	}
	for _, c := range list[:done] {
		d.did.Add(c.Pruned)
		d.lost.Add(c.Lost)
	}
	return done, nil
}

// large deletes events of a large chain, the last ones first. gone says that it was the first one of them.
func (d *deletion) large(c *chains.Chain) (gone bool, err error) {
	rows, err := d.tx.Query(`SELECT sequence, id, source FROM evrun.events WHERE chain = $1 AND sequence > $2 ORDER BY sequence DESC LIMIT $3`,
		c.Events[0].Chain, c.Key, maxUnits)
	if err != nil {
		return false, err
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*chains.Event, error) {
		var e chains.Event
		err := row.Scan(&e.Sequence, &e.ID, &e.Source)
		return &e, err
	})
	if err != nil {
		return false, err
	}
	if gone = len(page) == 0; gone {
		page = c.Events[:1]
	}
	return gone, d.events(page)
}

// events deletes events, with all that hangs on them.
func (d *deletion) events(list []*chains.Event) error {
	sequences := make([]int64, len(list))
	stored := int64(0)
	for i, e := range list {
		sequences[i] = e.Sequence
		if !e.Bare {
			stored++
		}
	}
	slices.Sort(sequences)
	if err := d.ended(sequences); err != nil {
		return err
	}
	for _, query := range []string{
		`DELETE FROM evrun.attempts WHERE sequence = ANY($1)`,
		`DELETE FROM evrun.run_outputs WHERE sequence = ANY($1)`,
		`DELETE FROM evrun.runs WHERE sequence = ANY($1)`,
	} {
		if _, err := d.tx.Exec(query, sequences); err != nil {
			return err
		}
	}
	n, err := d.tx.Exec(`DELETE FROM evrun.events WHERE sequence = ANY($1)`, sequences)
	if err != nil {
		return err
	}
	if n != stored { // somebody else has pruned some of them
		return errMoved
	}
	return d.keep(list)
}

// ended locks the runs on some events, which must still be such that nobody needs them.
func (d *deletion) ended(sequences []int64) error {
	runs, err := d.locked(`SELECT sequence, handler, state, coalesce(joined, 0) FROM evrun.runs WHERE sequence = ANY($1) ORDER BY sequence, handler FOR UPDATE`,
		sequences)
	if err != nil {
		return err
	}
	var joined []int64
	handlers := map[[2]int64]bool{}
	for _, r := range runs {
		if r.Joined == 0 {
			if d.l.Needs.Open(r) {
				return errMoved
			}
			continue
		}
		joined = append(joined, r.Joined)
		handlers[[2]int64{r.Joined, int64(r.Handler)}] = true
	}
	if len(joined) == 0 {
		return nil
	}
	slices.Sort(joined)
	if runs, err = d.locked(`SELECT sequence, handler, state, 0 FROM evrun.runs WHERE sequence = ANY($1) ORDER BY sequence, handler FOR SHARE`, slices.Compact(joined)); err != nil {
		return err
	}
	for _, r := range runs {
		if handlers[[2]int64{r.Sequence, int64(r.Handler)}] && d.l.Needs.Open(r) {
			return errMoved
		}
	}
	return nil
}

func (d *deletion) locked(query string, sequences []int64) ([]chains.Run, error) {
	rows, err := d.tx.Query(query, sequences)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r chains.Run, err error) {
		err = row.Scan(&r.Sequence, &r.Handler, &r.State, &r.Joined)
		return r, err
	})
}

// keep keeps the keys of deleted events.
func (d *deletion) keep(list []*chains.Event) error {
	if !d.l.Query.Keys {
		return nil
	}
	var (
		keys      [][]byte
		sequences []int64
	)
	for _, e := range list {
		if !e.Bare {
			keys, sequences = append(keys, chains.KeyOf(e.ID, e.Source)), append(sequences, e.Sequence)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	n, err := d.tx.Exec(`INSERT INTO evrun.pruned_keys (key, sequence, pruned_at) SELECT k, s, $3 FROM unnest($1::bytea[], $2::bigint[]) AS x (k, s)
		ON CONFLICT (key) DO UPDATE SET sequence = excluded.sequence, pruned_at = excluded.pruned_at`, keys, sequences, d.l.Now/1e6)
	d.keys += n
	return err
}

// note stores what the transaction has deleted and, with scanned, how far the journal was looked at.
func (d *deletion) note(scanned bool) error {
	for h, n := range d.lost {
		if _, err := d.tx.Exec(`INSERT INTO evrun.pruning_lost AS l (handler, events, runs) VALUES ($1, $2, $3)
			ON CONFLICT (handler) DO UPDATE SET events = l.events + excluded.events, runs = l.runs + excluded.runs`, int64(h), n.Events, n.Runs); err != nil {
			return err
		}
	}
	if scanned {
		if _, err := d.tx.Exec(`DELETE FROM evrun.batches WHERE ended_at < $1`, d.l.Until); err != nil {
			return err
		}
		if _, err := d.tx.Exec(`UPDATE evrun.pruning SET scanned = greatest(scanned, $1)`, d.l.Reached); err != nil {
			return err
		}
	}
	if d.did == (store.Pruned{}) && d.keys == 0 {
		return nil
	}
	_, err := d.tx.Exec(`UPDATE evrun.pruning SET peak = greatest(peak, (SELECT head FROM evrun.journal) - events), chains = chains + $1, events = events + $2,
		runs = runs + $3, bytes = bytes + $4, keys = keys + $5, pruned_at = $6`,
		d.did.Chains, d.did.Events, d.did.Runs, d.did.Bytes, d.keys, d.l.Now)
	return err
}
