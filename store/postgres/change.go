package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/feed"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// change makes a change that is not on the way of events: do runs in a transaction. The events that it passes on are accepted in the message that commits
// it, so that nobody holds the journal's head over a round trip. do may be called again, after a deadlock or a broken connection.
func (s *Store) change(ctx context.Context, do func(t *txn) error) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	var c *session
	select {
	case c = <-s.changes:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.changes <- c }()
	return c.retry(ctx, func(ctx context.Context) error { return c.once(ctx, do) })
}

// once makes the change in one transaction.
func (c *session) once(ctx context.Context, do func(t *txn) error) error {
	s := c.s
	began := time.Now()
	tx, err := c.open(ctx)
	if err != nil {
		return err
	}
	t := &txn{s: s, c: c, ctx: ctx, tx: tx, now: schema.Micros(s.opt.Now()), wantRuns: s.wantRuns()}
	in := &intake{now: t.now}
	if err = do(t); err == nil {
		err = c.commit(ctx, t, in)
	}
	if err = c.ended(ctx, err); err == nil || !passes(err) {
		s.wrote(store.Written{Events: len(in.fresh), Known: in.known, Runs: len(t.runs), Took: time.Since(began), Err: err})
	}
	if err != nil {
		return err
	}
	return nil
}

// commit accepts the transaction's events and commits it, in one message, and publishes it.
func (c *session) commit(ctx context.Context, t *txn, in *intake) error {
	if err := t.sift(in); err != nil {
		return err
	}
	m := &wire.Message{}
	at, err := in.add(m, c.s)
	if err != nil {
		return err
	}
	for _, last := range t.last {
		m.Add(last.query, last.args()...)
	}
	record, args, err := c.s.peers.feed.Record(t.foreign)
	if err != nil {
		return err
	}
	if record != "" {
		m.Add(record, args...)
	}
	m.Add("COMMIT")
	published := make(chan struct{})
	err = c.finish(ctx, ending{message: m, told: record != "", changed: t.changed, published: func() { close(published) }, done: func(results []wire.Result) (store.Commit, error) {
		if err := in.accepted(ctx, c.s, results, at); err != nil {
			return store.Commit{}, err
		}
		copy(t.receipts, in.receipts)
		for _, do := range t.numbered {
			do()
		}
		return store.Commit{Events: in.fresh, Runs: t.runs, Attempts: t.attempts}, nil
	}})
	if err == nil {
		<-published
	}
	return err
}

// txn is the transaction of a change.
type txn struct {
	s   *Store
	c   *session
	ctx context.Context
	tx  pgx.Tx
	now int64

	accepted []*events.Event
	receipts []store.Receipt
	emitted  []*events.Event
	last     []lastly
	numbered []func()
	wantRuns bool // somebody wants what publish gets
	runs     []store.Run
	keys     []feed.Key // of those that nobody here wants
	attempts []store.Attempted
	foreign  store.Foreign
}

func (t *txn) exec(query string, args ...any) (rows int64, err error) {
	tag, err := t.tx.Exec(t.ctx, query, args...)
	return tag.RowsAffected(), err
}

func (t *txn) query(query string, args ...any) (pgx.Rows, error) {
	return t.tx.Query(t.ctx, query, args...)
}

func (t *txn) row(query string, args ...any) pgx.Row { return t.tx.QueryRow(t.ctx, query, args...) }

// accept accepts events with the commit. When it was made, receipts has an answer for each.
func (t *txn) accept(evs []*events.Event, receipts []store.Receipt) {
	t.accepted, t.receipts = evs, receipts
}

// emit accepts events that evrun makes itself: if one is known, the change fails with [store.ErrClash].
func (t *txn) emit(evs []*events.Event) { t.emitted = append(t.emitted, evs...) }

// lastly is a statement at the end of a transaction.
type lastly struct {
	query string
	args  func() []any
}

// atEnd adds a statement to the message that accepts the change's events and commits it, behind the acceptance. evrun.journal then has the sequence of the
// last of them. args is called when it is known which events are duplicates: the receipts of accept say so, but not yet the sequences of the others.
func (t *txn) atEnd(query string, args func() []any) { t.last = append(t.last, lastly{query, args}) }

// whenNumbered is called when the events have their sequences, before the change is published.
func (t *txn) whenNumbered(do func()) { t.numbered = append(t.numbered, do) }

// publish adds a changed run to what OnCommit gets, if anybody wants runs.
func (t *txn) publish(r store.Run) {
	if t.wantRuns {
		t.runs = append(t.runs, r)
	} else {
		t.keys = append(t.keys, feed.Key{Handler: r.HandlerID, Sequence: r.Sequence})
	}
}

func (t *txn) changed() []feed.Key { return t.keys }

// tell says what other processes must know of the change.
func (t *txn) tell(f store.Foreign) {
	t.foreign.Runs = append(t.foreign.Runs, f.Runs...)
	t.foreign.Handlers = t.foreign.Handlers || f.Handlers
	t.foreign.Schedules = t.foreign.Schedules || f.Schedules
	t.foreign.Tokens = t.foreign.Tokens || f.Tokens
}

// sift finds out which of the transaction's events are known.
func (t *txn) sift(in *intake) error {
	if len(t.accepted)+len(t.emitted) == 0 {
		return nil
	}
	in.take(t.accepted, false)
	in.take(t.emitted, true)
	m := &wire.Message{}
	in.addLookup(m)
	results, _, err := t.c.conn.Send(t.ctx, m)
	if err != nil {
		return err
	}
	if err := in.sift(results); err != nil {
		return err
	}
	copy(t.receipts, in.receipts)
	return nil
}
