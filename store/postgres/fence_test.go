package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// A daemon that was taken over settles and claims nothing any more, with what it had for its old node; what it accepts counts.
func TestADaemonThatWasTakenOverIsFencedOff(t *testing.T) {
	address := postgrestest.Database(t)
	s, err := postgres.Open(t.Context(), address, postgres.Options{Options: store.Options{Node: &store.Node{Name: "old"}}})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	h := must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)[0].ID
	list := must(s.Nodes(t.Context()))(t)
	if len(list) != 1 || !list[0].Self {
		t.Fatalf("%+v", list)
	}
	node := list[0].ID
	var evs []*events.Event
	for i := range 6 {
		evs = append(evs, steps.Event("a", fmt.Sprint(i)))
	}
	must(s.Append(t.Context(), evs))(t)
	claim := func(sequence int64) bool {
		return must(s.Start(context.Background(), []store.Claim{{Handler: h, Sequence: sequence, Attempt: 1, At: steps.At, Node: node}}))(t)[0]
	}
	settle := func(x store.Settlement) bool {
		return !must(s.Settle(context.Background(), store.SettleBatch{Node: node, Settlements: []store.Settlement{x},
			Marks: []store.Mark{{Handler: h, LowWater: x.Event.Sequence, Slots: store.AllSlots}}}))(t)[0].Fenced
	}
	user := func(i int) store.Settlement {
		return store.Settlement{Event: evs[i], Handler: h, Attempt: 1, Started: steps.At, Insert: &store.UserInsert{
			User: store.User{Name: "u", Email: fmt.Sprint("u", i), EventID: evs[i].ID}, Then: func(store.User, error) store.Outcome { return store.Outcome{State: store.Succeeded} }}}
	}
	statement := func(i int) store.Settlement {
		return store.Settlement{Event: evs[i], Handler: h, Attempt: 1, Started: steps.At,
			Effect: func(store.Tx) store.Outcome { return store.Outcome{State: store.Succeeded} }}
	}
	for _, late := range []bool{false, true} {
		first := 0
		if late {
			first = 3
			exec(t, pool, `UPDATE evrun.writers SET node = -node WHERE node = $1`, node)
		}
		equal(t, "claimed", claim(int64(first)+1), !late)
		equal(t, "settled with a user", settle(user(first+1)), !late)
		equal(t, "settled with a statement", settle(statement(first+2)), !late)
	}
	receipts := must(s.Append(context.Background(), []*events.Event{steps.Event("a", "late")}))(t)
	equal(t, "accepted", receipts[0], store.Receipt{Sequence: 7})
	equal(t, "users", must(s.CountUsers(t.Context()))(t), 1)
	equal(t, "runs", len(must(s.Runs(t.Context(), store.RunQuery{}))(t)), 3)
}
