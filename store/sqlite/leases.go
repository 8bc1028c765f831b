package sqlite

import (
	"context"

	"evrun/store"
)

// Hold implements [store.Leases]: the one daemon has everything.
func (*Store) Hold(_ context.Context, c store.Consumer, _ store.Division) (store.Lease, error) {
	l := &lease{changed: make(chan struct{}, 1), gained: store.Grant{Slots: store.AllSlots, LowWater: c.LowWater}}
	l.changed <- struct{}{}
	return l, nil
}

// Nodes implements [store.Leases].
func (*Store) Nodes(context.Context) ([]store.Node, error) { return nil, nil }

// lease has all slots.
type lease struct {
	changed chan struct{}
	gained  store.Grant // of the next Take
}

func (l *lease) C() <-chan struct{} { return l.changed }

func (l *lease) Take() (c store.LeaseChange) {
	if l.gained.Slots != 0 {
		c.Gained = []store.Grant{l.gained}
		l.gained = store.Grant{}
	}
	return c
}

func (*lease) Give(store.Slots) {}

func (*lease) Close() {}
