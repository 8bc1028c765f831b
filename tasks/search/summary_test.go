package search_test

import (
	"cmp"
	"slices"
	"strconv"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/alike"
	"evrun/tasks/expression"
	"evrun/tasks/search"
	"evrun/tasks/summary"
)

// counted is a summary that is made of each run.
func (w *world) counted(q search.Query, is func(e *events.Event, r *store.Run) bool) (count int, errors map[string]int, parts [3][]summary.Count) {
	errors = map[string]int{}
	maps := [3]map[string]int{{}, {}, {}}
	for i := range w.runs {
		r := &w.runs[i]
		e := w.of[r.Sequence]
		if e == nil {
			e = &events.Event{Sequence: r.Sequence, Chain: -r.Sequence}
		}
		if !is(e, r) {
			continue
		}
		count++
		if r.Error != "" {
			errors[alike.Text(r.Error)]++
		}
		for j, name := range []string{r.State.String(), r.Handler, r.Type} {
			maps[j][name]++
		}
	}
	for j, m := range maps {
		for name, n := range m {
			parts[j] = append(parts[j], summary.Count{Name: name, Count: n})
		}
		slices.SortFunc(parts[j], byName)
	}
	return count, errors, parts
}

func byName(a, b summary.Count) int { return cmp.Compare(a.Name, b.Name) }

// Whatever is selected: a summary counts what a look at every run counts, and the condition of a group of errors selects that group.
func TestASummaryCountsWhatThereIs(t *testing.T) {
	queries := 25
	for seed := range uint64(2) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 20+seed)
			for range queries {
				q, is := w.query(true)
				want, wantErrors, wantParts := w.counted(q, is)
				var got summary.Summary
				calls := 0
				w.must(summary.Runs(t.Context(), w.s, q, func(s *summary.Summary) error {
					calls++
					if s.Progress < 0 || s.Progress > 1 || s.Count < got.Count {
						t.Errorf("%+v: progress %v, count %d after %d", q, s.Progress, s.Count, got.Count)
					}
					got = *s
					return nil
				}))
				if !got.Done || calls == 0 || got.Count != want {
					t.Fatalf("%+v: %d in %d calls, want %d", q, got.Count, calls, want)
				}
				for i, list := range [][]summary.Count{got.States(), got.Handlers(1000), got.Types(1000)} {
					if slices.SortFunc(list, byName); !slices.Equal(list, wantParts[i]) {
						t.Errorf("%+v: %v, want %v", q, list, wantParts[i])
					}
				}
				groups := got.Errors(1000)
				if len(groups) != len(wantErrors) {
					t.Errorf("%+v: groups %v, want %v", q, groups, wantErrors)
				}
				for _, g := range groups {
					if wantErrors[g.Error] != g.Count {
						t.Errorf("%+v: group %q has %d, want %d", q, g.Error, g.Count, wantErrors[g.Error])
					}
				}
				if len(groups) > 0 && q.Where == nil {
					w.selects(q, groups[0])
				}
			}
		})
	}
}

// selects checks that the condition of a group selects it.
func (w *world) selects(q search.Query, g summary.Group) {
	w.t.Helper()
	where, err := expression.Compile(g.Where(), expression.SelectRuns)
	w.must(err)
	q.Where, q.After, q.Limit = where, "", 1000
	var last summary.Summary
	w.must(summary.Runs(w.t.Context(), w.s, q, func(s *summary.Summary) error { last = *s; return nil }))
	if groups := last.Errors(10); last.Count != g.Count || len(groups) != 1 || groups[0].Error != g.Error {
		w.t.Errorf("%s selects %d: %+v; want %d", g.Where(), last.Count, groups, g.Count)
	}
}
