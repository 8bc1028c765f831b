package postgres

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/feed"
	"evrun/store/postgres/nodes"
	"evrun/store/postgres/reads"
	"evrun/store/postgres/registry"
	"evrun/store/postgres/schema"
)

// peers is what the store has to do with the other processes that share the database.
type peers struct {
	pool   *pgxpool.Pool // of the others below, so that they never wait for other reads
	reader *reads.Reader // of the feed
	feed   *feed.Feed
	member *nodes.Member // nil: this process is not a daemon
}

// meet joins the other processes.
func (s *Store) meet(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.part()
		}
	}()
	config := s.config.Copy()
	config.MaxConns, config.MinConns = conn.Peers, 0
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, sessionSettings)
		return err
	}
	if s.peers.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	reading := s.config.Copy()
	reading.MaxConns = conn.PeersReads
	if s.peers.reader, err = reads.Open(ctx, reading, s.id); err != nil {
		return err
	}
	of := feed.Options{Pool: s.peers.pool, Reader: s.peers.reader, OnCommit: s.opt.OnCommit, OnForeign: s.opt.OnForeign, WantRuns: s.opt.WantRuns, Warn: s.opt.Warn, WentBack: s.wentBack}
	var member atomic.Pointer[nodes.Member] // the feed may call before there is one
	if s.opt.Node != nil {
		of.OnPeers = func() {
			if m := member.Load(); m != nil {
				m.Wake()
			}
		}
		of.OnForeign = func(f store.Foreign) {
			if f.Handlers { // one may have been paused or resumed
				of.OnPeers()
			}
			if s.opt.OnForeign != nil {
				s.opt.OnForeign(f)
			}
		}
	}
	if s.peers.feed, err = feed.New(ctx, of); err != nil || s.opt.Node == nil {
		return err
	}
	s.peers.member, err = nodes.Join(ctx, nodes.Options{
		Pool: s.peers.pool, Node: *s.opt.Node, Writers: sessions, Changed: s.node.Store, Leaving: s.leaving, Notify: s.peers.feed.Peers, Warn: s.opt.Warn,
	})
	member.Store(s.peers.member)
	return err
}

// leave gives up all leases. This process may write nothing that needs one any more.
func (s *Store) leave() {
	if s.peers.member == nil {
		return
	}
	if err := s.peers.member.Leave(); err != nil && s.opt.Warn != nil {
		s.opt.Warn(fmt.Sprintf("others can take over its work in a few seconds only: %v", err))
	}
}

// part ends what has to do with other processes.
func (s *Store) part() {
	s.leave()
	p := &s.peers
	if p.feed != nil {
		p.feed.Close()
	}
	if p.reader != nil {
		_ = p.reader.Close() // it has no error
	}
	if p.pool != nil {
		p.pool.Close()
	}
}

// leaving takes what only this daemon had wired out of the wiring, when it stops.
func (s *Store) leaving(ctx context.Context, tx pgx.Tx, end func() error) error {
	c, err := registry.Begin(part{&txn{s: s, ctx: ctx, tx: tx}}, schema.Micros(s.opt.Now()), 0)
	if err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	changed, err := c.Leave()
	if err != nil || !changed {
		return err
	}
	record, args, err := s.peers.feed.Record(store.Foreign{Handlers: true})
	if err == nil {
		_, err = tx.Exec(ctx, record, args...)
	}
	return err
}

// fenced is called when a transaction found that another process has taken over the node's leases.
func (s *Store) fenced(node int64) {
	s.node.CompareAndSwap(node, 0)
	if m := s.peers.member; m != nil {
		m.Fenced(node)
	}
}

// wentBack ends the store: the database has lost what it had committed. Workers are ahead of it, and would take new events for those that they had under the
// same sequences; at the next start they begin at the stored marks.
func (s *Store) wentBack(err error) {
	err = fmt.Errorf("%w: the database has lost what it had acknowledged, because it failed over to a server that was behind, or was restored: %w. "+
		"Start again: what was lost is gone, the rest goes on", store.ErrBroken, err)
	select {
	case s.broken <- err:
	default: // once is enough
	}
}

// wired notes the handlers that are stored as this daemon's.
func (s *Store) wired(list []store.Consumer, changed bool) {
	if s.peers.member == nil || !changed {
		return
	}
	ids := make([]store.HandlerID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	s.peers.member.Wired(ids)
}

// publish passes on what a transaction of this process has committed, and tells the other processes. changed are the runs that it has changed, if c
// doesn't have them; told says that it has recorded what they must know. The call that made it returns after done.
func (s *Store) publish(c store.Commit, changed []feed.Key, told bool, done func()) {
	for i := range c.Runs {
		changed = append(changed, feed.Key{Handler: c.Runs[i].HandlerID, Sequence: c.Runs[i].Sequence})
	}
	s.peers.feed.Pass(feed.Own{Commit: c, Changed: changed, Told: told}, done)
	if told && s.peers.member != nil {
		s.peers.member.Wake() // a handler may have been paused or resumed
	}
}

// Hold implements [store.Leases].
func (s *Store) Hold(ctx context.Context, c store.Consumer, d store.Division) (store.Lease, error) {
	if s.peers.member == nil {
		return nodes.Nothing(), nil
	}
	return s.peers.member.Hold(ctx, c, d)
}

// SetWiring says that this daemon has another wiring now: see [store.Node].
func (s *Store) SetWiring(ctx context.Context, wiring string) error {
	if s.peers.member == nil {
		return nil
	}
	return s.peers.member.SetWiring(ctx, wiring)
}

// Nodes implements [store.Leases].
func (s *Store) Nodes(ctx context.Context) ([]store.Node, error) {
	return nodes.List(ctx, s.pool, s.self())
}
