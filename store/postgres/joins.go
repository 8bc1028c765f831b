package postgres

import (
	"strings"
	"time"

	"evrun/store"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

const (
	insertJoined = `INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at, finished_at, joined)
		SELECT v.sequence, $1::bigint, 4, 1, $2::bigint, $3::bigint, $4::bigint FROM unnest($5::bigint[]) AS v(sequence)
		ON CONFLICT DO NOTHING RETURNING sequence`
	eventsOfRuns = `SELECT sequence, id, type, coalesce(chain, sequence) FROM evrun.events WHERE sequence = ANY($1::bigint[]) ORDER BY sequence`
)

// join records the events that a new run joins to its own.
func (x *work) join(h store.HandlerID, sequence int64, others []int64, started time.Time) error {
	if len(others) == 0 {
		return nil
	}
	list := wire.NewArray(wire.Bigint, 12*len(others))
	for _, other := range others {
		list.Int8(other)
	}
	m := &wire.Message{}
	m.Add(insertJoined, wire.Int8(int64(h)), wire.Int8(schema.Micros(started)), wire.Int8(x.now), wire.Int8(sequence), list.Value())
	results, err := x.send(m)
	if err != nil || !x.wantRuns || len(results[0].Rows) == 0 {
		return err
	}
	joined := wire.NewArray(wire.Bigint, 12*len(others))
	for row := range results[0].Rows {
		joined.Int8(results[0].Int(row, 0))
	}
	m = &wire.Message{}
	m.Add(eventsOfRuns, joined.Value())
	if results, err = x.send(m); err != nil {
		return err
	}
	name, err := x.w.name(x.ctx, h)
	if err != nil {
		return err
	}
	for row := range results[0].Rows {
		r := &results[0]
		x.changed = append(x.changed, store.Run{
			ID: store.RunID(r.Int(row, 0), name, x.w.s.id), Handler: name, HandlerID: h, EventID: r.Text(row, 1), Sequence: r.Int(row, 0), Chain: r.Int(row, 3),
			Type: r.Text(row, 2), State: store.Skipped, Attempt: 1, StartedAt: started.UTC().Truncate(time.Microsecond), FinishedAt: schema.Time(x.now),
			Joined: sequence,
		})
	}
	return nil
}

// note adds a settled run to what is published.
func (x *work) note(e *entry) error {
	if !x.wantRuns || e.s == nil {
		return nil
	}
	s, out := e.s, &e.out
	name, err := x.w.name(x.ctx, s.Handler)
	if err != nil {
		return err
	}
	run := store.Run{
		ID: s.ID, Handler: name, HandlerID: s.Handler, EventID: s.Event.ID, Sequence: s.Event.Sequence, Type: s.Event.Type, Chain: s.Event.Chain,
		State: out.State, Attempt: s.Attempt, Error: out.Error, StartedAt: s.Started.UTC().Truncate(time.Microsecond), FinishedAt: schema.Time(x.now),
		NextAttemptAt: out.NextAttemptAt,
	}
	if run.ID == "" {
		run.ID = store.RunID(s.Event.Sequence, name, x.w.s.id)
	}
	switch out.State {
	case store.Cancelled:
		run.Reason = strings.TrimPrefix(e.reason, store.Being)
	case store.Skipped:
		run.When = s.When
	}
	if out.State != store.Skipped && (out.State != store.Cancelled || !out.Uncounted) {
		x.attempts = append(x.attempts, store.Attempted{Run: len(x.changed), Event: s.Event})
	}
	x.changed = append(x.changed, run)
	return nil
}
