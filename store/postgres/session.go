package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/feed"
	"evrun/store/postgres/guard"
	"evrun/store/postgres/wire"
)

// The connections that write, by their numbers in evrun.writers: those of claims and settlements, two for settlements with user statements, that of
// appends, and those of changes.
const (
	writerSession     = 0
	statementsSession = 1
	holdsSession      = 2
	appendsSession    = 3
	changeSessions    = conn.Changes
	sessions          = conn.Writers
)

// errFenced: this process has lost its leases, and another one may have them.
var errFenced = errors.New("this daemon has lost its leases")

// session is a connection on which the store writes: one transaction at a time. It connects again by itself.
type session struct {
	s      *Store
	number int
	conn   *wire.Conn        // nil: not connected
	user   *guard.Statements // of the connection; nil: not used yet
	node   int64             // as which it is connected: see Store.writerID
	begun  int64             // transactions
	last   int64             // that is known to be committed...
	lastAs int64             // ...as this node
	used   time.Time         // when it last was
	hot    bool              // it has no statements of users: their plans are not for ours
}

// writerID is the node as which this process writes. Without a node, it is a random negative number, which nobody takes over: so processes without leases
// know, too, what became of a COMMIT without an answer.
func (s *Store) writerID() int64 {
	if node := s.node.Load(); node != 0 {
		return node
	}
	return s.anonymous
}

// newAnonymous is less than what becomes of a node's number when it is taken over.
func newAnonymous() int64 { return -1<<62 - rand.Int64N(1<<62) }

// ready connects, unless it is connected as the node that the process is now.
func (c *session) ready(ctx context.Context) error {
	node := c.s.writerID()
	if c.conn != nil && (c.conn.IsClosed() || c.node != node || time.Since(c.used) > idleFor && !c.answers(ctx)) {
		c.close()
	}
	c.used = time.Now()
	if c.conn != nil {
		return nil
	}
	made, err := c.s.connect(ctx, node)
	if err != nil {
		return err
	}
	c.conn, c.node = wire.New(made), node
	if c.hot {
		if _, err := made.Exec(ctx, hotSettings); err != nil {
			c.close()
			return err
		}
	}
	if node < 0 {
		err = anonymousRow(ctx, made, node, c.number)
	} else {
		err = c.known(ctx, made)
	}
	if err != nil {
		c.close()
	}
	return err
}

// answers reports whether the server answers on the connection.
func (c *session) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	return c.conn.Ping(ctx) == nil
}

// anonymousRow makes the row of a connection of a process without leases. Rows of such processes that were killed go when they are old.
func anonymousRow(ctx context.Context, c *pgx.Conn, node int64, number int) error {
	_, err := c.Exec(ctx, `DELETE FROM evrun.writers WHERE node < 0 AND since < now() - interval '30 days'`)
	if err == nil {
		_, err = c.Exec(ctx, `INSERT INTO evrun.writers (node, connection, transaction) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`, node, number)
	}
	return err
}

// connect makes a connection of a node.
func (s *Store) connect(ctx context.Context, node int64) (*pgx.Conn, error) {
	config := s.config.ConnConfig.Copy()
	config.RuntimeParams["application_name"] = applicationName(node)
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, conn.Tidy(err)
	}
	if _, err := c.Exec(ctx, sessionSettings); err != nil {
		_ = c.Close(ctx)
		return nil, err
	}
	return c, nil
}

// applicationName is how the sessions of a node are found, to end them.
func applicationName(node int64) string {
	if node <= 0 {
		return "evrun"
	}
	return fmt.Sprint("evrun/", node)
}

const (
	connectWithin = 5 * time.Second
	// idleFor is after how long a connection is checked before it is used: what is sent on a broken one may have arrived.
	idleFor = time.Second
)

// sessionSettings bound how long a transaction of ours waits for another, and how long it holds what others wait for when this process is stopped. What is
// acknowledged is on disk, whatever the database's default is.
const sessionSettings = `SET lock_timeout = '5s'; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '5s';
	SET search_path = "$user", public, evrun; SET default_transaction_isolation = 'read committed';
	SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

// hotSettings save the planning, and keep plans from the time when the tables were small: each row is found by its key.
const hotSettings = `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off`

// fence is the first statement of each transaction of a node: it fails with a division by zero when another process has taken the node over, and counts
// the transactions of the connection. A message that arrives late, when its transaction was counted as lost, fails as well.
const fence = `WITH f AS (UPDATE evrun.writers SET transaction = $3::bigint
		WHERE node = $1::bigint AND connection = $2::integer AND transaction < $3::bigint RETURNING 1)
	SELECT 1 / count(*) FROM f`

// begin is the text that begins a transaction of several round trips, and fences it.
func (c *session) begin() string {
	c.begun++
	if Unfenced {
		return "BEGIN"
	}
	return fmt.Sprintf(`BEGIN; WITH f AS (UPDATE evrun.writers SET transaction = %d WHERE node = %d AND connection = %d AND transaction < %[1]d RETURNING 1)
		SELECT 1 / count(*) FROM f`, c.begun, c.node, c.number)
}

// message begins a message that is a transaction of its own, or with begin the beginning of one.
func (c *session) message(begin bool) *wire.Message {
	c.begun++
	m := &wire.Message{}
	if begin {
		m.Add("BEGIN")
	}
	if Unfenced {
		m.Add("SELECT")
		return m
	}
	m.Add(fence, wire.Int8(c.node), wire.Int4(int32(c.number)), wire.Int8(c.begun))
	return m
}

// open begins a transaction of several round trips.
func (c *session) open(ctx context.Context) (pgx.Tx, error) {
	if err := c.ready(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", conn.ErrAway, err)
	}
	return c.start(ctx)
}

// start is open on a connection that is ready: as the node that it is.
func (c *session) start(ctx context.Context) (pgx.Tx, error) {
	tx, err := c.conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: c.begin()})
	if conn.Code(err) == conn.DivisionByZero {
		err = c.fenced()
	}
	if err != nil {
		return nil, c.ended(ctx, err)
	}
	return tx, nil
}

// is reports whether the connection is that of a node which a write was made for; 0: any.
func (c *session) is(node int64) bool { return node == 0 || node == c.node || Unfenced }

// isFence reports whether a message failed at its fence.
func isFence(m *wire.Message, err error) bool {
	var refused *wire.StatementError
	return errors.As(err, &refused) && conn.Code(err) == conn.DivisionByZero && (m.Query(refused.Index) == fence || m.Query(refused.Index) == insertAlone)
}

// fenced notes that the connection's transactions are fenced off.
func (c *session) fenced() error {
	if c.node > 0 {
		c.s.fenced(c.node)
	}
	c.close() // a process without leases gets a new row
	return errFenced
}

// ended ends a transaction that has failed with err, and says of a broken connection that it is one. It does nothing after a success.
func (c *session) ended(ctx context.Context, err error) error {
	if err == nil || c.conn == nil {
		return err
	}
	if !c.conn.IsClosed() && c.conn.PgConn().TxStatus() != 'I' {
		if _, rerr := c.conn.Exec(ctx, "ROLLBACK"); rerr != nil {
			c.close()
		}
	}
	if conn.Code(err) == conn.ReadOnlyTransaction { // it has become a standby
		c.close()
	}
	switch {
	case c.conn == nil || c.conn.IsClosed():
		return fmt.Errorf("%w: %w", conn.ErrAway, err)
	case conn.Code(err) == conn.DiskFull:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case conn.Overloaded(err) && !conn.Away(err):
		return &busyError{err}
	}
	return err
}

// ending is how a transaction ends.
type ending struct {
	message *wire.Message // with the commit
	// done makes of the results what is published. If the answer was lost, there are none.
	done func(results []wire.Result) (store.Commit, error)
	// changed are the runs that it changes, whether or not anybody here wants them; others are in what done returns. It is called after done.
	changed func() []feed.Key
	told    bool // it records what other processes must know
	// published is called once what was committed is published. While events of others come before, that may be later, in another goroutine.
	published func()
}

// finish sends the message that ends a transaction, and has it published. It returns once it is known whether the transaction was committed.
func (c *session) finish(ctx context.Context, e ending) error {
	s := c.s
	s.at(BeforeCommit)
	results, sent, err := c.conn.Send(ctx, e.message)
	var refused *wire.StatementError
	switch {
	case err == nil:
	case !sent:
		return err
	case errors.As(err, &refused):
		if isFence(e.message, err) {
			return c.fenced()
		}
		return s.hindered(e.message, err)
	default:
		if ok, rerr := c.outcome(ctx); !ok {
			return errors.Join(conn.ErrAway, rerr, err)
		}
		results = nil
	}
	c.last, c.lastAs = c.begun, c.node
	s.at(AfterCommit)
	commit, err := e.done(results)
	if err != nil {
		return err
	}
	var changed []feed.Key
	if e.changed != nil {
		changed = e.changed()
	}
	s.publish(commit, changed, e.told, func() {
		s.at(BeforeAnswers)
		e.published()
	})
	return nil
}

// outcome waits until it is known whether the connection's last transaction was committed.
func (c *session) outcome(ctx context.Context) (committed bool, err error) {
	err = c.s.untilKnown(func() (err error) {
		committed, err = c.committed(ctx)
		return err
	})
	return committed, err
}

// untilKnown asks the database what became of a transaction until there is an answer.
func (s *Store) untilKnown(ask func() error) error {
	for tries := 1; ; tries++ {
		err := ask()
		if err == nil || errors.Is(err, errFenced) {
			return err
		}
		if conn.Code(err) != "" && !passes(err) && !conn.Overloaded(err) {
			return fmt.Errorf("%w: the answer to a commit was lost: %w", store.ErrBroken, err)
		}
		select {
		case <-time.After(time.Duration(min(tries, 10)) * 10 * time.Millisecond):
		case <-s.abandoned:
			return fmt.Errorf("%w: the answer to a commit was lost, and the database does not answer: %w", store.ErrBroken, err)
		}
	}
}

// retry calls do until it succeeds, or has an error that does not pass by itself.
func (c *session) retry(ctx context.Context, do func(ctx context.Context) error) error {
	inner := context.WithoutCancel(ctx) // a write that has begun ends
	patience := time.Now().Add(writeWithin)
	for tries := 1; ; tries++ {
		err := do(inner)
		switch {
		case err == nil || !passes(err):
			return err
		case ctx.Err() != nil, conn.Away(err) && time.Now().After(patience), !conn.Away(err) && tries >= maxTries:
			return &busyError{err}
		case conn.Away(err):
			wait(ctx, time.Duration(min(tries, 10))*20*time.Millisecond)
		}
	}
}

const (
	writeWithin = 5 * time.Second // how long a write waits for the database
	maxTries    = 20              // of a transaction that others hinder
)

// busyError is a [store.ErrBusy]: nothing was written, because the database did not answer for long, or others were always in the way.
type busyError struct{ err error }

func (e *busyError) Error() string        { return "the database can't be written now: " + e.err.Error() }
func (e *busyError) Unwrap() error        { return e.err }
func (e *busyError) Is(target error) bool { return target == store.ErrBusy }

// passes reports whether a transaction may succeed when it is repeated.
func passes(err error) bool {
	return !errors.Is(err, store.ErrBroken) && (conn.Hindered(err) || conn.Away(err) || errors.Is(err, errFenced))
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (c *session) close() {
	if c.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.conn.Close(ctx) // what it wrote is committed
	c.conn, c.user = nil, nil
}
