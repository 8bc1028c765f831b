package shape

import (
	"fmt"
	"slices"
	"testing"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// Pages of types have each once, whether the wiring names it, the journal has it, or both.
func TestPagesOfTypes(t *testing.T) {
	on := func(patterns ...string) (list []events.Pattern) {
		for _, p := range patterns {
			list = append(list, events.MustPattern(p))
		}
		return list
	}
	types := NewTypes([]emitter.EventType{{Type: "b", Description: "B.", Final: true}, {Type: "e"}},
		[]*tasks.Handler{{Name: "h", On: on("d", "x.>")}, {Name: "all", On: on(">")}})
	stored := []string{"a", "b", "c", "x.y"}
	for limit := 1; limit < 9; limit++ {
		var got []string
		for from := ""; ; {
			seen := slices.DeleteFunc(slices.Clone(stored), func(s string) bool { return s < from })
			page := types.Page(seen[:min(len(seen), limit+1)], from, limit)
			for _, e := range page.Types {
				got = append(got, fmt.Sprintf("%s:%v:%v:%d", e.Type, e.Seen, e.Declared, len(e.Handlers)))
			}
			if from = page.Next; from == "" {
				break
			}
		}
		if want := "[a:true:false:1 b:true:true:1 c:true:false:1 d:false:false:2 e:false:true:1 x.y:true:false:2]"; fmt.Sprint(got) != want {
			t.Errorf("limit %d: %v, want %s", limit, got, want)
		}
	}
	if own := types.Of(events.TypeRunDead, false); !own.Own || own.Description == "" {
		t.Errorf("%+v", own)
	}
}
