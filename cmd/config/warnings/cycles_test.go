package warnings

import (
	"testing"

	"evrun/tasks/expression"
)

func TestAnAlwaysTrueConditionEndsNoRound(t *testing.T) {
	for src, want := range map[string]bool{"true": true, "1 == 1": true, "false": false, "data.x": false} {
		x, err := expression.Compile(src, expression.HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		if new(finder).always(x) != want {
			t.Errorf("%s: %v", src, !want)
		}
	}
}

// Of thousands of conditions that take as long as they may, the first are evaluated, and the others count as unknown.
func TestConstantConditionsTakeABoundedTime(t *testing.T) {
	f := &finder{}
	known := 0
	for range 500 {
		x, err := expression.Compile("all(0..20000, # >= 0)", expression.HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := f.constant(x); ok {
			known++
		}
		if first, again := f.always(x), f.always(x); first != again {
			t.Error("the same condition has two values")
		}
	}
	if known == 0 || known == 500 {
		t.Errorf("%d of 500 were evaluated", known)
	}
}
