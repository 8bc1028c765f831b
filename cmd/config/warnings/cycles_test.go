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
		if always(x) != want {
			t.Errorf("%s: %v", src, !want)
		}
	}
}
