package postgres

import (
	"context"
	"fmt"
	"strings"

	"evrun/store"
	"evrun/store/columns"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

const putOutputs = `INSERT INTO evrun.run_outputs AS o (sequence, handler, attempt, state, started_at, finished_at, layout, text)
	SELECT v.sequence, v.handler, v.attempt, v.state, v.started, $1::bigint, v.layout, v.text
	FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[])
		AS v(sequence, handler, attempt, state, started, layout, text)
	ON CONFLICT (sequence, handler, attempt) DO UPDATE SET state = excluded.state, started_at = excluded.started_at, finished_at = excluded.finished_at,
		layout = excluded.layout, text = excluded.text`

// addOutputs stores the outputs of attempts that have ended. They replace what KeepOutputs may have written.
func (x *work) addOutputs(m *wire.Message, list []*entry) {
	if len(list) == 0 {
		return
	}
	var a [5]*wire.Array
	for i := range a {
		a[i] = wire.NewArray(wire.Bigint, 12*len(list))
	}
	layouts, texts := wire.NewArray(wire.Texts, 40*len(list)), wire.NewArray(wire.Bytea, 200*len(list))
	for _, e := range list {
		for i, v := range []int64{e.row.sequence, e.row.handler, int64(e.s.Attempt), int64(e.out.State), schema.Micros(e.s.Started)} {
			a[i].Int8(v)
		}
		layout, text := columns.EncodeOutput(e.s.Output)
		layouts.Text(layout)
		texts.Bytes([]byte(text))
	}
	m.Add(putOutputs, wire.Int8(x.now), a[0].Value(), a[1].Value(), a[2].Value(), a[3].Value(), a[4].Value(), layouts.Value(), texts.Value())
}

const keepOutput = `INSERT INTO evrun.run_outputs (sequence, handler, attempt, state, started_at, layout, text)
	SELECT $1::bigint, $2::integer, $3::integer, 1, $4::bigint, $5::text, $6::bytea
	WHERE EXISTS (SELECT FROM evrun.runs WHERE sequence = $1 AND handler = $2 AND attempt = $3 AND state = 1)
	ON CONFLICT (sequence, handler, attempt) DO UPDATE SET started_at = excluded.started_at, layout = excluded.layout, text = excluded.text
		WHERE run_outputs.finished_at IS NULL`

// KeepOutputs implements [store.Runs].
func (s *Store) KeepOutputs(ctx context.Context, outputs []store.Partial) error {
	err := s.change(ctx, func(t *txn) error {
		for _, o := range outputs {
			layout, text := columns.EncodeOutput(o.Output)
			if _, err := t.exec(keepOutput, o.Sequence, int64(o.Handler), o.Attempt, schema.Micros(o.Started), layout, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep outputs: %w", err)
	}
	return nil
}

// Withdraw implements [store.Runs]. It is rare: a stop of a handler's worker.
func (s *Store) Withdraw(ctx context.Context, claims []store.Claim) error {
	err := s.change(ctx, func(t *txn) error {
		for _, c := range claims {
			if !t.c.is(c.Node) {
				continue // the run is another's now
			}
			_, err := t.exec(`DELETE FROM evrun.runs WHERE sequence = $1 AND handler = $2 AND state = 1 AND attempt = 1 AND budget = 1 AND reason IS NULL`,
				c.Sequence, int64(c.Handler))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("withdraw claims: %w", err)
	}
	return nil
}

// asciiLower is what makes e-mail addresses the same: lower(email COLLATE "C").
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
