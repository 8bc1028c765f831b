package events

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func sameSet(a, b []int) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestRouterFindsEveryValueOnce(t *testing.T) {
	var r Router[int]
	for i, s := range []string{"user.created", "user.*", "user.>", ">", "*.created", "order.*"} {
		r.Add(MustPattern(s), i)
		r.Add(MustPattern(s), i)   // again
		r.Add(MustPattern(s), 100) // under all of them
	}
	if got := r.Match("user.created", []int{7}); !sameSet(got, []int{7, 0, 1, 2, 3, 4, 100}) || got[0] != 7 {
		t.Errorf("found %v", got)
	}
	if got := r.Match("x", nil); !sameSet(got, []int{3, 100}) {
		t.Errorf("found %v", got)
	}
}

func TestRouterFindsManyValuesOnce(t *testing.T) {
	var r Router[int]
	var want []int
	for i := range 500 {
		r.Add(MustPattern("a.*"), i)
		r.Add(MustPattern("a.b"), i)
		want = append(want, i)
	}
	if got := r.Match("a.b", nil); !sameSet(got, want) {
		t.Errorf("found %d values, want %d", len(got), len(want))
	}
}

func TestRouterForgetsWhatIsRemoved(t *testing.T) {
	var r Router[string]
	patterns := []string{"user.created", "user.*", "a.b.c.>", ">", "*"}
	for _, s := range patterns {
		r.Add(MustPattern(s), "x")
	}
	r.Remove(MustPattern("user.deleted"), "x")
	r.Remove(MustPattern("user.created.x.*"), "x")
	r.Remove(MustPattern("user.*"), "y")
	if got := r.Match("user.created", nil); len(got) != 1 {
		t.Errorf("found %v", got)
	}
	for _, s := range patterns {
		r.Remove(MustPattern(s), "x")
		r.Remove(MustPattern(s), "x")
	}
	if len(r.root.next) != 0 || r.root.any != nil || len(r.root.rest) != 0 || len(r.patterns) != 0 || r.shared != 0 {
		t.Errorf("an emptied router holds %+v", r)
	}
}

func TestRouterIgnoresTheZeroPattern(t *testing.T) {
	var r Router[int]
	r.Add(Pattern{}, 1)
	r.Remove(Pattern{}, 1)
	if got := r.Match("a", r.Match("", nil)); got != nil {
		t.Errorf("found %v", got)
	}
}

func TestRouterMatchDoesNotAllocate(t *testing.T) {
	var r Router[int]
	for i := range 16 {
		r.Add(MustPattern("user.*"), i)
		r.Add(MustPattern("user.>"), i)
	}
	var dst [64]int
	if n := testing.AllocsPerRun(100, func() { r.Match("user.created", dst[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRouterAgreesWithPatternsThroughChanges(t *testing.T) {
	token := rapid.SampledFrom([]string{"a", "b", "c"})
	pattern := rapid.Custom(func(t *rapid.T) Pattern {
		s := rapid.SampledFrom([]string{"a", "b", "*"}).Draw(t, "first")
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			s += "." + rapid.SampledFrom([]string{"a", "b", "*"}).Draw(t, "token")
		}
		switch rapid.IntRange(0, 5).Draw(t, "rest") {
		case 0:
			s += ".>"
		case 1:
			s = ">"
		}
		return MustPattern(s)
	})
	type pair struct {
		p Pattern
		v int
	}
	rapid.Check(t, func(t *rapid.T) {
		var r Router[int]
		model := map[pair]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				x := pair{pattern.Draw(t, "pattern"), rapid.IntRange(0, 5).Draw(t, "value")}
				r.Add(x.p, x.v)
				model[x] = true
			},
			"remove": func(t *rapid.T) {
				x := pair{pattern.Draw(t, "pattern"), rapid.IntRange(0, 5).Draw(t, "value")}
				r.Remove(x.p, x.v)
				delete(model, x)
			},
			"": func(t *rapid.T) {
				typ := token.Draw(t, "first")
				for range rapid.IntRange(0, 3).Draw(t, "more") {
					typ += "." + token.Draw(t, "token")
				}
				want := map[int]bool{}
				for x := range model {
					if x.p.Match(typ) {
						want[x.v] = true
					}
				}
				got := r.Match(typ, nil)
				for _, v := range got {
					if !want[v] {
						t.Fatalf("%s: found %v, want %v", typ, got, want)
					}
				}
				if len(got) != len(want) {
					t.Fatalf("%s: found %v, want %v", typ, got, want)
				}
			},
		})
	})
}

func TestRouterHoldsManyPatterns(t *testing.T) {
	var r Router[int]
	for i := range 10_000 {
		r.Add(MustPattern(fmt.Sprintf("shop.%d.>", i)), i)
	}
	if got := r.Match("shop.4711.order.paid", nil); !slices.Equal(got, []int{4711}) {
		t.Errorf("found %v", got)
	}
}
