package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/prune"
	"evrun/store/sqlite/schema"
	"evrun/store/sqlite/wal"
)

// The limits of a transaction; the write that reaches a limit is still in it.
const (
	maxBatchWeight = 1000    // events and settlements
	maxBatchBytes  = 1 << 20 // of payload
)

// writer owns the write connection. One goroutine, in run (loop.go), takes all waiting writes into one transaction and answers them after its commit,
// while callers queue up the next ones: under load one fsync serves hundreds. While nothing waits, a caller commits its own write, in its own
// goroutine: two switches between goroutines would cost a third of an acknowledgement. Writes with user statements take turns with the others: see
// turns.go.
type writer struct {
	// mu is held by the goroutine that writes, and guards all fields but the channels. run holds it, also before it begins and after it has ended,
	// except while it has nothing to do.
	mu sync.Mutex

	conn *conn.Conn
	stmt statements
	opt  Options
	id   string // the store's

	ops     chan *op      // waiting
	wake    chan struct{} // has a token after something was put into ops, or failure was set
	turns   turns
	stopped chan struct{} // closed when run has ended
	failure error         // the store is broken
	lost    chan struct{} // closed by lose, after loss is set
	loss    error
	wal     *wal.Log
	next    int64 // the next event's sequence
	names   map[store.HandlerID]string

	eventRows eventRows
	runRows   runRows
	userRows  userRows
	claimRows groups
	blocks    blocks

	outputRows outputRows
	appended   []*events.Event // reused, as receipts and emitted
	receipts   []store.Receipt
	emitted    []*events.Event
	nextUser   int64 // behind the last inserted user's id

	conditions conditions

	generation atomic.Int64 // see [prune.Options]
	pruned     prune.Keys

	user  *guard.Statements
	clock func() time.Time // the clock for turns, not for stored times
}

// newWriter returns a writer on the connection c, whose schema is up to date.
func newWriter(c *conn.Conn, path string, opt Options) (*writer, error) {
	w := &writer{
		conn: c, opt: opt, ops: make(chan *op, 256), stopped: make(chan struct{}), wake: make(chan struct{}, 1), lost: make(chan struct{}),
		wal: wal.New(path, opt.MaxWAL, opt.Warn), names: map[store.HandlerID]string{}, clock: time.Now,
		eventRows: eventRows{inserts: map[eventColumnSet]*conn.Stmt{}},
	}
	w.mu.Lock() // for run
	if err := w.stmt.prepare(c); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	own, err := schema.Own(c)
	if err != nil {
		return nil, err
	}
	w.user, err = guard.New(c, own, guard.MaxValue(opt.MaxData))
	return w, err
}

// load reads the store's id and the journal's head.
func (w *writer) load() error {
	row := make([]driver.Value, 1)
	get, err := w.prepared(`SELECT value FROM meta WHERE key = 'id'`)
	if err != nil {
		return err
	}
	if err := get.QueryRow(row); err != nil {
		return fmt.Errorf("its id: %w", err)
	}
	w.id = row[0].(string)
	head, err := w.prepared(`SELECT ` + schema.JournalHead)
	if err != nil {
		return err
	}
	if err := head.QueryRow(row); err != nil {
		return fmt.Errorf("the journal's head: %w", err)
	}
	w.next = row[0].(int64) + 1
	last, err := w.prepared(`SELECT ifnull(max(id), 0) FROM users`)
	if err != nil {
		return err
	}
	if err := last.QueryRow(row); err != nil {
		return fmt.Errorf("the last user's id: %w", err)
	}
	w.nextUser = row[0].(int64) + 1
	return w.pruned.Load(w.prepared)
}

// write commits the batch and answers its callers; alone says that it is a turn. It returns an error only if the store is broken.
func (w *writer) write(batch []*op, alone bool) error {
	if err := w.wal.Full(); err != nil {
		answer(batch, err)
		return nil
	}
	began := time.Now()
	var (
		t       *txn
		culprit *op
		err     error
	)
	if batch[0].turn == beside {
		t, culprit, err = w.unsynced(batch)
	} else {
		t, culprit, err = w.try(batch, alone)
	}
	w.wrote(batch, t, time.Since(began), err)
	switch {
	case err == nil:
		w.at(AfterCommit)
		w.publish(t)
		w.at(BeforeAnswers)
		for _, o := range batch {
			if o.declined {
				w.turns.add(o)
			} else {
				o.done <- nil
			}
		}
		return nil
	case errors.Is(err, store.ErrBroken):
		answer(batch, err)
		return err
	case culprit != nil && len(batch) > 1:
		// One write failed: the others must not fail with it. Writes that may be slow then wait for their turns.
		culprit.done <- err
		rest := make([]*op, 0, len(batch)-1)
		for _, o := range batch {
			switch {
			case o == culprit:
			case o.turn == own:
				rest = append(rest, o)
			default:
				w.turns.add(o)
			}
		}
		if len(rest) == 0 {
			return nil
		}
		return w.write(rest, alone)
	default:
		answer(batch, err)
		return nil
	}
}

// wrote reports a transaction.
func (w *writer) wrote(batch []*op, t *txn, took time.Duration, err error) {
	if w.opt.Wrote == nil {
		return
	}
	done := store.Written{Took: took, Err: err}
	if err == nil {
		done.Events, done.Known = len(t.events), t.known
		for _, o := range batch {
			if o.append == nil {
				done.Runs += o.weight
			}
		}
	}
	w.opt.Wrote(done)
}

func (w *writer) at(p Point) {
	if w.opt.At != nil {
		w.opt.At(p)
	}
}

func answer(batch []*op, err error) {
	for _, o := range batch {
		o.done <- err
	}
}

// try runs the batch in one transaction. After an error the database has nothing of the batch; after [store.ErrBroken] that is unknown. culprit is
// the write that caused the error, or nil.
func (w *writer) try(batch []*op, alone bool) (t *txn, culprit *op, err error) {
	w.at(BeforeBegin)
	if _, err := w.stmt.begin.Exec(); err != nil {
		return nil, nil, fmt.Errorf("begin: %w", err)
	}
	t = &txn{w: w, now: schema.Micros(w.opt.Now()), next: w.next, nextUser: w.nextUser, wantRuns: w.opt.WantRuns != nil && w.opt.WantRuns()}
	t.budget = budget{clock: w.clock, alone: alone, left: w.opt.StatementTimeout}
	if !alone && (batch[0].turn == own || len(w.turns.next) > 0) {
		t.budget.left /= shareOfOthers // another write waits for this transaction, or for the next turn
	}
	for rest := batch; len(rest) > 0; {
		n, err := t.doNext(rest)
		if rest = rest[n:]; err != nil || t.failed != nil {
			if t.failed != nil {
				err = t.failed
			}
			if rerr := w.rollback(t); rerr != nil {
				return nil, nil, rerr
			}
			if conn.Aborts(err) {
				return nil, nil, err
			}
			return nil, batch[len(batch)-len(rest)-1], err
		}
	}
	if err := t.moveMarks(); err != nil {
		if rerr := w.rollback(t); rerr != nil {
			return nil, nil, rerr
		}
		return nil, nil, err
	}
	w.at(BeforeCommit)
	if _, err := w.stmt.commit.Exec(); err != nil {
		if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy) {
			if rerr := w.rollback(t); rerr != nil {
				return nil, nil, rerr
			}
			return nil, nil, fmt.Errorf("commit: %w", err)
		}
		// It is unknown whether the transaction reached the disk. Only opening the file again can tell.
		return nil, nil, fmt.Errorf("commit: %w (%w)", store.ErrBroken, err)
	}
	w.next, w.nextUser = t.next, t.nextUser
	w.conditions.ended(true)
	if t.reopened {
		w.generation.Add(1)
	}
	return t, nil, nil
}

// rollback ends t. SQLite may already have rolled back, for example after a full disk.
func (w *writer) rollback(t *txn) error {
	w.blocks.forget()
	w.conditions.ended(false)
	if _, err := w.stmt.rollback.Exec(); err != nil && conn.Aborts(err) {
		return fmt.Errorf("rollback: %w (%w)", store.ErrBroken, err)
	}
	if t.defined {
		return w.user.SchemaChanged() // back
	}
	return nil
}

func (w *writer) publish(t *txn) {
	if w.opt.OnCommit != nil && (len(t.events) > 0 || len(t.runs) > 0) {
		w.opt.OnCommit(store.Commit{Events: t.events, Runs: t.runs, Attempts: t.attempts})
	}
}

// txn is the open transaction, with the changes that its commit publishes.
type txn struct {
	w        *writer
	now      int64
	next     int64
	nextUser int64
	events   []*events.Event
	runs     []store.Run
	attempts []store.Attempted
	known    int // events that were duplicates
	wantRuns bool
	marks    map[store.HandlerID]int64
	noted    bool          // see noteUnattended
	defined  bool          // the schema was changed
	reopened bool          // marks may have fallen, or ended runs have begun again
	failed   error         // an error of the whole transaction that could not be returned where it occurred
	doom     error         // the known result of the running effect's user statement; nil: not known
	hold     time.Duration // how long that statement may take; 0: the store's StatementTimeout
	again    bool          // the statement took too long before
	budget   budget
}

// check returns err, and records it if it concerns the whole transaction.
func (t *txn) check(err error) error {
	if err != nil && conn.Aborts(err) && t.failed == nil {
		t.failed = err
	}
	return err
}

// orNull stores a zero value as NULL.
func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
