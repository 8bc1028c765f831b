package queue

import (
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// Runs that are due at the same time begin in the journal's order.
func TestRunsDueAtTheSameTimeKeepTheJournalsOrder(t *testing.T) {
	at := time.Unix(1e9, 0)
	var c retryClock
	for _, seq := range []int64{4, 2, 5, 1, 3} {
		c.add(&Task{Seq: seq, Attempt: 2, due: at})
	}
	for want := int64(1); want <= 5; want++ {
		if got := c.take(func() time.Time { return at }); got == nil || got.Seq != want {
			t.Fatalf("got %+v, want the run of event %d", got, want)
		}
	}
}

// While the follower reads the journal, nobody may read its channel: the event would come before older ones.
func TestTheChannelIsReadOnceTheJournalIs(t *testing.T) {
	m := memory{runs: map[int64]*store.Run{}}
	m.events = append(m.events, &events.Event{Sequence: 1, Type: "a.b"})
	f := newFollower(&m, events.NewBus(), 0, 1, []events.Pattern{events.MustPattern(">")})
	defer f.close()
	if f.c() != nil {
		t.Error("the channel is offered before the journal was read")
	}
	if e, err := f.poll(t.Context()); err != nil || e == nil || e.Sequence != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if f.c() != nil {
		t.Error("the channel is offered while the journal may have more")
	}
	if e, err := f.poll(t.Context()); err != nil || e != nil {
		t.Fatalf("%+v, %v", e, err)
	}
	if f.c() == nil {
		t.Error("the channel is not offered at the journal's end")
	}
}

// Runs that are handed over are given once, and those that exceed its memory are read from the store.
func TestWhatIsHandedOverIsTakenOnce(t *testing.T) {
	h := NewHandOver()
	h.Give(make([]store.Run, 3))
	h.Give(make([]store.Run, maxRetriesInMemory-3))
	if !h.waiting() {
		t.Error("nothing waits")
	}
	if runs, _, all := h.take(); len(runs) != maxRetriesInMemory || !all {
		t.Errorf("%d runs, all: %v", len(runs), all)
	}
	if h.waiting() {
		t.Error("something still waits")
	}
	h.Give(make([]store.Run, maxRetriesInMemory))
	h.Give(make([]store.Run, 1))
	if runs, _, all := h.take(); len(runs) != 0 || all {
		t.Errorf("%d runs beyond the bound, all: %v", len(runs), all)
	}
}
