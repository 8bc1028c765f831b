package web

import (
	"fmt"
	"strings"
	"testing"

	"evrun/cmd/api/shape"
)

// A handler's neighbours are what publishes its types, also through patterns, and who gets what it publishes.
func TestNeighboursOfAHandler(t *testing.T) {
	edge := func(from, how, to string) shape.WiredEdge { return shape.WiredEdge{From: from, To: to, How: how} }
	w := &shape.Wiring{
		Handlers: []shape.WiredHandler{{ID: "handler:charge", Name: "charge"}, {ID: "handler:ship", Name: "ship"}, {ID: "handler:alert", Name: "alert"}},
		Edges: []shape.WiredEdge{
			edge("schedule:pulse", "publishes", "type:order.placed"), edge("hook:shop", "publishes", "type:order.placed"), edge("type:order.placed", "matches", "pattern:order.>"),
			edge("pattern:order.>", "on", "handler:charge"), edge("handler:charge", "emits", "type:order.paid"), edge("type:order.paid", "matches", "pattern:order.>"),
			edge("type:order.paid", "on", "handler:ship"), edge("handler:charge", "on_dead", "type:charge.failed"), edge("type:charge.failed", "on", "handler:alert"),
		},
	}
	s := around(w, "charge")
	var got []string
	for _, n := range s.From {
		got = append(got, fmt.Sprintf("%s %s by %s", n.Kind, n.Name, n.Via))
	}
	for _, n := range s.To {
		got = append(got, fmt.Sprintf("to %s %s by %s %v", n.Kind, n.Name, n.Via, n.Dead))
	}
	want := "handler charge by order.paid, schedule pulse by order.placed, hook shop by order.placed, to handler alert by charge.failed true, to handler charge by order.paid false, to handler ship by order.paid false"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if len(s.Emits) != 2 || around(w, "none") != nil {
		t.Errorf("it emits %v", s.Emits)
	}
}
