package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/schema"
)

// change makes a change that is not on the way of events: do runs in a transaction. The events that it passes on are accepted in the message that commits
// it, so that nobody holds the journal's head over a round trip. do may be called again, after a deadlock or a broken connection.
func (s *Store) change(ctx context.Context, do func(t *txn) error) error {
	t := &txn{s: s, now: schema.Micros(s.opt.Now())}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		t.ctx, t.tx = context.WithoutCancel(ctx), tx
		if err := do(t); err != nil {
			return err
		}
		if len(t.accepted)+len(t.emitted) > 0 {
			return errors.New("events can't be accepted yet")
		}
		for _, last := range t.last {
			if _, err := t.exec(last.query, last.args()...); err != nil {
				return err
			}
		}
		return nil
	})
}

// txn is the transaction of a change.
type txn struct {
	s   *Store
	ctx context.Context
	tx  pgx.Tx
	now int64

	accepted []*events.Event
	receipts []store.Receipt
	emitted  []*events.Event
	last     []ending
	runs     []store.Run
	foreign  store.Foreign
	done     []func()
}

func (t *txn) exec(query string, args ...any) (rows int64, err error) {
	tag, err := t.tx.Exec(t.ctx, query, args...)
	return tag.RowsAffected(), err
}

func (t *txn) query(query string, args ...any) (pgx.Rows, error) {
	return t.tx.Query(t.ctx, query, args...)
}

func (t *txn) row(query string, args ...any) pgx.Row { return t.tx.QueryRow(t.ctx, query, args...) }

// head reads the journal's head, without holding it: later events may be committed before this transaction.
func (t *txn) head() (head int64, err error) {
	err = t.row(`SELECT head FROM evrun.journal`).Scan(&head)
	return head, err
}

// accept accepts events with the commit. When it was made, receipts has an answer for each.
func (t *txn) accept(evs []*events.Event, receipts []store.Receipt) {
	t.accepted, t.receipts = evs, receipts
}

// emit accepts events that evrun makes itself: if one is known, the change fails with [store.ErrClash].
func (t *txn) emit(evs []*events.Event) { t.emitted = append(t.emitted, evs...) }

// ending is a statement at the end of a transaction.
type ending struct {
	query string
	args  func() []any
}

// atEnd adds a statement to the message that accepts the change's events and commits it, behind the acceptance. evrun.journal then has the sequence of the
// last of them. args is called when it is known which events are duplicates: the receipts of accept say so, but not yet the sequences of the others.
func (t *txn) atEnd(query string, args func() []any) { t.last = append(t.last, ending{query, args}) }

// publish adds a changed run to what OnCommit gets, if anybody wants runs.
func (t *txn) publish(r store.Run) { t.runs = append(t.runs, r) }

// tell says what other processes must know of the change.
func (t *txn) tell(f store.Foreign) {
	t.foreign.Runs = append(t.foreign.Runs, f.Runs...)
	t.foreign.Handlers = t.foreign.Handlers || f.Handlers
	t.foreign.Schedules = t.foreign.Schedules || f.Schedules
	t.foreign.Tokens = t.foreign.Tokens || f.Tokens
}

// after is called once the change is on disk.
func (t *txn) after(do func()) { t.done = append(t.done, do) }
