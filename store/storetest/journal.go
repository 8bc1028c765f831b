package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

func roundTrip(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	want := &events.Event{
		ID: "e1", Source: "/test", Type: "user.registered", Subject: "ada", Time: at, DataContentType: "application/json", DataSchema: "https://example.com/s",
		Data: []byte(`{"b":1, "a":"ü"}`), CorrelationID: "root", CausationID: "parent", Hops: 3,
		Extensions: map[string]any{"tenant": "x", "urgent": true, "count": int64(9007199254740993)},
	}
	appendAll(t, s, want)
	for name, got := range map[string]*events.Event{
		"by id":   must(s.Event(ctx, "e1"))(t),
		"in list": must(s.Events(ctx, store.EventQuery{}))(t)[0],
	} {
		equal(t, name, string(must(got.MarshalJSON())(t)), string(must(want.MarshalJSON())(t)))
		equal(t, name+": data", string(got.Data), string(want.Data))
		equal(t, name+": time", got.Time, want.Time)
	}
	if _, err := s.Event(ctx, "nope"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown event: %v", err)
	}
}

// rareAttributes are attributes with their own columns, which most events leave empty.
func rareAttributes(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	appendAll(t, s, event("a.b", "root"))
	for name, set := range map[string]func(*events.Event){
		"correlation": func(e *events.Event) { e.CorrelationID = "other" },
		"causation":   func(e *events.Event) { e.CausationID = "parent" },
		"hops":        func(e *events.Event) { e.Hops = 7 },
		"extension":   func(e *events.Event) { e.Extensions = map[string]any{"tenant": "x"} },
		"chain":       func(e *events.Event) { e.Chain = 1 },
		"cause":       func(e *events.Event) { e.Chain, e.Cause = 1, 1 },
		"subject":     func(e *events.Event) { e.Subject = "ada" },
		"schema":      func(e *events.Event) { e.DataSchema = "https://example.com/s" },
		"none":        func(*events.Event) {},
	} {
		want := event("a.b", name)
		set(want)
		appendAll(t, s, want)
		got := must(s.Event(ctx, name))(t)
		equal(t, name, string(must(got.MarshalJSON())(t)), string(must(want.MarshalJSON())(t)))
		equal(t, name+": chain", got.Chain, want.Chain)
		equal(t, name+": cause", got.Cause, want.Cause)
	}
}

func payloads(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	none, binary := event("a.b", "none"), event("a.b", "binary")
	none.Data = nil
	binary.Data, binary.DataContentType = []byte{0, 0xff, 1}, "application/octet-stream"
	appendAll(t, s, none, binary)
	if got := must(s.Event(ctx, "none"))(t); got.Data != nil {
		t.Errorf("no data came back as %q", got.Data)
	}
	equal(t, "bytes", string(must(s.Event(ctx, "binary"))(t).Data), "\x00\xff\x01")
}

func sequences(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	equal(t, "head of nothing", must(s.Head(ctx))(t), 0)
	for i := range 5 {
		e := event("a.b", fmt.Sprint(i))
		equal(t, "sequence", appendAll(t, s, e)[0].Sequence, int64(i+1))
		equal(t, "sequence in the event", e.Sequence, int64(i+1))
	}
	equal(t, "head", must(s.Head(ctx))(t), 5)
}

func duplicates(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	appendAll(t, s, event("a.b", "x"), event("a.b", "y"))
	again := event("other.type", "x")
	elsewhere := event("a.b", "x")
	elsewhere.Source = "/elsewhere"
	receipts := appendAll(t, s, again, elsewhere)
	equal(t, "again", receipts[0], store.Receipt{Sequence: 1, Duplicate: true})
	equal(t, "from elsewhere", receipts[1], store.Receipt{Sequence: 3})
	equal(t, "the event of a duplicate", again.Sequence, 0)
}

func duplicateInBatch(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	receipts := appendAll(t, s, event("a.b", "x"), event("a.b", "x"), event("a.b", "y"))
	equal(t, "second", receipts[1], store.Receipt{Sequence: 1, Duplicate: true})
	equal(t, "third", receipts[2], store.Receipt{Sequence: 2})
}

func duplicateRace(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	var wg sync.WaitGroup
	fresh := make(chan bool, 32)
	for range 32 {
		wg.Go(func() {
			r, err := s.Append(ctx, []*events.Event{event("a.b", "same")})
			if err != nil {
				t.Error(err)
				return
			}
			equal(t, "sequence", r[0].Sequence, 1)
			fresh <- !r[0].Duplicate
		})
	}
	wg.Wait()
	close(fresh)
	n := 0
	for f := range fresh {
		if f {
			n++
		}
	}
	equal(t, "accepted", n, 1)
}

func largePages(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	const n, size = 12, 1 << 20
	for i := range n {
		e := event("large", fmt.Sprint(i))
		e.Data = []byte(`"` + strings.Repeat("x", size) + `"`)
		appendAll(t, s, e)
	}
	var seen int64
	for pages := 0; ; pages++ {
		page := must(s.Events(t.Context(), store.EventQuery{After: seen, Patterns: []events.Pattern{events.MustPattern("large")}}))(t)
		if len(page) == 0 {
			equal(t, "events read", seen, int64(n))
			return
		}
		if len(page) > 5 {
			t.Fatalf("a page of %d MiB", len(page))
		}
		for _, e := range page {
			seen++
			equal(t, "sequence", e.Sequence, seen)
		}
	}
}

func selection(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	var evs []*events.Event
	for i := range 30 {
		e := event([]string{"user.created", "user.x.created", "order.placed"}[i%3], fmt.Sprint(i))
		if i >= 27 {
			e.Chain = 4
		}
		evs = append(evs, e)
	}
	appendAll(t, s, evs...)
	for _, c := range []struct {
		name        string
		q           store.EventQuery
		n           int
		first, last int64
	}{
		{"all", store.EventQuery{}, 30, 1, 30},
		{"a page", store.EventQuery{Limit: 4}, 4, 1, 4},
		{"the next page", store.EventQuery{After: 4, Limit: 4}, 4, 5, 8},
		{"the last", store.EventQuery{Last: true, Limit: 4}, 4, 27, 30},
		{"between", store.EventQuery{After: 10, Before: 13}, 2, 11, 12},
		{"one type", store.EventQuery{Patterns: []events.Pattern{events.MustPattern("user.created")}}, 10, 1, 28},
		{"one token", store.EventQuery{Patterns: []events.Pattern{events.MustPattern("user.*")}}, 10, 1, 28},
		{"the rest", store.EventQuery{Patterns: []events.Pattern{events.MustPattern("user.>")}}, 20, 1, 29},
		{"the last of one token", store.EventQuery{Patterns: []events.Pattern{events.MustPattern("user.*")}, Last: true, Limit: 2}, 2, 25, 28},
		{"two patterns", store.EventQuery{Patterns: []events.Pattern{events.MustPattern("*.placed"), events.MustPattern("user.created")}}, 20, 1, 30},
		{"a chain", store.EventQuery{Chain: 4}, 4, 4, 30},
		{"the last of a chain", store.EventQuery{Chain: 4, Last: true, Limit: 2}, 2, 29, 30},
		{"the rest of a chain", store.EventQuery{Chain: 4, After: 4}, 3, 28, 30},
		{"since long ago", store.EventQuery{Since: time.Now().Add(-time.Hour)}, 30, 1, 30},
		{"since tomorrow", store.EventQuery{Since: time.Now().Add(time.Hour)}, 0, 0, 0},
	} {
		got := must(s.Events(ctx, c.q))(t)
		if len(got) != c.n {
			t.Errorf("%s: got %d events, want %d", c.name, len(got), c.n)
			continue
		}
		for i := 1; i < len(got); i++ {
			if got[i].Sequence <= got[i-1].Sequence {
				t.Errorf("%s: #%d comes after #%d", c.name, got[i].Sequence, got[i-1].Sequence)
			}
		}
		if c.n > 0 {
			equal(t, c.name+": first", got[0].Sequence, c.first)
			equal(t, c.name+": last", got[c.n-1].Sequence, c.last)
		}
	}
}

func acceptedAt(t *testing.T, d Driver) {
	now := time.UnixMicro(1_700_000_000_000_000).UTC()
	s := d.Open(t, store.Options{Now: func() time.Time { return now }})
	appendAll(t, s, event("a", "0"))
	now = now.Add(time.Hour)
	appendAll(t, s, event("a", "1"))
	for seq, want := range map[int64]time.Time{0: now.Add(-time.Hour), 1: now.Add(-time.Hour), 2: now} {
		equal(t, "accepted", must(s.AcceptedAt(ctx, seq))(t), want)
	}
	if _, err := s.AcceptedAt(ctx, 3); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}

func chains(t *testing.T, d Driver) {
	var last store.Commit
	s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) { last = c }})
	h := register(t, s, "h")[0]
	appendAll(t, s, event("a", "0"))
	root, other := event("a", "1"), event("a", "2")
	other.CorrelationID, other.CausationID = root.ID, root.ID
	appendAll(t, s, root, other)
	equal(t, "a root's chain", root.Chain, root.Sequence)
	equal(t, "the chain of one with its correlation id", other.Chain, other.Sequence)
	child := event("b", "3")
	child.Chain, child.Cause = root.Chain, root.Sequence
	settle(t, s, store.Settlement{Event: root, Handler: h.ID, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Succeeded, Emit: []*events.Event{child}}})
	equal(t, "the committed run's chain", last.Runs[0].Chain, root.Sequence)
	equal(t, "the committed child's chain", last.Events[0].Chain, root.Sequence)
	equal(t, "the number of attempts that ended", len(last.Attempts), 1)
	equal(t, "the attempt that ended", last.Attempts[0], store.Attempted{Run: 0, Event: root})
	settle(t, s, store.Settlement{Event: child, Handler: h.ID, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Skipped}})
	equal(t, "attempts of a skipped run", len(last.Attempts), 0)
	for _, want := range []*events.Event{root, other, child} {
		got := must(s.Event(ctx, want.ID))(t)
		equal(t, "the stored chain of "+want.ID, got.Chain, want.Chain)
		equal(t, "the stored cause of "+want.ID, got.Cause, want.Cause)
	}
	for _, r := range runs(t, s, store.RunQuery{}) {
		equal(t, "the stored run's chain", r.Chain, root.Sequence)
	}
	page := must(s.Events(ctx, store.EventQuery{Chain: root.Chain}))(t)
	equal(t, "events of the chain", len(page), 2)
}

func publication(t *testing.T, d Driver) {
	var mu sync.Mutex
	var seen []int64
	s := d.Open(t, store.Options{OnCommit: func(c store.Commit) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range c.Events {
			seen = append(seen, e.Sequence)
		}
	}})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			e := event("a.b", fmt.Sprint(i))
			if _, err := s.Append(ctx, []*events.Event{e, event("a.b", "shared")}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(seen) == 0 || seen[len(seen)-1] < e.Sequence {
				t.Errorf("#%d was acknowledged before it was published", e.Sequence)
			}
		})
	}
	wg.Wait()
	equal(t, "published", len(seen), 201)
	for i, seq := range seen {
		equal(t, "in order", seq, int64(i+1))
	}
}

func unsettled(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h", "other")
	e1, e2, e3 := event("a.b", "1"), event("a.b", "2"), event("a.b", "3")
	appendAll(t, s, e1, e2, e3)
	settle(t, s, outside(e2, h[0].ID, 1, store.Retrying), outside(e1, h[1].ID, 1, store.Succeeded))
	var ids []string
	for _, e := range must(s.Events(ctx, store.EventQuery{WithoutRun: h[0].ID}))(t) {
		ids = append(ids, e.ID)
	}
	equal(t, "unsettled", fmt.Sprint(ids), "[1 3]")
}

func types(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	equal(t, "of nothing", len(must(s.Types(ctx, "", 10))(t)), 0)
	for i, typ := range []string{"b.c", "a", "b", "a", "é", "b.c.d"} {
		appendAll(t, s, event(typ, fmt.Sprint(i)))
	}
	equal(t, "all", strings.Join(must(s.Types(ctx, "", 10))(t), " "), "a b b.c b.c.d é")
	equal(t, "from one on", strings.Join(must(s.Types(ctx, "b.c", 2))(t), " "), "b.c b.c.d")
	equal(t, "from one that is missing", strings.Join(must(s.Types(ctx, "b.d", 2))(t), " "), "é")
}
