package clustertest

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// good is a history in which every promise was kept.
func good() *history {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := &history{sent: map[string]sent{}, slots: map[string][]time.Time{}, every: map[string]time.Duration{"tick": time.Second}}
	for n := range 50 {
		for key := range 4 {
			id, k := fmt.Sprintf("%d-%d", key, n), fmt.Sprint(key)
			h.sent[id] = sent{key: k, n: n, first: start, acked: start.Add(time.Millisecond)}
			h.effects = append(h.effects, effect{id, k, n})
		}
		h.slots["tick"] = append(h.slots["tick"], start.Add(time.Duration(n)*time.Second))
	}
	return h
}

// The checker finds what is planted, and nothing else.
func TestTheCheckerFindsWhatIsPlanted(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(*history)
		want  map[string]int
	}{
		{"nothing", func(*history) {}, map[string]int{}},
		{"a lost event", func(h *history) { h.effects = append(h.effects[:77:77], h.effects[78:]...) }, map[string]int{lost: 1}},
		{"the last event is lost", func(h *history) { h.effects = h.effects[:len(h.effects)-1] }, map[string]int{lost: 1}},
		{"an event that was not acknowledged has no effect", func(h *history) {
			h.sent["x"] = sent{key: "0", n: 50}
		}, map[string]int{}},
		{"an event that was not acknowledged has an effect", func(h *history) {
			h.sent["x"] = sent{key: "0", n: 50}
			h.effects = append(h.effects, effect{"x", "0", 50})
		}, map[string]int{}},
		{"a doubled effect", func(h *history) { h.effects = append(h.effects, h.effects[len(h.effects)-1]) }, map[string]int{doubled: 1}},
		{"an effect that comes again much later", func(h *history) { h.effects = append(h.effects, h.effects[3]) }, map[string]int{doubled: 1, reordered: 1}},
		{"two events of a key are exchanged", func(h *history) { h.effects[40], h.effects[44] = h.effects[44], h.effects[40] }, map[string]int{reordered: 1}},
		{"events of two keys are exchanged", func(h *history) { h.effects[40], h.effects[41] = h.effects[41], h.effects[40] }, map[string]int{}},
		{"an effect of nothing", func(h *history) { h.effects = append(h.effects, effect{"ghost", "9", 0}) }, map[string]int{unsent: 1}},
		{"a slot was missed", func(h *history) { h.slots["tick"] = append(h.slots["tick"][:9:9], h.slots["tick"][10:]...) }, map[string]int{missed: 1}},
		{"a slot fired twice", func(h *history) { h.slots["tick"] = append(h.slots["tick"], h.slots["tick"][9]) }, map[string]int{fired: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := good()
			c.plant(h)
			if list := h.check(); !maps.Equal(counts(list), c.want) {
				t.Errorf("%v, want %v", list, c.want)
			}
		})
	}
}
