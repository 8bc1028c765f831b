package reads

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// model is all of a store, in memory.
type model struct {
	events []*events.Event
	runs   []store.Run // by sequence, then by handler
	of     map[int64]*events.Event
	hand   map[string]*store.Consumer
}

func modelOf(t *testing.T, m *made) *model {
	t.Helper()
	all, err := list(t.Context(), m.Reader, scanEvent, `SELECT `+eventColumns+` FROM evrun.events e ORDER BY e.sequence`)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := m.runsFrom(t.Context(), `SELECT r.* FROM evrun.runs r`, failedAttempts, `r.sequence, r.handler`)
	if err != nil {
		t.Fatal(err)
	}
	known, err := m.Handlers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mod := &model{events: all, runs: runs, of: map[int64]*events.Event{}, hand: map[string]*store.Consumer{}}
	for _, e := range all {
		mod.of[e.Sequence] = e
	}
	for _, c := range known {
		mod.hand[c.Name] = &c
	}
	return mod
}

// place says whether a sequence is within the bounds of a query, whose times are those of seconds.
func inPlace(sequence, after, before int64, since, until time.Time) bool {
	at := begun.Add(time.Duration(sequence) * time.Second)
	return sequence > after && (before == 0 || sequence < before) && (since.IsZero() || !at.Before(since)) && (until.IsZero() || at.Before(until))
}

func holds(e *events.Event, holding [][]string) bool {
	data := string(e.Data)
	for _, texts := range holding {
		if e.IsJSON() && !strings.Contains(data, `\`) && !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(data, text) }) {
			return false
		}
	}
	return true
}

func (m *model) selects(q *store.EventQuery) (found []int64) {
	for _, e := range m.events {
		if inPlace(e.Sequence, q.After, q.Before, q.Since, q.Until) && events.Selects(q.Patterns, e.Type) && (q.Source == "" || e.Source == q.Source) &&
			(q.Chain == 0 || e.Chain == q.Chain) && (q.ID == "" || e.ID == q.ID) && (q.Sequences == nil || slices.Contains(q.Sequences, e.Sequence)) &&
			(q.TakenBy == nil || q.TakenBy.Takes(e)) && (q.Slots == 0 || q.Slots.Has(store.SlotOf(e.Sequence))) && holds(e, q.Holding) &&
			(q.WithoutRun == 0 || !slices.ContainsFunc(m.runsOf(e.Sequence), func(r store.Run) bool { return r.HandlerID == q.WithoutRun })) {
			found = append(found, e.Sequence)
		}
	}
	return found
}

func (m *model) runsOf(sequence int64) []store.Run {
	i, _ := slices.BinarySearchFunc(m.runs, sequence, func(r store.Run, sequence int64) int { return cmp.Compare(r.Sequence, sequence) })
	n := i
	for n < len(m.runs) && m.runs[n].Sequence == sequence {
		n++
	}
	return m.runs[i:n]
}

func (m *model) selectRuns(q *store.RunQuery) (found []string) {
	for _, r := range m.runs {
		e := m.of[r.Sequence]
		ofEvent := len(narrowing(q.Patterns)) > 0 || q.Source != "" || len(q.Holding) > 0
		if inPlace(r.Sequence, q.After, q.Before, q.Since, q.Until) && (q.ID == "" || r.ID == q.ID) && (len(q.IDs) == 0 || slices.Contains(q.IDs, r.ID)) &&
			(q.Handler == "" || r.Handler == q.Handler) && (q.State == 0 || r.State == q.State) && (len(q.States) == 0 || slices.Contains(q.States, r.State)) &&
			(q.Sequence == 0 || r.Sequence == q.Sequence) && (q.Chain == 0 || r.Sequence == q.Chain || e != nil && e.Chain == q.Chain) &&
			(!ofEvent || e != nil && events.Selects(q.Patterns, e.Type) && (q.Source == "" || e.Source == q.Source) && holds(e, q.Holding)) {
			found = append(found, r.ID)
		}
	}
	if !q.Oldest {
		slices.Reverse(found)
	}
	return found
}

// bySequence is the order of the model's runs within an event, which Reverse has turned.
func bySequence(ids []string) map[int64][]string {
	sorted := map[int64][]string{}
	for _, id := range ids {
		sequence, _, _, _ := store.ParseRunID(id)
		sorted[sequence] = append(sorted[sequence], id)
	}
	for _, list := range sorted {
		slices.Sort(list)
	}
	return sorted
}

type chance struct{ *rand.Rand }

func (c chance) one(in int) bool { return c.IntN(in) == 0 }

func (c chance) patterns() (list []events.Pattern) {
	for c.one(2) || len(list) == 0 {
		list = append(list, events.MustPattern([]string{"common.made", "rare", "kind.*", "kind.>", "kind.c", "*", "none", "common.*", "*.made", ">", "ki.>"}[c.IntN(11)]))
	}
	return list
}

// bounds sets what queries of events and of runs have in common.
func (c chance) bounds(n int, after, before *int64, since, until *time.Time, patterns *[]events.Pattern, source *string, chain *int64, holding *[][]string) {
	somewhere := func() int64 { return c.Int64N(int64(n)) }
	if c.one(4) {
		*after = somewhere()
	}
	if c.one(4) {
		*before = 1 + somewhere()
	}
	if c.one(5) {
		*since = begun.Add(time.Duration(somewhere()) * time.Second)
	}
	if c.one(5) {
		*until = begun.Add(time.Duration(somewhere()) * time.Second)
	}
	if c.one(2) {
		*patterns = c.patterns()
	}
	if c.one(6) {
		*source = []string{"/seldom", "/usual/1", "/none"}[c.IntN(3)]
	}
	if c.one(8) {
		*chain = somewhere()/20*20 + 15
	}
	if c.one(5) {
		*holding = [][]string{{"77", "1234"}, {"number"}}[:1+c.IntN(2)]
	}
}

func TestEventsAreThoseOfTheModel(t *testing.T) {
	const n = 4000
	m := journal(t, n)
	mod := modelOf(t, m)
	c := chance{rand.New(rand.NewPCG(1, 2))}
	for range 200 {
		q := store.EventQuery{Last: c.one(2), Limit: []int{0, 40, 77, 400, 3000}[c.IntN(5)], MaxBytes: []int{0, 0, 900, 5000}[c.IntN(4)], DataOnly: c.one(4)}
		c.bounds(n, &q.After, &q.Before, &q.Since, &q.Until, &q.Patterns, &q.Source, &q.Chain, &q.Holding)
		if c.one(10) {
			q.ID = []string{"twice", "e77", "none"}[c.IntN(3)]
		}
		if c.one(10) {
			q.Sequences = []int64{5, 3, 700, 90, 4000}
		}
		if c.one(4) {
			q.WithoutRun = store.HandlerID(1 + c.IntN(3))
		}
		if c.one(4) {
			q.Slots = store.Slots(c.Uint64())
		}
		if c.one(4) {
			q.TakenBy = mod.hand[[]string{"most", "few", "kinds"}[c.IntN(3)]]
		}
		want := mod.selects(&q)
		if q.Last {
			slices.Reverse(want)
		}
		name := fmt.Sprintf("%+v", q)
		got, ask := []int64{}, q
		for pages := 0; ; pages++ {
			page, err := m.Events(t.Context(), ask)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(page) == 0 {
				break
			}
			if !slices.IsSortedFunc(page, func(a, b *events.Event) int { return cmp.Compare(a.Sequence, b.Sequence) }) {
				t.Fatalf("%s: not in order", name)
			}
			if q.Last {
				slices.Reverse(page)
			}
			bytes := 0
			for i, e := range page {
				if bytes += len(e.Data); q.MaxBytes > 0 && bytes >= q.MaxBytes && i < len(page)-1 || len(page) > orDefault(q.Limit, 1000) {
					t.Fatalf("%s: a page of %d events, %d bytes", name, len(page), bytes)
				}
				if string(e.Data) != string(mod.of[e.Sequence].Data) || e.IsJSON() != mod.of[e.Sequence].IsJSON() {
					t.Fatalf("%s: data %s", name, e.Data)
				}
				got = append(got, e.Sequence)
			}
			if ask.After = got[len(got)-1]; q.Last {
				ask.After, ask.Before = q.After, got[len(got)-1]
			}
			ask.Since, ask.Until = q.Since, q.Until
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %d events %v, want %d: %v", name, len(got), first(got), len(want), first(want))
		}
		got = got[:0]
		for ask = q; ; {
			part, err := m.ScanEvents(t.Context(), ask, 100+c.IntN(2000))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, e := range part.Items {
				got = append(got, e.Sequence)
			}
			if part.End {
				break
			}
			if ask.After = part.Reached; q.Last {
				ask.After, ask.Before = q.After, part.Reached
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: scanned %d events %v, want %d: %v", name, len(got), first(got), len(want), first(want))
		}
	}
}

func first[T any](list []T) []T { return list[:min(len(list), 10)] }

func TestRunsAreThoseOfTheModel(t *testing.T) {
	const n = 4000
	m := journal(t, n)
	mod := modelOf(t, m)
	c := chance{rand.New(rand.NewPCG(3, 4))}
	states := []store.RunState{store.Running, store.Retrying, store.Succeeded, store.Skipped, store.Dead, store.Dropped, store.Cancelled, store.Waiting}
	for range 200 {
		q := store.RunQuery{Oldest: c.one(2), Limit: []int{0, 40, 77, 400, 3000}[c.IntN(5)], Bare: c.one(3)}
		c.bounds(n, &q.After, &q.Before, &q.Since, &q.Until, &q.Patterns, &q.Source, &q.Chain, &q.Holding)
		if c.one(3) {
			q.Handler = []string{"most", "few", "kinds", "none"}[c.IntN(4)]
		}
		if c.one(3) {
			q.State = states[c.IntN(7)]
		}
		for c.one(3) {
			q.States = append(q.States, states[c.IntN(8)])
		}
		if c.one(10) {
			q.Sequence = 1 + c.Int64N(n)
		}
		if c.one(10) {
			for range 1 + c.IntN(20) {
				q.IDs = append(q.IDs, mod.runs[c.IntN(len(mod.runs))].ID)
			}
		}
		if c.one(12) {
			q.ID = mod.runs[c.IntN(len(mod.runs))].ID
		}
		want, name := mod.selectRuns(&q), fmt.Sprintf("%+v", q)
		same := func(how string, got []string) {
			t.Helper()
			if len(got) != len(want) || fmt.Sprint(bySequence(got)) != fmt.Sprint(bySequence(want)) {
				t.Fatalf("%s, %s: %d runs %v, want %d: %v", name, how, len(got), first(got), len(want), first(want))
			}
		}
		got, ask := []string{}, q
		for {
			page, err := m.Runs(context.Background(), ask)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(page) == 0 {
				break
			}
			for i, r := range page {
				got = append(got, r.ID)
				if model := mod.runsOf(r.Sequence); !slices.ContainsFunc(model, func(w store.Run) bool {
					if q.Bare { // Runs counts them all the same, or not
						w.Failed = r.Failed
					}
					return w == r
				}) {
					t.Fatalf("%s: %+v, want one of %+v", name, r, model)
				}
				if i > 0 && (page[i-1].Sequence == r.Sequence && page[i-1].HandlerID > r.HandlerID || page[i-1].Sequence != r.Sequence && page[i-1].Sequence > r.Sequence == q.Oldest) {
					t.Fatalf("%s: not in order: %s, %s", name, page[i-1].ID, r.ID)
				}
			}
			ask.AfterID = page[len(page)-1].ID
		}
		same("paged", got)
		got = got[:0]
		for ask = q; ; {
			part, err := m.ScanRuns(t.Context(), ask, 100+c.IntN(2000))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, r := range part.Items {
				got = append(got, r.ID)
			}
			if part.End {
				break
			}
			switch full := len(part.Items) > 0 && len(part.Items) == orDefault(q.Limit, 1000); {
			case full:
				ask.AfterID = part.Items[len(part.Items)-1].ID
			case q.Oldest:
				ask.After, ask.AfterID = part.Reached, ""
			default:
				ask.Before, ask.AfterID = part.Reached, ""
			}
		}
		same("scanned", got)
		counted := 0
		for ask = q; ; {
			part, err := m.TallyRuns(t.Context(), ask, 100+c.IntN(2000))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, tally := range part.Items {
				counted += tally.Count
			}
			if part.End {
				break
			}
			if ask.Before = part.Reached; q.Oldest {
				ask.Before, ask.After = q.Before, part.Reached
			}
		}
		if counted != len(want) {
			t.Fatalf("%s: counted %d, want %d", name, counted, len(want))
		}
	}
}
