package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest/pruning"
)

// caused is an event of a chain.
func caused(id string, by *events.Event) *events.Event {
	e := event("b.c", id)
	e.Chain, e.Cause = by.Chain, by.Sequence
	return e
}

func prunedWhole(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	h := wire(t, s, "h")[0]
	evs := numbered(4)
	appendAll(t, s, evs...)
	emitting := outside(evs[0], h.ID, 1, store.Succeeded)
	emitting.Outcome.Emit = []*events.Event{caused("early", evs[0])}
	failed := outside(evs[1], h.ID, 1, store.Retrying)
	failed.Output = printed(1)
	settle(t, s, emitting, failed, outside(evs[1], h.ID, 2, store.Cancelled), outside(evs[2], h.ID, 1, store.Skipped), outside(evs[3], h.ID, 1, store.Succeeded))
	mark(t, s, h, 5)
	clock.Pass(time.Hour)
	appendAll(t, s, caused("late", evs[3])) // 6
	clock.Pass(time.Hour)
	look := pruning.All(t, s, store.PruneQuery{Until: at.Add(time.Minute), Look: true})
	equal(t, "left after a look", pruning.Left(t, s), "[1 2 3 4 5 6]")
	got := pruning.All(t, s, store.PruneQuery{Until: at.Add(time.Minute)})
	equal(t, "as the look said", fmt.Sprint(got), fmt.Sprint(look))
	equal(t, "left", pruning.Left(t, s), "[4 6]")
	equal(t, "chains", got.Chains, 3)
	equal(t, "events", got.Events, 4)
	equal(t, "runs", got.Runs, 3)
	equal(t, "kept", fmt.Sprint(got.Kept), "[{young  1 2 4}]")
	equal(t, "runs that are left", len(runs(t, s, store.RunQuery{})), 1)
	equal(t, "next", got.Next, at.Add(time.Hour))
	equal(t, "in all", must(s.Pruning(ctx))(t).Total, got.Pruned)
	equal(t, "the rest", pruning.All(t, s, store.PruneQuery{Until: at.Add(2 * time.Hour)}).Chains, 1)
	equal(t, "left", pruning.Left(t, s), "[]")
	next := event("a.b", "next")
	appendAll(t, s, next)
	equal(t, "the next sequence", next.Sequence, 7)
}

// mark moves a handler's mark.
func mark(t testing.TB, s store.Store, h store.Consumer, sequence int64) {
	t.Helper()
	if _, err := s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: h.ID, LowWater: sequence}}}); err != nil {
		t.Fatal(err)
	}
}

func prunedUnlessNeeded(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	h := wire(t, s, "h")[0]
	evs := numbered(7)
	appendAll(t, s, evs...)
	must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 4, Attempt: 1, At: at}}))(t)
	settle(t, s, outside(evs[0], h.ID, 1, store.Succeeded), outside(evs[1], h.ID, 1, store.Dead), outside(evs[2], h.ID, 1, store.Retrying), outside(evs[4], h.ID, 1, store.Skipped))
	burst := outside(evs[6], h.ID, 1, store.Dead)
	burst.Joins = []int64{6}
	settle(t, s, burst)
	mark(t, s, h, 5)
	appendAll(t, s, event("a.b", "8"))
	clock.Pass(time.Hour)
	q := store.PruneQuery{Until: clock.Now()}
	got := pruning.All(t, s, q)
	equal(t, "left", pruning.Left(t, s), "[2 3 4 6 7 8]")
	equal(t, "kept", fmt.Sprint(got.Kept), "[{dead h 3 3 2} {retrying h 1 1 3} {running h 1 1 4} {waiting h 1 1 8}]")
	equal(t, "scanned", must(s.Pruning(ctx))(t).Scanned, 8)

	must(s.Drop(ctx, store.Change{Query: store.RunQuery{Sequence: 2}}))(t)
	equal(t, "once it is dropped", pruning.All(t, s, q).Events, 1)
	must(s.Drop(ctx, store.Change{Query: store.RunQuery{Sequence: 7}}))(t)
	equal(t, "and what its burst has joined", pruning.All(t, s, q).Events, 2)
	settle(t, s, outside(evs[2], h.ID, 2, store.Succeeded))
	q.After = 3
	equal(t, "not before the place", pruning.All(t, s, q).Events, 0)
	equal(t, "left", pruning.Left(t, s), "[3 4 8]")
}

func prunedOfLeft(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	h := wire(t, s, "gone", "stays")
	evs := numbered(4)
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[0], h[0].ID, 1, store.Dead), outside(evs[1], h[0].ID, 1, store.Retrying), outside(evs[2], h[0].ID, 1, store.Succeeded))
	for i, e := range evs {
		if i < 3 {
			settle(t, s, outside(e, h[1].ID, 1, store.Succeeded))
		}
	}
	mark(t, s, h[0], 3)
	mark(t, s, h[1], 3)
	wire(t, s, "stays")
	clock.Pass(time.Hour)
	q := store.PruneQuery{Until: clock.Now()}
	equal(t, "within the hour in which it may return", pruning.All(t, s, q).Events, 1)
	clock.Pass(time.Second)
	got := pruning.All(t, s, q)
	equal(t, "left", pruning.Left(t, s), "[4]")
	equal(t, "lost", fmt.Sprint(got.Lost), "[{gone 0 2}]")
	settle(t, s, outside(evs[3], h[1].ID, 1, store.Succeeded))
	mark(t, s, h[1], 4)
	pruning.All(t, s, q)
	equal(t, "lost in all", fmt.Sprint(must(s.Pruning(ctx))(t).Lost), "[{gone 1 2}]")
	equal(t, "fenced off", settle(t, s, outside(evs[1], h[0].ID, 2, store.Succeeded))[0].Fenced, true)
	back := wire(t, s, "gone", "stays")[0]
	equal(t, "it is the same", back.ID, h[0].ID)
	equal(t, "what waits for it", must(s.Backlog(ctx, back, 0))(t), store.Backlog{})
	appendAll(t, s, event("a.b", "5"))
	equal(t, "what waits for it now", must(s.Backlog(ctx, back, 0))(t).Waiting, 1)
}

func prunedAndKnown(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	const n = 100
	appendAll(t, s, numbered(n)...)
	clock.Pass(time.Hour)
	pruning.All(t, s, store.PruneQuery{Until: clock.Now(), Keys: true})
	equal(t, "left", pruning.Left(t, s), "[]")
	equal(t, "keys", must(s.Pruning(ctx))(t).Keys, n)
	fresh := numbered(2 * n)
	for i, rc := range appendAll(t, s, fresh...) {
		want := store.Receipt{Sequence: int64(i + 1), Duplicate: i < n}
		equal(t, fmt.Sprint("event ", i+1), rc, want)
	}
	other := event("a.b", "1")
	other.Source = "/other"
	equal(t, "of another source", appendAll(t, s, other)[0].Duplicate, false)
	h := wire(t, s, "h")[0]
	clash := outside(fresh[n], h.ID, 1, store.Succeeded)
	clash.Outcome.Emit = []*events.Event{event("b.c", "7")}
	if _, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{clash}}); !errors.Is(err, store.ErrClash) {
		t.Errorf("emitted again: %v", err)
	}

	clock.Pass(time.Hour)
	forget := func(before time.Time) (sum int64) {
		t.Helper()
		for after := []byte(nil); ; {
			next, forgotten, err := s.ForgetKeys(ctx, after, before)
			if err != nil {
				t.Fatal(err)
			}
			if sum += forgotten; next == nil {
				return sum
			}
			after = next
		}
	}
	equal(t, "young keys", forget(at.Add(time.Hour)), 0)
	for i, rc := range appendAll(t, s, numbered(n)...) {
		equal(t, fmt.Sprint("event ", i+1, ", once more"), rc, store.Receipt{Sequence: int64(i + 1), Duplicate: true})
	}
	equal(t, "old keys", forget(at.Add(time.Hour+time.Second)), n)
	equal(t, "keys", must(s.Pruning(ctx))(t).Keys, 0)
	equal(t, "accepted again", appendAll(t, s, event("a.b", "1"))[0].Duplicate, false)
}

func prunedInPart(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	appendAll(t, s, numbered(2000)...)
	root := event("a.b", "root")
	appendAll(t, s, root)
	many := make([]*events.Event, 5000)
	for i := range many {
		many[i] = caused(fmt.Sprint("child ", i), root)
	}
	appendAll(t, s, many...)
	clock.Pass(time.Hour)
	appendAll(t, s, event("a.b", "young"))
	size := must(s.Sizes(ctx))(t)
	equal(t, "oldest", size.Oldest, 1)
	equal(t, "of", size.OldestAt, at)
	got := must(s.Prune(ctx, store.PruneQuery{Until: clock.Now(), Bytes: 50}))(t)
	equal(t, "at least one", got.Chains, 1)
	equal(t, "reached", got.Reached, 1)
	equal(t, "end", got.End, false)
	equal(t, "all", pruning.All(t, s, store.PruneQuery{Until: clock.Now()}).Events, 2000+5000)
	equal(t, "left", pruning.Left(t, s), "[7002]")
	if !d.InFile {
		return
	}
	after := must(s.Sizes(ctx))(t)
	equal(t, "the file", after.File, size.File)
	if after.Free < size.File/2 {
		t.Errorf("free: %+v", after)
	}
	given := must(s.GiveBack(ctx, 50))(t)
	equal(t, "given back", given, 50)
	equal(t, "free", must(s.Sizes(ctx))(t).Free, after.Free-50*after.Page)
}

func prunedAfterAnnouncement(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	p := must(s.Pruning(ctx))(t)
	equal(t, "a new store", p.Begins(at).IsZero(), true)
	for range 2 {
		if err := s.AnnouncePruning(ctx); err != nil {
			t.Fatal(err)
		}
		equal(t, "announced", must(s.Pruning(ctx))(t).Announced, at)
		clock.Pass(time.Hour)
	}
}

func prunedAsTheModelSays(t *testing.T, d Driver) {
	pruning.Check(t, Size(t, "EVRUN_PRUNING_WORLDS", 4, 200), d.Open)
}
