// Package storetest says, as tests, what a store promises. Every driver runs them.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// Driver is what a driver's own test gives the suite.
type Driver struct {
	// Open makes an empty store for one test and starts its Run; both end with the test.
	Open func(t *testing.T, opt store.Options) store.Store
	// Parse reads the statements of the user's own.
	Parse store.StatementParser
}

// Run checks a driver against everything a store promises.
func Run(t *testing.T, d Driver) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Driver)
	}{
		{"an appended event comes back as it was", roundTrip},
		{"an event without a payload or with bytes keeps it so", payloads},
		{"sequences grow by one in order of acceptance", sequences},
		{"a source and id are accepted once", duplicates},
		{"a duplicate within one append is accepted once", duplicateInBatch},
		{"concurrent appends of one event are accepted once", duplicateRace},
		{"events are selected by type, time, chain and place", selection},
		{"an event begins a chain, or belongs to the one that it says", chains},
		{"a page with much data ends early and skips nothing", largePages},
		{"commits are published in order, before the write returns", publication},
		{"a new handler starts at the head, or at the start", registration},
		{"a handler that comes back goes on at its mark", returning},
		{"one that comes back late with work to do is paused until it is resumed", returningLate},
		{"one that comes back late goes on when it has nothing to do, or the wiring says so", returningLateUnpaused},
		{"a resumption can leave out what waits, and accepts events with it", resumption},
		{"a handler takes over the mark and the unsettled runs of the one that it was", takingOver},
		{"one that was registered since takes over too, and repeats nothing", takingOverLater},
		{"one that was wired beside it takes over its runs, and keeps its own backlog", takingOverBeside},
		{"what is to be taken over later goes along with who was to have it", takingOverInSteps},
		{"a pause is taken over too", takingOverAPause},
		{"a name that was handed on is new, and gives no id twice", handedOn},
		{"a handler that has left can be forgotten", forgetting},
		{"a run that waits for its handler says so", heldRuns},
		{"a backlog counts matching events without a run", backlog},
		{"what is accepted while nobody is registered is for handlers that are new afterwards", unattended},
		{"an inside effect and its run commit together", effectCommits},
		{"a failed effect leaves nothing but its run", effectUndone},
		{"an emitted event is accepted with its run", emission},
		{"an emitted event that is known already is an error, and nothing is written", clash},
		{"a settlement of another attempt is fenced off", fencing},
		{"an outside attempt is recorded before it is settled", claims},
		{"a claim is given once", claimOnce},
		{"a settlement without a claim is not taken for a claimed one", claimedOnly},
		{"pending runs are running ones first, then those due first", pending},
		{"low-water marks only rise", marks},
		{"failed attempts are kept, oldest first", attempts},
		{"a run takes other events along, with itself or not at all", joins},
		{"events are read by their sequences", bySequence},
		{"an uncounted attempt leaves the budget as it was", uncounted},
		{"a dead run can be retried with a new budget", retry},
		{"only dead runs are retried or dropped", retryOnlyDead},
		{"a retried run has the attempt that it died of, whoever retried it before", retryAgain},
		{"a dropped run stays, and says so", drop},
		{"what waits for a handler that is not active can be dropped", dropWaiting},
		{"pending runs are read in order of sequence", pendingAfter},
		{"runs are paged without a gap or a repeat, newest event first", runPages},
		{"unsettled leaves out what has a run", unsettled},
		{"users are found by e-mail address, id, and listed in order", users},
		{"a known e-mail address is a conflict, ignored, or updated", userConflicts},
		{"a statement's values arrive and come back exactly, and as data only", statementValues},
		{"a statement's rows come in order, up to a bound", statementRows},
		{"a statement and its run commit together", statementWithItsRun},
		{"a statement that doesn't end is stopped, and harms nobody else", statementStopped},
		{"a statement can't write the store's own tables", statementRefused},
		{"a migration runs once, whole or not at all", migrations},
		{"a wiring takes the place of another whole, or not at all", rewire},
		{"migrations of a wiring have so much time in all", rewireWithin},
		{"slots and marks are accepted together", slots},
		{"writes after the end are refused", closed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, d) })
	}
}

var ctx = context.Background()

// at is a time that every store can keep exactly.
var at = time.Date(2026, 3, 29, 1, 2, 3, 456789000, time.UTC)

func event(typ, id string) *events.Event {
	return &events.Event{ID: id, Source: "/test", Type: typ, Time: at, CorrelationID: id, Data: []byte(`{"n":9007199254740993}`)}
}

func appendAll(t *testing.T, s store.Store, evs ...*events.Event) []store.Receipt {
	t.Helper()
	receipts, err := s.Append(ctx, evs)
	if err != nil {
		t.Fatal(err)
	}
	return receipts
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func register(t *testing.T, s store.Store, names ...string) []store.Consumer {
	t.Helper()
	regs := make([]store.Registration, len(names))
	for i, n := range names {
		regs[i].Name = n
	}
	return must(s.Register(ctx, regs, nil))(t)
}

func settle(t *testing.T, s store.Store, settlements ...store.Settlement) []store.Settled {
	t.Helper()
	return must(s.Settle(ctx, store.SettleBatch{Settlements: settlements}))(t)
}

func runs(t *testing.T, s store.Store, q store.RunQuery) []store.Run {
	t.Helper()
	return must(s.Runs(ctx, q))(t)
}

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
	settle(t, s, store.Settlement{Event: child, Handler: h.ID, Attempt: 1, Started: at, Outcome: store.Outcome{State: store.Skipped}})
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

func registration(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	appendAll(t, s, event("a.b", "1"), event("a.b", "2"))
	got := must(s.Register(ctx, []store.Registration{{Name: "new"}, {Name: "all", FromStart: true}}, nil))(t)
	equal(t, "new", got[0].LowWater, 2)
	equal(t, "from start", got[1].LowWater, 0)
	if got[0].ID == got[1].ID || got[0].Name != "new" || got[1].Name != "all" {
		t.Errorf("consumers: %+v", got)
	}
	appendAll(t, s, event("a.b", "3"))
	again := must(s.Register(ctx, []store.Registration{{Name: "all", FromStart: true}, {Name: "new"}}, nil))(t)
	equal(t, "known: id", again[1].ID, got[0].ID)
	equal(t, "known: mark", again[1].LowWater, 2)
}

// inside settles with an effect that inserts a user.
func inside(e *events.Event, h store.HandlerID, attempt int, email string) store.Settlement {
	return store.Settlement{Event: e, Handler: h, Attempt: attempt, Started: at, Effect: func(tx store.Tx) store.Outcome {
		if _, err := tx.InsertUser(store.User{Name: "Ada", Email: email, EventID: e.ID}, store.Fail); err != nil {
			return store.Outcome{State: store.Dead, Error: err.Error()}
		}
		return store.Outcome{State: store.Succeeded}
	}}
}

func effectCommits(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	out := settle(t, s, inside(e, h.ID, 1, "ada@example.com"))
	equal(t, "state", out[0].State, store.Succeeded)
	r := runs(t, s, store.RunQuery{})[0]
	equal(t, "stored state", r.State, store.Succeeded)
	equal(t, "handler", r.Handler, "save")
	equal(t, "event", r.EventID, "1")
	equal(t, "type", r.Type, "a.b")
	equal(t, "attempt", r.Attempt, 1)
	equal(t, "id", r.ID, store.RunID(1, "save", s.ID()))
	equal(t, "started", r.StartedAt, at)
	equal(t, "found by id", must(s.FindRun(ctx, r.ID))(t).Sequence, 1)
	equal(t, "users", must(s.CountUsers(ctx))(t), 1)
}

func effectUndone(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e1, e2, e3 := event("a.b", "1"), event("a.b", "2"), event("a.b", "3")
	appendAll(t, s, e1, e2, e3)
	twice := inside(e2, h.ID, 1, "grace@example.com")
	twice.Atomic = true
	insert := twice.Effect
	twice.Effect = func(tx store.Tx) store.Outcome {
		insert(tx)
		return store.Outcome{State: store.Retrying, Error: "changed its mind", NextAttemptAt: at.Add(time.Hour)}
	}
	out := settle(t, s, inside(e1, h.ID, 1, "ada@example.com"), twice, inside(e3, h.ID, 1, "ada@example.com"))
	equal(t, "first", out[0].State, store.Succeeded)
	equal(t, "second", out[1].State, store.Retrying)
	equal(t, "third", out[2].State, store.Dead)
	equal(t, "users", must(s.CountUsers(ctx))(t), 1)
	list := runs(t, s, store.RunQuery{})
	equal(t, "runs", len(list), 3)
	equal(t, "dead: error", list[0].Error == "", false)
	equal(t, "retrying: error", list[1].Error, "changed its mind")
	equal(t, "retrying: next", list[1].NextAttemptAt, at.Add(time.Hour))
}

func emission(t *testing.T, d Driver) {
	var published []int64
	s := d.Open(t, store.Options{OnCommit: func(c store.Commit) {
		for _, e := range c.Events {
			published = append(published, e.Sequence)
		}
	}})
	h := register(t, s, "save")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	child := event("b.c", "child")
	settle(t, s, store.Settlement{Event: e, Handler: h.ID, Attempt: 1, Started: at,
		Outcome: store.Outcome{State: store.Succeeded, Emit: []*events.Event{child}}})
	equal(t, "sequence", child.Sequence, 2)
	equal(t, "in the journal", must(s.Event(ctx, "child"))(t).Type, "b.c")
	equal(t, "published", fmt.Sprint(published), "[1 2]")
}

func clash(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e, other := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e, other, event("b.c", "taken"))
	good := inside(e, h.ID, 1, "good@example.com")
	bad := inside(other, h.ID, 1, "bad@example.com")
	effect := bad.Effect
	bad.Atomic, bad.Effect = true, func(tx store.Tx) store.Outcome {
		out := effect(tx)
		out.Emit = []*events.Event{event("b.c", "new"), event("b.c", "taken")}
		return out
	}
	_, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{good, bad}})
	if !errors.Is(err, store.ErrClash) || !strings.Contains(err.Error(), "#3") {
		t.Errorf("settled: %v", err)
	}
	equal(t, "head", must(s.Head(ctx))(t), 3)
	equal(t, "users", must(s.CountUsers(ctx))(t), 0)
	equal(t, "runs", len(runs(t, s, store.RunQuery{})), 0)
	equal(t, "the good one alone", settle(t, s, good)[0].State, store.Succeeded)
}

func outside(e *events.Event, h store.HandlerID, attempt int, state store.RunState) store.Settlement {
	s := store.Settlement{Event: e, Handler: h, Attempt: attempt, Started: at, Outcome: store.Outcome{State: state}}
	if state == store.Retrying || state == store.Dead {
		s.Outcome.Error = fmt.Sprintf("attempt %d failed", attempt)
	}
	if state == store.Retrying {
		s.Outcome.NextAttemptAt = at.Add(time.Minute)
	}
	return s
}

func fencing(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	equal(t, "the first", settle(t, s, outside(e, h.ID, 1, store.Retrying))[0].Fenced, false)
	equal(t, "the first again", settle(t, s, outside(e, h.ID, 1, store.Succeeded))[0].Fenced, true)
	equal(t, "the third before the second", settle(t, s, outside(e, h.ID, 3, store.Succeeded))[0].Fenced, true)
	late := inside(e, h.ID, 1, "late@example.com")
	equal(t, "a late effect", settle(t, s, late)[0].Fenced, true)
	equal(t, "users", must(s.CountUsers(ctx))(t), 0)
	equal(t, "the second", settle(t, s, outside(e, h.ID, 2, store.Succeeded))[0].Fenced, false)
	equal(t, "the second again", settle(t, s, outside(e, h.ID, 2, store.Dead))[0].Fenced, true)
	equal(t, "state", runs(t, s, store.RunQuery{})[0].State, store.Succeeded)
}

func claims(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	claim := func(attempt int) bool {
		return must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 1, Attempt: attempt, At: at}}))(t)[0]
	}
	equal(t, "first claim", claim(1), true)
	r := runs(t, s, store.RunQuery{State: store.Running})
	equal(t, "running", len(r), 1)
	equal(t, "not finished", r[0].FinishedAt.IsZero(), true)
	failed := outside(e, h.ID, 1, store.Retrying)
	failed.Claimed = true
	equal(t, "settled", settle(t, s, failed)[0].Fenced, false)
	equal(t, "second claim", claim(2), true)
	done := outside(e, h.ID, 2, store.Succeeded)
	done.Claimed = true
	equal(t, "settled", settle(t, s, done)[0].Fenced, false)
	equal(t, "a claim on what is over", claim(3), false)
}

func claimOnce(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	appendAll(t, s, event("a.b", "1"))
	c := store.Claim{Handler: h.ID, Sequence: 1, Attempt: 1, At: at}
	got := must(s.Start(ctx, []store.Claim{c, c}))(t)
	equal(t, "claims", fmt.Sprint(got), "[true false]")
	c.Attempt = 2
	equal(t, "the second while the first runs", must(s.Start(ctx, []store.Claim{c}))(t)[0], false)
}

func claimedOnly(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 1, Attempt: 1, At: at}}))(t)
	equal(t, "without a claim", settle(t, s, outside(e, h.ID, 1, store.Succeeded))[0].Fenced, true)
	equal(t, "an effect without a claim", settle(t, s, inside(e, h.ID, 1, "x@example.com"))[0].Fenced, true)
	equal(t, "users", must(s.CountUsers(ctx))(t), 0)
}

func pending(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call", "other")
	var evs []*events.Event
	for i := range 5 {
		evs = append(evs, event("a.b", fmt.Sprint(i)))
	}
	appendAll(t, s, evs...)
	retrying := func(i int, due time.Duration) store.Settlement {
		x := outside(evs[i], h[0].ID, 1, store.Retrying)
		x.Outcome.NextAttemptAt = at.Add(due)
		return x
	}
	settle(t, s, retrying(0, 3*time.Hour), retrying(1, time.Hour), outside(evs[2], h[0].ID, 1, store.Succeeded),
		outside(evs[3], h[0].ID, 1, store.Dead), outside(evs[4], h[1].ID, 1, store.Retrying))
	must(s.Start(ctx, []store.Claim{{Handler: h[0].ID, Sequence: 5, Attempt: 1, At: at}}))(t)
	var order []int64
	for _, r := range must(s.Pending(ctx, h[0].ID, 10))(t) {
		order = append(order, r.Sequence)
	}
	equal(t, "order", fmt.Sprint(order), "[5 2 1]")
	equal(t, "limit", len(must(s.Pending(ctx, h[0].ID, 2))(t)), 2)
	counts := must(s.Counts(ctx))(t)
	equal(t, "counts", counts["call"], store.Counts{Running: 1, Retrying: 2, Dead: 1})
	equal(t, "counts of the other", counts["other"], store.Counts{Retrying: 1})
}

func marks(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	for _, m := range []int64{5, 3} {
		must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: h.ID, LowWater: m}}}))(t)
	}
	equal(t, "mark", register(t, s, "h")[0].LowWater, 5)
}

func attempts(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h.ID, 1, store.Retrying))
	settle(t, s, outside(e, h.ID, 2, store.Retrying))
	settle(t, s, outside(e, h.ID, 3, store.Succeeded))
	r := runs(t, s, store.RunQuery{})[0]
	equal(t, "error of a success", r.Error, "")
	got := must(s.Attempts(ctx, r.ID))(t)
	equal(t, "attempts", len(got), 2)
	equal(t, "first", got[0].Number, 1)
	equal(t, "second", got[1].Error, "attempt 2 failed")
}

func retry(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h.ID, 1, store.Dead))
	id := runs(t, s, store.RunQuery{})[0].ID
	got := must(s.Retry(ctx, store.RunQuery{ID: id}))(t)
	equal(t, "retried", len(got), 1)
	equal(t, "state", got[0].State, store.Retrying)
	equal(t, "budget", got[0].Budget, 1)
	equal(t, "same id", got[0].ID, id)
	equal(t, "pending", len(must(s.Pending(ctx, h.ID, 10))(t)), 1)
	equal(t, "next attempt", settle(t, s, outside(e, h.ID, 2, store.Succeeded))[0].Fenced, false)
	equal(t, "history", len(must(s.Attempts(ctx, id))(t)), 1)
}

func uncounted(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	for attempt, wanted := range []int{1, 1, 2} {
		ended := outside(e, h.ID, attempt+1, store.Retrying)
		ended.Outcome.Uncounted = attempt != 1
		equal(t, "fenced", settle(t, s, ended)[0].Fenced, false)
		equal(t, "budget", must(s.Pending(ctx, h.ID, 1))(t)[0].Budget, wanted)
	}
	equal(t, "history", len(must(s.Attempts(ctx, runs(t, s, store.RunQuery{})[0].ID))(t)), 3)
}

func retryOnlyDead(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e1, e2 := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e1, e2)
	settle(t, s, outside(e1, h.ID, 1, store.Retrying), outside(e2, h.ID, 1, store.Succeeded))
	equal(t, "retried", len(must(s.Retry(ctx, store.RunQuery{}))(t)), 0)
	equal(t, "dropped", must(s.Drop(ctx, store.RunQuery{}))(t), 0)
	equal(t, "runs", len(runs(t, s, store.RunQuery{})), 2)
	if _, err := s.Retry(ctx, store.RunQuery{ID: "nonsense"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a nonsense id: %v", err)
	}
}

// retryAgain lets a run die between the moment that a retry selects it and the one that changes it.
func retryAgain(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h.ID, 1, store.Dead))
	const rounds = 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	retried := map[int]int{} // how often a retry gave an attempt
	for range 4 {
		wg.Go(func() {
			for {
				runs, err := s.Retry(ctx, store.RunQuery{})
				if err != nil {
					t.Error(err)
					return
				}
				if len(runs) == 0 {
					mu.Lock()
					over := len(retried) >= rounds
					mu.Unlock()
					if over {
						return
					}
					continue
				}
				attempt := runs[0].Attempt + 1
				mu.Lock()
				retried[attempt]++
				mu.Unlock()
				out, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{outside(e, h.ID, attempt, store.Dead)}})
				if err != nil || out[0].Fenced {
					t.Errorf("attempt %d of a retried run: fenced, %v", attempt, err)
					return
				}
				if attempt > rounds {
					return
				}
			}
		})
	}
	wg.Wait()
	for attempt, n := range retried {
		equal(t, fmt.Sprint("retries that gave attempt ", attempt), n, 1)
	}
}

func drop(t *testing.T, d Driver) {
	var mu sync.Mutex
	var published []store.Run
	s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) {
		mu.Lock()
		defer mu.Unlock()
		published = append(published, c.Runs...)
	}})
	h := register(t, s, "h", "other")
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h[0].ID, 1, store.Dead), outside(e, h[1].ID, 1, store.Dead))
	id := store.RunID(1, "h", s.ID())
	for _, want := range []int{1, 0} { // the second time it is dropped already
		equal(t, "dropped", must(s.Drop(ctx, store.RunQuery{Handler: "h"}))(t), want)
		r := must(s.FindRun(ctx, id))(t)
		equal(t, "state", r.State, store.Dropped)
		equal(t, "its name", r.State.String(), "dropped")
		equal(t, "settled", r.State.Settled(), true)
		equal(t, "reason", r.Reason, "dropped by hand; it was dead")
		equal(t, "error", r.Error, "attempt 1 failed")
		equal(t, "history", len(must(s.Attempts(ctx, id))(t)), 1)
		equal(t, "published", published[len(published)-1].State, store.Dropped)
		equal(t, "published with its reason", published[len(published)-1].Reason, r.Reason)
	}
	equal(t, "published once", len(published), 3)
	equal(t, "of this state", len(runs(t, s, store.RunQuery{State: store.Dropped})), 1)
	equal(t, "dead", len(runs(t, s, store.RunQuery{State: store.Dead})), 1)
	equal(t, "counts", must(s.Counts(ctx))(t)["h"], store.Counts{})
	equal(t, "retried", len(must(s.Retry(ctx, store.RunQuery{ID: id}))(t)), 0)
	equal(t, "what is left to handle", len(must(s.Events(ctx, store.EventQuery{Unsettled: h[0].ID}))(t)), 0)
	equal(t, "another attempt", settle(t, s, outside(e, h[0].ID, 2, store.Succeeded))[0].Fenced, true)
	equal(t, "a first one", must(s.Start(ctx, []store.Claim{{Handler: h[0].ID, Sequence: 1, Attempt: 1, At: at}}))(t)[0], false)
}

func dropWaiting(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "gone", "here")
	e1, e2 := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e1, e2)
	for _, x := range h {
		settle(t, s, outside(e1, x.ID, 1, store.Retrying))
		must(s.Start(ctx, []store.Claim{{Handler: x.ID, Sequence: 2, Attempt: 1, At: at}}))(t)
	}
	waiting := store.RunQuery{States: []store.RunState{store.Running, store.Retrying}}
	equal(t, "dropped while their handlers are active", must(s.Drop(ctx, waiting))(t), 0)
	register(t, s, "here")
	equal(t, "dropped, where nobody asked for those that wait", must(s.Drop(ctx, store.RunQuery{}))(t), 0)
	equal(t, "dropped", must(s.Drop(ctx, waiting))(t), 2)
	for _, r := range runs(t, s, store.RunQuery{Handler: "gone"}) {
		equal(t, "state", r.State, store.Dropped)
		equal(t, "reason", r.Reason, "dropped by hand; it was waiting for its handler, which was not wired")
		equal(t, "next attempt", r.NextAttemptAt.IsZero(), true)
	}
	late := outside(e2, h[0].ID, 1, store.Succeeded)
	late.Claimed = true
	equal(t, "an attempt that went on", settle(t, s, late)[0].Fenced, true)
	register(t, s, "gone", "here")
	equal(t, "pending when it comes back", len(must(s.Pending(ctx, h[0].ID, 10))(t)), 0)
	equal(t, "pending of the other", len(must(s.Pending(ctx, h[1].ID, 10))(t)), 2)
}

func pendingAfter(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h", "other")
	for i := range 6 {
		e := event("a.b", fmt.Sprint(i))
		appendAll(t, s, e)
		due := outside(e, h[i/5].ID, 1, store.Retrying)
		due.Outcome.NextAttemptAt = at.Add(-time.Duration(i) * time.Hour)
		if i == 2 {
			due = outside(e, h[0].ID, 1, store.Dead)
		}
		settle(t, s, due)
	}
	appendAll(t, s, event("a.b", "started"))
	must(s.Start(ctx, []store.Claim{{Handler: h[0].ID, Sequence: 7, Attempt: 1, At: at}}))(t)
	for _, c := range []struct {
		after int64
		limit int
		want  string
	}{{0, 10, "[1 2 4 5 7]"}, {0, 3, "[1 2 4]"}, {4, 3, "[5 7]"}, {7, 3, "[]"}} {
		sequences := []int64{}
		for _, r := range must(s.PendingAfter(ctx, h[0].ID, c.after, c.limit))(t) {
			sequences = append(sequences, r.Sequence)
		}
		equal(t, fmt.Sprint("after ", c.after), fmt.Sprint(sequences), c.want)
	}
}

func runPages(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h-1", "other", "h")
	for i := range 4 {
		e := event("a.b", strconv.Itoa(i))
		appendAll(t, s, e)
		states := []store.RunState{store.Dead, store.Succeeded, store.Retrying}
		for j, x := range h {
			settle(t, s, outside(e, x.ID, 1, states[(i+j)%3]))
		}
	}
	ids := func(q store.RunQuery) (ids []string) {
		for _, r := range runs(t, s, q) {
			ids = append(ids, r.ID)
		}
		return ids
	}
	all := ids(store.RunQuery{})
	equal(t, "runs", len(all), 12)
	for limit := 1; limit <= 5; limit++ { // pages end in the middle of an event's runs
		var paged []string
		for q := (store.RunQuery{Limit: limit}); ; q.AfterID = paged[len(paged)-1] {
			page := ids(q)
			if paged = append(paged, page...); len(page) == 0 {
				break
			}
		}
		equal(t, "paged", fmt.Sprint(paged), fmt.Sprint(all))
	}
	forth, back := ids(store.RunQuery{Oldest: true, Limit: 7}), []string{}
	forth = append(forth, ids(store.RunQuery{Oldest: true, AfterID: forth[6]})...)
	for i := len(all) - 3; i >= 0; i -= 3 { // the runs of one event keep their order
		back = append(back, all[i:i+3]...)
	}
	equal(t, "oldest first", fmt.Sprint(forth), fmt.Sprint(back))
	equal(t, "dead", len(ids(store.RunQuery{States: []store.RunState{store.Dead}})), 4)
	equal(t, "dead or retrying", len(ids(store.RunQuery{States: []store.RunState{store.Dead, store.Retrying}})), 8)
	equal(t, "dead and retrying", len(ids(store.RunQuery{State: store.Dead, States: []store.RunState{store.Retrying}})), 0)
	// A page begins after a run that was dropped meanwhile, too.
	dead := ids(store.RunQuery{State: store.Dead})
	must(s.Drop(ctx, store.RunQuery{ID: dead[0]}))(t)
	equal(t, "after a dropped run", fmt.Sprint(ids(store.RunQuery{State: store.Dead, AfterID: dead[0]})), fmt.Sprint(dead[1:]))
	if _, err := s.Runs(ctx, store.RunQuery{AfterID: "nonsense"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after a nonsense id: %v", err)
	}
}

func unsettled(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h", "other")
	e1, e2, e3 := event("a.b", "1"), event("a.b", "2"), event("a.b", "3")
	appendAll(t, s, e1, e2, e3)
	settle(t, s, outside(e2, h[0].ID, 1, store.Retrying), outside(e1, h[1].ID, 1, store.Succeeded))
	var ids []string
	for _, e := range must(s.Events(ctx, store.EventQuery{Unsettled: h[0].ID}))(t) {
		ids = append(ids, e.ID)
	}
	equal(t, "unsettled", fmt.Sprint(ids), "[1 3]")
}

func insertUser(t *testing.T, s store.Store, h store.HandlerID, id string, u store.User, on store.OnConflict) (got store.User, err error) {
	t.Helper()
	e := event("a.b", id)
	appendAll(t, s, e)
	settle(t, s, store.Settlement{Event: e, Handler: h, Attempt: 1, Started: at, Atomic: true, Effect: func(tx store.Tx) store.Outcome {
		u.EventID = e.ID
		if got, err = tx.InsertUser(u, on); err != nil {
			return store.Outcome{State: store.Dead, Error: err.Error()}
		}
		return store.Outcome{State: store.Succeeded}
	}})
	return got, err
}

func users(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	before := time.Now().Truncate(time.Microsecond)
	for i := range 5 {
		u, err := insertUser(t, s, h, fmt.Sprint(i), store.User{Name: fmt.Sprint("User ", i), Email: fmt.Sprintf("u%d@example.com", i), Attributes: []byte(`{"n":1}`)}, store.Fail)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "created now", !u.CreatedAt.Before(before) && !u.CreatedAt.After(time.Now()), true)
	}
	u := must(s.User(ctx, "u3@example.com"))(t)
	equal(t, "name", u.Name, "User 3")
	equal(t, "attributes", string(u.Attributes), `{"n":1}`)
	equal(t, "event", u.EventID, "3")
	equal(t, "by id", must(s.User(ctx, fmt.Sprint(u.ID)))(t).Email, u.Email)
	equal(t, "whatever the case", must(s.User(ctx, "U3@Example.com"))(t).ID, u.ID)
	page := must(s.ListUsers(ctx, 0, 2))(t)
	equal(t, "page", len(page), 2)
	rest := must(s.ListUsers(ctx, page[1].ID, 0))(t)
	equal(t, "rest", len(rest), 3)
	equal(t, "count", must(s.CountUsers(ctx))(t), 5)
	for _, key := range []string{"nobody@example.com", "99", ""} {
		if _, err := s.User(ctx, key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("user %q: %v", key, err)
		}
	}
}

func userConflicts(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	ada, _ := insertUser(t, s, h, "1", store.User{Name: "Ada", Email: "ada@example.com"}, store.Fail)
	if _, err := insertUser(t, s, h, "2", store.User{Name: "Other", Email: "ADA@example.com"}, store.Fail); !errors.Is(err, store.ErrConflict) {
		t.Errorf("fail: %v", err)
	}
	got, err := insertUser(t, s, h, "3", store.User{Name: "Other", Email: "ada@example.com"}, store.Ignore)
	equal(t, "ignore: error", err, nil)
	equal(t, "ignore: id", got.ID, ada.ID)
	equal(t, "ignore: name", got.Name, "Ada")
	got, err = insertUser(t, s, h, "4", store.User{Name: "Countess", Email: "ada@example.com", Attributes: []byte(`{"a":1}`)}, store.Update)
	equal(t, "update: error", err, nil)
	equal(t, "update: id", got.ID, ada.ID)
	stored := must(s.User(ctx, "ada@example.com"))(t)
	equal(t, "update: name", stored.Name, "Countess")
	equal(t, "update: attributes", string(stored.Attributes), `{"a":1}`)
	equal(t, "count", must(s.CountUsers(ctx))(t), 1)
}

func slots(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	mark := store.ScheduleMark{Name: "tick", Since: at, Slot: at.Add(time.Minute), Timing: "every 1m", Paused: true}
	r := must(s.FireSlots(ctx, []store.ScheduleMark{mark}, []*events.Event{event("a.b", "slot")}))(t)
	equal(t, "sequence", r[0].Sequence, 1)
	equal(t, "mark", must(s.ScheduleMarks(ctx))(t)["tick"], mark)
	mark.Slot, mark.Fired, mark.Timing, mark.Paused = at.Add(time.Hour), at.Add(time.Minute), "every 1h", false
	r = must(s.FireSlots(ctx, []store.ScheduleMark{mark}, []*events.Event{event("a.b", "slot")}))(t)
	equal(t, "the same slot again", r[0].Duplicate, true)
	equal(t, "moved", must(s.ScheduleMarks(ctx))(t)["tick"], mark)
	e := event("a.b", "slot")
	equal(t, "by id and source", len(must(s.Events(ctx, store.EventQuery{ID: e.ID, Source: e.Source}))(t)), 1)
	equal(t, "by id and another source", len(must(s.Events(ctx, store.EventQuery{ID: e.ID, Source: "/else"}))(t)), 0)
	other := store.ScheduleMark{Name: "other", Since: at, Slot: at}
	if err := s.SaveMarks(ctx, []store.ScheduleMark{other}, []string{"tick", "nobody"}); err != nil {
		t.Fatal(err)
	}
	equal(t, "saved, and forgotten", fmt.Sprint(must(s.ScheduleMarks(ctx))(t)), fmt.Sprint(map[string]store.ScheduleMark{"other": other}))
}

// closed ends the store's Run through the test's own open.
func closed(t *testing.T, d Driver) {
	var s store.Store
	t.Run("while open", func(t *testing.T) { s = d.Open(t, store.Options{}) })
	if _, err := s.Append(ctx, []*events.Event{event("a.b", "1")}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append: %v", err)
	}
}
