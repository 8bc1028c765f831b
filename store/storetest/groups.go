package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// A store may write many rows with one statement. These tests have conflicts at all places among many rows.

// varied returns an event with some of the attributes that an event may have.
func varied(r *rand.Rand, id string) *events.Event {
	e := event("a.b", id)
	if r.IntN(3) == 0 {
		e.Type = fmt.Sprint("a.", r.IntN(3))
	}
	if r.IntN(8) == 0 {
		e.Source = fmt.Sprint("/test/", r.IntN(2))
	}
	if r.IntN(16) > 0 {
		return e
	}
	e.Subject, e.DataContentType, e.DataSchema = "s", "text/plain", "/schema"
	e.CorrelationID, e.CausationID, e.Hops, e.Chain, e.Cause = "c", "d", 3, 1, 1
	e.Extensions, e.ReplayOf = map[string]any{"x": "y"}, 1
	e.Data = []byte(strings.Repeat("x", r.IntN(3)*3000))
	return e
}

func manyDuplicates(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	type key struct{ source, id string }
	stored := map[key]*events.Event{}
	var next int64 = 1
	for round, ids := range []int{1 << 30, 1 << 30, 2000, 500, 5000, 1 << 30} { // the fewer ids, the more duplicates
		var evs []*events.Event
		var want []store.Receipt
		for range 150 + 70*round {
			e := varied(r, fmt.Sprint(r.IntN(ids)))
			known := stored[key{e.Source, e.ID}]
			if evs = append(evs, e); known != nil {
				want = append(want, store.Receipt{Sequence: known.Sequence, Duplicate: true})
				continue
			}
			first := *e
			if first.Sequence = next; first.Chain == 0 {
				first.Chain = next
			}
			stored[key{e.Source, e.ID}] = &first
			want = append(want, store.Receipt{Sequence: next})
			next++
		}
		for i, got := range appendAll(t, s, evs...) {
			equal(t, fmt.Sprint("receipt ", i, " of round ", round), got, want[i])
			if !got.Duplicate {
				equal(t, "the event's sequence", evs[i].Sequence, got.Sequence)
				if evs[i].AcceptedAt.IsZero() {
					t.Errorf("receipt %d of round %d: the event does not say when it was accepted", i, round)
				}
				stored[key{evs[i].Source, evs[i].ID}].AcceptedAt = evs[i].AcceptedAt
			}
		}
	}
	equal(t, "head", must(s.Head(ctx))(t), next-1)
	for q := (store.EventQuery{}); ; {
		page := must(s.Events(ctx, q))(t)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			want := stored[key{e.Source, e.ID}]
			if fmt.Sprintf("%+v", *e) != fmt.Sprintf("%+v", *want) {
				t.Errorf("stored %+v, want %+v", *e, *want)
			}
		}
		q.After = page[len(page)-1].Sequence
	}
}

// allShapes has more combinations of attributes than a store may keep statements for.
func allShapes(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	appendAll(t, s, event("a.b", "first"))
	var evs []*events.Event
	for set := range 1 << 8 {
		e := event("a.b", fmt.Sprint(set))
		for i, give := range []func(){
			func() { e.Subject = "s" }, func() { e.DataContentType = "text/plain" }, func() { e.DataSchema = "/schema" }, func() { e.Data = nil },
			func() { e.CausationID = "d" }, func() { e.Hops = 3 }, func() { e.Chain = 1 }, func() { e.Extensions = map[string]any{"x": "y"} },
		} {
			if set&(1<<i) != 0 {
				give()
			}
		}
		evs = append(evs, e)
	}
	for _, e := range evs {
		appendAll(t, s, e)
	}
	for _, want := range evs {
		if got := must(s.Event(ctx, want.ID))(t); fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *want) {
			t.Errorf("stored %+v, want %+v", *got, *want)
		}
	}
}

func manyEmitted(t *testing.T, d Driver) {
	const n = 100
	for _, clashing := range []int{-1, 0, 31, 57, n - 1} { // the settlement whose event clashes
		t.Run(fmt.Sprint(clashing), func(t *testing.T) {
			var published []string
			s := d.Open(t, store.Options{OnCommit: func(c store.Commit) {
				for _, e := range c.Events {
					published = append(published, e.ID)
				}
			}})
			h := register(t, s, "h")[0].ID
			evs := numbered(n)
			appendAll(t, s, append(evs, event("b.c", "taken"))...)
			var list []store.Settlement
			var want []string
			for i, e := range evs {
				x := outside(e, h, 1, store.Succeeded)
				for j := range i % 3 {
					child := event("b.c", fmt.Sprint("child-", i, ".", j))
					child.Chain, child.Cause = e.Sequence, e.Sequence
					x.Outcome.Emit = append(x.Outcome.Emit, child)
					want = append(want, child.ID)
				}
				if i == clashing {
					x.Outcome.Emit = append(x.Outcome.Emit, event("b.c", "taken"))
				}
				list = append(list, x)
			}
			published = nil
			_, err := s.Settle(ctx, store.SettleBatch{Settlements: list})
			if clashing < 0 {
				equal(t, "error", err, nil)
				equal(t, "published", fmt.Sprint(published), fmt.Sprint(want))
				equal(t, "head", must(s.Head(ctx))(t), int64(n+1+len(want)))
				return
			}
			if !errors.Is(err, store.ErrClash) || !strings.Contains(err.Error(), fmt.Sprint("#", n+1)) {
				t.Errorf("settled: %v", err)
			}
			equal(t, "head", must(s.Head(ctx))(t), n+1)
			equal(t, "runs", len(runs(t, s, store.RunQuery{})), 0)
			for i := range list { // one by one, only that one fails
				_, err := s.Settle(ctx, store.SettleBatch{Settlements: list[i : i+1]})
				equal(t, fmt.Sprint(i, " fails"), errors.Is(err, store.ErrClash), i == clashing)
			}
			equal(t, "published", len(published), len(want)-clashing%3)
		})
	}
}

func manyClaimed(t *testing.T, d Driver) {
	const n = 80
	for _, ahead := range []bool{false, true} {
		for _, odd := range []int{-1, 0, 20, 31, 45, n - 1} { // the settlement that is fenced off
			for what, spoil := range map[string]func(list []store.Settlement){
				"another attempt": func(list []store.Settlement) { list[odd].Attempt = 2 },
				"not claimed": func(list []store.Settlement) {
					list[odd].Event = event("a.b", "unclaimed")
					list[odd].Event.Sequence = n + 1
				},
				"repeated": func(list []store.Settlement) { list[odd].Event = list[(odd+n-1)%n].Event },
			} {
				if odd == 0 && what == "repeated" {
					continue
				}
				t.Run(fmt.Sprint(what, " ahead ", ahead, " ", odd), func(t *testing.T) {
					s := d.Open(t, store.Options{})
					h := register(t, s, "other", "h")[1].ID
					evs := numbered(n)
					appendAll(t, s, append(evs, event("a.b", "unclaimed"))...)
					var claims []store.Claim
					var list []store.Settlement
					for _, e := range evs {
						claims = append(claims, store.Claim{Handler: h, Sequence: e.Sequence, Attempt: 1, At: at, Ahead: ahead})
						x := outside(e, h, 1, store.Succeeded)
						x.Claimed, x.Ahead, x.Started = true, ahead, at.Add(time.Duration(e.Sequence)*time.Second)
						list = append(list, x)
					}
					for _, ok := range must(s.Start(ctx, claims))(t) {
						equal(t, "claimed", ok, true)
					}
					if odd >= 0 {
						spoil(list)
					}
					for i, out := range settle(t, s, list...) {
						equal(t, fmt.Sprint("fenced ", i), out.Fenced, i == odd)
					}
					stored := runs(t, s, store.RunQuery{Oldest: true})
					equal(t, "runs", len(stored), n)
					for i, r := range stored {
						if i == odd { // still running
							equal(t, "the odd one's state", r.State, store.Running)
							continue
						}
						equal(t, "state", r.State, store.Succeeded)
						equal(t, "budget", r.Budget, 0)
						equal(t, "finished", r.FinishedAt.IsZero(), false)
						equal(t, "started", r.StartedAt.Sub(at) > 0, ahead)
					}
				})
			}
		}
	}
}
