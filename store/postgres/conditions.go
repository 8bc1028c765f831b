package postgres

import (
	"context"

	"evrun/store"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// maxConditions is how many texts of conditions the store keeps: a wiring that is edited for years must not fill it. An older run then has no text.
const maxConditions = 10_000

// conditions has the numbers of the conditions that were used since the store was opened, by their text. A text gets its number before the transaction of
// the first run that has it: a number that no run has does no harm.
type conditions map[string]int64

const (
	findCondition  = `SELECT id FROM evrun.conditions WHERE text = $1::text`
	newCondition   = `INSERT INTO evrun.conditions (text) VALUES ($1::text) ON CONFLICT (text) DO UPDATE SET text = excluded.text RETURNING id`
	pruneCondition = `DELETE FROM evrun.conditions WHERE id <= (SELECT max(id) FROM evrun.conditions) - $1::bigint`
	nameOfHandler  = `SELECT name FROM evrun.handlers WHERE id = $1::bigint`
)

// prepare gets the numbers of the conditions, before the transaction begins.
func (x *work) prepare() error {
	for i := range x.runs {
		s := x.runs[i].s
		if s == nil {
			continue
		}
		if s.When != "" {
			if err := x.w.numberCondition(x.ctx, s.When); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) numberCondition(ctx context.Context, text string) error {
	if _, known := w.conditions[text]; known {
		return nil
	}
	results, err := w.ask(ctx, findCondition, wire.Text(schema.Text(text)))
	if err != nil {
		return err
	}
	if len(results[0].Rows) == 0 {
		if results, err = w.ask(ctx, newCondition, wire.Text(schema.Text(text))); err != nil {
			return err
		}
		if _, err := w.ask(ctx, pruneCondition, wire.Int8(maxConditions)); err != nil {
			return err
		}
	}
	if len(w.conditions) >= maxConditions || w.conditions == nil {
		w.conditions = conditions{}
	}
	w.conditions[text] = results[0].Int(0, 0)
	return nil
}

// name returns the name of a handler, which never changes.
func (w *writer) name(ctx context.Context, h store.HandlerID) (string, error) {
	if name, ok := w.names[h]; ok {
		return name, nil
	}
	results, err := w.ask(ctx, nameOfHandler, wire.Int8(int64(h)))
	if err != nil {
		return "", err
	}
	if len(results[0].Rows) == 0 {
		return "", nil // nobody has registered it
	}
	w.names[h] = results[0].Text(0, 0)
	return w.names[h], nil
}

// ask sends one statement.
func (w *writer) ask(ctx context.Context, query string, args ...any) ([]wire.Result, error) {
	m := &wire.Message{}
	m.Add(query, args...)
	results, _, err := w.c.conn.Send(ctx, m)
	return results, err
}
