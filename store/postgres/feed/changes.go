package feed

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
)

// change is the body of a row of evrun.changes.
type change struct {
	Runs      map[store.HandlerID][]int64 `json:"runs,omitempty"`
	Handlers  bool                        `json:"handlers,omitempty"`
	Schedules bool                        `json:"schedules,omitempty"`
	Tokens    bool                        `json:"tokens,omitempty"`
}

const (
	// How long rows are kept. A process that has not looked for as long reads everything again.
	keepChanges = 10 * time.Minute
	// Within this time, a row that has a smaller number than others may still become visible.
	lateChanges = time.Minute
)

// seen are the changes that this process knows.
type seen struct {
	floor  int64           // all changes up to here are known
	ids    map[int64]bool  // others
	newest map[int64]int64 // the greatest change by the minute in which it was seen
	looked time.Time
	purged time.Time
}

// Record returns the statement that records in a transaction what others must know of it; empty: nothing. The transaction's [Own] is then Told.
func (f *Feed) Record(c store.Foreign) (statement string, args []any, err error) {
	if len(c.Runs) == 0 && !c.Handlers && !c.Schedules && !c.Tokens {
		return "", nil, nil
	}
	body := change{Handlers: c.Handlers, Schedules: c.Schedules, Tokens: c.Tokens}
	if len(c.Runs) > 0 {
		body.Runs = map[store.HandlerID][]int64{}
		for i := range c.Runs {
			body.Runs[c.Runs[i].HandlerID] = append(body.Runs[c.Runs[i].HandlerID], c.Runs[i].Sequence)
		}
	}
	text, err := events.MarshalJSON(body)
	return `INSERT INTO evrun.changes (origin, body) VALUES ($1, $2)`, []any{f.origin, string(text)}, err
}

// begin finds out where the journal and the changes end.
func (f *Feed) begin(ctx context.Context) (err error) {
	f.seen = seen{ids: map[int64]bool{}, newest: map[int64]int64{}, looked: time.Now(), purged: time.Now()}
	if f.last, _, err = f.head(ctx); err != nil {
		return err
	}
	// What was changed before this process reads anything is not news. Rows with smaller numbers than the greatest may become visible later.
	rows, err := f.opt.Pool.Query(ctx, `SELECT id FROM evrun.changes`)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for _, id := range ids {
		f.know(id)
	}
	return err
}

// head reads the journal's head, and the id of the event that was published last; empty: it was deleted.
func (f *Feed) head(ctx context.Context) (head int64, last string, err error) {
	err = f.opt.Pool.QueryRow(ctx, `SELECT head, coalesce((SELECT id FROM evrun.events WHERE sequence = $1), '') FROM evrun.journal`, f.last).Scan(&head, &last)
	return head, last, err
}

// know notes a change. It needs publishing, as all that follows.
func (f *Feed) know(id int64) {
	f.seen.ids[id] = true
	minute := time.Now().Unix() / int64(lateChanges/time.Second)
	f.seen.newest[minute] = max(f.seen.newest[minute], id)
}

// settle raises the floor to the changes that were seen long ago.
func (f *Feed) settle() {
	now := time.Now().Unix() / int64(lateChanges/time.Second)
	for minute, id := range f.seen.newest {
		if minute < now-1 {
			f.seen.floor = max(f.seen.floor, id)
			delete(f.seen.newest, minute)
		}
	}
	for id := range f.seen.ids {
		if id <= f.seen.floor {
			delete(f.seen.ids, id)
		}
	}
}

// readChanges reports what others have changed.
func (f *Feed) readChanges(ctx context.Context) error {
	if f.opt.OnForeign == nil {
		return nil
	}
	now := time.Now()
	rows, err := f.opt.Pool.Query(ctx, `SELECT id, origin, body FROM evrun.changes WHERE id > $1 ORDER BY id`, f.seen.floor)
	if err != nil {
		return err
	}
	var found store.Foreign
	var keys []Key
	var ids []int64
	var (
		id, origin int64
		body       string
	)
	if _, err := pgx.ForEachRow(rows, []any{&id, &origin, &body}, func() error {
		if f.seen.ids[id] {
			return nil
		}
		ids = append(ids, id)
		if origin == f.origin {
			return nil
		}
		var c change
		if json.Unmarshal([]byte(body), &c) != nil { // of a later version
			c = change{Handlers: true, Schedules: true, Tokens: true}
		}
		found.Handlers = found.Handlers || c.Handlers
		found.Schedules = found.Schedules || c.Schedules
		found.Tokens = found.Tokens || c.Tokens
		for h, sequences := range c.Runs {
			for _, sequence := range sequences {
				keys = append(keys, Key{h, sequence})
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if found.Runs, err = f.runs(ctx, keys); err != nil {
		return err
	}
	for _, id := range ids {
		f.know(id)
	}
	f.settle()
	if now.Sub(f.seen.looked) > keepChanges-lateChanges {
		found.Handlers, found.Schedules, found.Tokens, found.All = true, true, true, true
	}
	f.seen.looked = now
	if len(found.Runs) > 0 || found.Handlers || found.Schedules || found.Tokens {
		f.foreign(found)
	}
	return f.purge(ctx, now)
}

// purge deletes old changes, once in a while.
func (f *Feed) purge(ctx context.Context, now time.Time) error {
	if now.Sub(f.seen.purged) < lateChanges {
		return nil
	}
	f.seen.purged = now
	_, err := f.opt.Pool.Exec(ctx, `DELETE FROM evrun.changes WHERE at < clock_timestamp() - $1 * interval '1 second'`, int64(keepChanges/time.Second))
	return err
}
