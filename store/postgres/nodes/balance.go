package nodes

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// held is a lease as it was when the stored shares were read.
type held struct {
	*lease
	giving store.Slots
}

// share brings together what is stored, what the leases have and what they should have.
func (m *Member) share(ctx context.Context, me int64) error {
	m.mu.Lock()
	closing := m.closing
	m.closing = nil
	leases := map[store.HandlerID]held{}
	wanted := map[store.HandlerID]string{}
	for id, l := range m.leases {
		leases[id] = held{lease: l, giving: l.giving}
		wanted[id] = l.division
	}
	m.mu.Unlock()
	if err := m.free(ctx, me, closing, wanted); err != nil {
		return err
	}
	if err := m.want(ctx, me, wanted); err != nil {
		return err
	}
	if len(leases) == 0 {
		return nil
	}
	handlers, err := read(ctx, m.opt.Pool, slices.Collect(maps.Keys(leases)))
	if err != nil {
		return err
	}
	moved := false
	var errs []error // of handlers whose slots somebody else has locked
	for id, l := range leases {
		h := handlers[id]
		if h.id < 0 {
			h.division = l.division
		}
		m.compare(l, h, me)
		p := h.plan(me, l.division, l.giving)
		m.shed(l, p.shed)
		if stored := l.giving & h.slotsOf(me); p.take != 0 || stored != 0 || h.mergeable(me) {
			if err := m.move(ctx, l, me); err != nil {
				errs = append(errs, err)
				continue
			}
			moved = moved || stored != 0
		}
	}
	if moved {
		m.opt.Notify()
	}
	return errors.Join(errs...)
}

// free gives the slots of closed leases back.
func (m *Member) free(ctx context.Context, me int64, closing []*lease, wanted map[store.HandlerID]string) error {
	if len(closing) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	for _, l := range closing {
		b.Queue(`UPDATE evrun.shares SET node = NULL WHERE handler = $1 AND node = $2`, l.handler, me)
		if _, again := wanted[l.handler]; !again {
			b.Queue(`DELETE FROM evrun.wants WHERE handler = $1 AND node = $2`, l.handler, me)
		}
	}
	if err := m.opt.Pool.SendBatch(ctx, b).Close(); err != nil { // one transaction
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.id == me {
			m.closing = append(closing, m.closing...)
		}
		return err
	}
	m.opt.Notify()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range closing {
		if _, again := wanted[l.handler]; !again {
			delete(m.stored, l.handler)
		}
		l.close()
	}
	return nil
}

// want stores which handlers the node wants slots of.
func (m *Member) want(ctx context.Context, me int64, wanted map[store.HandlerID]string) error {
	var ids []store.HandlerID
	var divisions []string
	for id, d := range wanted {
		if m.stored[id] != d {
			ids, divisions = append(ids, id), append(divisions, d)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if _, err := m.opt.Pool.Exec(ctx, `INSERT INTO evrun.wants (node, handler, division) SELECT $1, * FROM unnest($2::int[], $3::text[])
		ON CONFLICT (node, handler) DO UPDATE SET division = excluded.division`, me, ids, divisions); err != nil {
		return err
	}
	for i, id := range ids {
		m.stored[id] = divisions[i]
	}
	m.opt.Notify()
	return nil
}

// compare brings a lease up to what is stored: somebody may have taken over the node, and a commit may have succeeded whose answer was lost.
func (m *Member) compare(l held, h *handler, me int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id != me {
		return
	}
	stored := h.slotsOf(me)
	l.lease.giving &^= l.giving &^ stored
	l.lose(l.have &^ stored)
	l.gain(h.grants(me, stored&^l.have&^l.lease.giving))
}

// shed asks the worker to give up n slots.
func (m *Member) shed(l held, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// What was given after the shares were read counts, too.
	n -= (l.lease.giving &^ l.giving).Len() + l.shed.Len()
	if n > 0 {
		l.ask(highest(l.have&^l.shed, n))
	}
	if l.lease.giving != l.giving {
		m.Wake()
	}
}

// move moves slots in a transaction, from what is stored then.
func (m *Member) move(ctx context.Context, l held, me int64) error {
	var taken []store.Grant
	err := m.tx(ctx, func(tx pgx.Tx) error {
		taken = nil
		// One node at a time moves slots of a handler. The numbers are evrun's own ("shar"), and the handler's.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(1936220530, $1)`, l.handler); err != nil {
			return err
		}
		// The holders of the others move their marks all the time, and must not wait.
		if _, err := tx.Exec(ctx, `SELECT FROM evrun.shares WHERE handler = $1 AND (node IS NULL OR node = $2) ORDER BY id FOR UPDATE`, l.handler, me); err != nil {
			return err
		}
		handlers, err := read(ctx, tx, []store.HandlerID{l.handler})
		if err != nil {
			return err
		}
		h := handlers[l.handler]
		if h.id < 0 {
			h.division = l.division
		}
		p := h.plan(me, l.division, l.giving)
		after := h.move(me, l.giving, p)
		for _, s := range after {
			if s.node == me && s.slots&p.take != 0 {
				taken = append(taken, store.Grant{Slots: s.slots & p.take, LowWater: s.mark, Node: me})
			}
		}
		return h.write(ctx, tx, me, after, p.redivide, l.division)
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id == me {
		l.lease.giving &^= l.giving
		l.gain(taken)
	}
	return nil
}

// slotsOf is the slots that a node holds.
func (h *handler) slotsOf(node int64) (slots store.Slots) {
	for _, s := range h.shares {
		if s.node == node {
			slots |= s.slots
		}
	}
	return slots
}

// grants are some of a node's slots with their marks.
func (h *handler) grants(node int64, slots store.Slots) (grants []store.Grant) {
	for _, s := range h.shares {
		if s.node == node && s.slots&slots != 0 {
			grants = append(grants, store.Grant{Slots: s.slots & slots, LowWater: s.mark, Node: node})
		}
	}
	return grants
}
