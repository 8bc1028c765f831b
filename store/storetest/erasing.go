package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest/pruning"
)

// erasing: what an event carried is gone, with its runs' texts and its users; the rest is as it was.
func erasing(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	long := strings.Repeat("MARKER ", 5000)
	ada := event("a.b", "1")
	ada.Subject, ada.Data, ada.Extensions, ada.CorrelationID = "ada@example.com", []byte(fmt.Sprintf(`{"x":%q}`, long)), map[string]any{"note": "MARKER"}, "MARKER"
	alan := event("a.b", "2")
	appendAll(t, s, ada, alan)
	settle(t, s,
		store.Settlement{Event: ada, Handler: h, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Dead, Error: long}},
		store.Settlement{Event: alan, Handler: h, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Succeeded}})
	must(s.ImportUsers(ctx, []store.User{{Name: "Ada", Email: "ADA@example.com"}, {Name: "x", Email: "x@example.com", EventID: "1"}, {Name: "Alan", Email: "alan@example.com"}}, store.Fail))(t)
	done := must(s.Erase(ctx, []int64{ada.Sequence, 999}, nil))(t)
	equal(t, "erased", done, store.Erased{Events: 1, Runs: 1, Users: 2})
	got := must(s.Event(ctx, "1"))(t)
	equal(t, "what stays", got.Sequence == ada.Sequence && got.Type == "a.b" && got.Source == ada.Source && !got.ErasedAt.IsZero(), true)
	text, err := got.MarshalJSON()
	if err != nil || bytes.Contains(text, []byte("MARKER")) || bytes.Contains(text, []byte("ada@")) {
		t.Errorf("the event is %s, %v", text, err)
	}
	runs := must(s.Runs(ctx, store.RunQuery{Sequence: ada.Sequence}))(t)
	equal(t, "runs", len(runs), 1)
	equal(t, "its run is dropped", runs[0].State, store.Dropped)
	equal(t, "its error", runs[0].Error, "")
	if again := must(s.Retry(ctx, store.Change{Query: store.RunQuery{Sequence: ada.Sequence}}))(t); len(again) > 0 {
		t.Errorf("retried %+v", again)
	}
	equal(t, "users", must(s.CountUsers(ctx))(t), 1)
	repeated := *ada
	repeated.Sequence = 0
	equal(t, "it is still known", must(s.Append(ctx, []*events.Event{&repeated}))(t)[0].Duplicate, true)
	equal(t, "others stay", string(must(s.Event(ctx, "2"))(t).Data), string(alan.Data))
	if err := s.Scrub(ctx); err != nil {
		t.Errorf("scrub: %v", err)
	}
}

// erasingSameID: a user has the id of its event, but not its source. A user of an event with the same id, of another source, stays, also when that event
// was pruned.
func erasingSameID(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	h := wire(t, s, "h")[0]
	insert := func(source, name string) *events.Event {
		e := event("a.b", "1")
		e.Source, e.Data = source, []byte(fmt.Sprintf(`{"login":%q}`, name))
		appendAll(t, s, e)
		settle(t, s, store.Settlement{Event: e, Handler: h.ID, Attempt: 1, Started: at, Insert: &store.UserInsert{
			User: store.User{Name: name, Email: name + "@example.com", EventID: e.ID}, Then: stored}})
		clock.Pass(time.Hour)
		return e
	}
	for _, source := range []string{"/crm", "/shop"} {
		insert(source, source[1:]+"-before")
	}
	mark(t, s, h, 2)
	pruning.All(t, s, store.PruneQuery{Until: clock.Now()})
	crm, shop := insert("/crm2", "crm"), insert("/shop2", "shop")
	mark(t, s, h, shop.Sequence)
	equal(t, "erased", must(s.Erase(ctx, []int64{crm.Sequence}, nil))(t).Users, 1)
	equal(t, "users", must(s.CountUsers(ctx))(t), 3)
	equal(t, "that of the other event", must(s.User(ctx, "shop@example.com"))(t).Name, "shop")
	equal(t, "erased", must(s.Erase(ctx, []int64{shop.Sequence}, nil))(t).Users, 1)
	equal(t, "those of pruned events", must(s.User(ctx, "crm-before@example.com"))(t).Name, "crm-before")
}

// erasingOpen: an event with a run that has not ended is left as it is, and a step moves with the events that it erases.
func erasingOpen(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	open, settled := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, open, settled)
	settle(t, s,
		store.Settlement{Event: open, Handler: h, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Retrying, Error: "no", NextAttemptAt: at}},
		store.Settlement{Event: settled, Handler: h, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Succeeded}})
	list := must(s.Copies(ctx, []int64{open.Sequence, settled.Sequence}))(t)
	equal(t, "copies", len(list), 2)
	equal(t, "open", list[0].Open && !list[1].Open, true)
	must(s.StartBatch(ctx, store.Batch{ID: "b", Action: "erase", Details: []byte("{}")}, nil))(t)
	step := &store.Step{Batch: "b", To: "c", Done: 2, Changed: 1}
	done := must(s.Erase(ctx, []int64{open.Sequence, settled.Sequence}, step))(t)
	equal(t, "erased", done.Events, 1)
	equal(t, "left", must(s.Event(ctx, "1"))(t).ErasedAt.IsZero(), true)
	equal(t, "cursor", must(s.Batch(ctx, "b"))(t).Cursor, "c")
	if _, err := s.Erase(ctx, []int64{settled.Sequence}, step); err == nil {
		t.Error("the same step again")
	}
}

// erasingCopies: what an event's run published carries its data, and so does what repeats one of them.
func erasingCopies(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	register(t, s, "h")
	root, other := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, root, other)
	child := &events.Event{Type: "a.c", ID: "1-h-x.1", Source: "/x", Time: at, Chain: root.Sequence, Cause: root.Sequence, Hops: 1}
	sibling := &events.Event{Type: "a.c", ID: "2-h-x.1", Source: "/x", Time: at, Chain: other.Sequence, Cause: other.Sequence, Hops: 1}
	appendAll(t, s, child, sibling)
	replay := &events.Event{Type: "a.c", ID: fmt.Sprintf("%d-h", child.Sequence), Source: "/x", Time: at, Target: "h", ReplayOf: child.Sequence}
	appendAll(t, s, replay)
	grandchild := &events.Event{Type: "a.d", ID: "3", Source: "/x", Time: at, Chain: replay.Sequence, Cause: replay.Sequence, Hops: 1}
	appendAll(t, s, grandchild)
	var got []store.Copy
	for _, c := range must(s.Copies(ctx, []int64{root.Sequence, 999}))(t) {
		c.Open = false
		got = append(got, c)
	}
	equal(t, "copies", fmt.Sprint(got), fmt.Sprint([]store.Copy{{Sequence: root.Sequence}, {Sequence: child.Sequence, From: root.Sequence},
		{Sequence: replay.Sequence, From: child.Sequence}, {Sequence: grandchild.Sequence, From: replay.Sequence}}))
	equal(t, "of a child alone", len(must(s.Copies(ctx, []int64{sibling.Sequence}))(t)), 1)
}
