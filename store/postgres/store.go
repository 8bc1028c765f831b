// Package postgres keeps evrun's store in a PostgreSQL database, which any number of daemons may share.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/postgres/checkup"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/guard"
	"evrun/store/postgres/prune"
	"evrun/store/postgres/reads"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/transfer"
)

// Options for opening a store.
type Options struct {
	store.Options
	// At is called at each [Point] of a transaction that ends, by the goroutine that writes it, for tests. Default: nothing.
	At func(Point)
}

// Store is a store in a database. See [store.Store] for the promises of its methods.
type Store struct {
	*reads.Reader

	opt    Options
	id     string
	config *pgxpool.Config
	pool   *pgxpool.Pool // see upkeep

	node       atomic.Int64 // as which this process holds leases; 0: it holds none
	anonymous  int64        // see writerID
	gate       gate
	appends    *writer       // of what is accepted from outside
	writer     *writer       // of claims, and settlements without user statements
	statements *writer       // of settlements with user statements
	holds      *writer       // of those that may take long
	changes    chan *session // those that are free
	broken     chan error    // why the store must end
	abandoned  chan struct{} // closed when nobody waits any longer to learn what became of a commit
	hasKeys    atomic.Bool   // there are keys of pruned events, as far as known

	reporting sync.Mutex // held during Wrote

	peers peers

	pruner *prune.Pruner
	user   *guard.Reader // statements of users that only read
}

var _ store.Store = (*Store)(nil)

// Open connects to the database, and brings evrun's tables up to date.
func Open(ctx context.Context, address string, opt Options) (*Store, error) {
	config, err := conn.ParsePool(address)
	if err != nil {
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.StatementTimeout <= 0 {
		opt.StatementTimeout = 50 * time.Millisecond
	}
	if config.ConnConfig.ValidateConnect == nil { // of several hosts, the one that can be written
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	c, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	if err := conn.Fit(c); err != nil {
		return nil, err
	}
	if err := checkup.Pooled(ctx, c, config.ConnConfig); err != nil {
		return nil, err
	}
	if err := schema.Migrate(ctx, c, newStoreID); err != nil {
		return nil, err
	}
	if err := transfer.Refusal(ctx, c); err != nil {
		return nil, err
	}
	s := &Store{opt: opt, config: config, anonymous: newAnonymous(), broken: make(chan error, 1), abandoned: make(chan struct{}), changes: make(chan *session, changeSessions)}
	s.gate.begun = make(chan struct{})
	s.makeWriters()
	for i := range changeSessions {
		s.changes <- &session{s: s, number: sessions - changeSessions + i}
	}
	if err := c.QueryRow(ctx, `SELECT value FROM evrun.meta WHERE key = 'id'`).Scan(&s.id); err != nil {
		return nil, fmt.Errorf("its id: %w", err)
	}
	if s.Reader, err = reads.Open(ctx, config, s.id); err != nil {
		return nil, err
	}
	s.Self = s.self
	if s.pool, err = upkeep(ctx, config); err != nil {
		return nil, err
	}
	s.user = newUserReads(config)
	s.pruner = prune.New(prune.Options{Pool: s.pool, Write: s.writePart, Now: opt.Now})
	if err := s.meet(ctx); err != nil {
		s.pool.Close()
		return nil, errors.Join(err, s.Reader.Close())
	}
	return s, nil
}

// upkeep makes the pool for pruning and small questions, beside the queries of the reader.
func upkeep(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	config = config.Copy()
	config.MaxConns = conn.Upkeep
	return pgxpool.NewWithConfig(ctx, config)
}

// makeWriters makes the writers. Appends and settlements are on two connections: neither waits for the other, and the server works at both at once.
func (s *Store) makeWriters() {
	s.appends, s.writer = newWriter(s, appendsSession), newWriter(s, writerSession)
	s.statements, s.holds = newWriter(s, statementsSession), newWriter(s, holdsSession)
	for _, w := range []*writer{s.statements, s.holds} {
		w.single, w.c.hot = true, false
	}
}

func newStoreID() string {
	var b [5]byte
	rand.Read(b[:]) // documented never to fail
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// ID implements [store.Journal].
func (s *Store) ID() string { return s.id }

// Run implements [store.Store].
func (s *Store) Run(ctx context.Context) error {
	writing, stop := context.WithCancel(context.Background())
	defer stop()
	var writers sync.WaitGroup
	for _, w := range []*writer{s.appends, s.writer, s.statements, s.holds} {
		writers.Go(func() { w.run(writing) })
	}
	close(s.gate.begun)
	var broken error
	select {
	case broken = <-s.broken:
	case <-ctx.Done():
	}
	last := time.AfterFunc(endWithin, func() { close(s.abandoned) })
	defer last.Stop()
	s.gate.close()
	stop()
	writers.Wait()
	s.leave()
	return broken
}

// endWithin is how long the end of Run waits for a database that does not answer.
const endWithin = 10 * time.Second

// Close implements [store.Store].
func (s *Store) Close() error {
	if s.changes != nil {
		for range changeSessions {
			c := <-s.changes
			c.close()
		}
		s.forgetAnonymous()
	}
	s.part()
	s.pool.Close()
	return errors.Join(s.user.Close(), s.Reader.Close())
}

// forgetAnonymous deletes the rows of a process without leases.
func (s *Store) forgetAnonymous() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = s.pool.Exec(ctx, `DELETE FROM evrun.writers WHERE node = $1`, s.anonymous) // or they go when they are old
}
