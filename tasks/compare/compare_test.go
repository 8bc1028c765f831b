package compare

import (
	"errors"
	"testing"

	"evrun/events"
	"evrun/tasks"
)

// Whoever compares may end it at each handler: an event may have thousands, each of which may take long.
func TestAComparisonEndsBetweenHandlers(t *testing.T) {
	pattern, err := events.ParsePattern("other.type")
	if err != nil {
		t.Fatal(err)
	}
	var handlers []*tasks.Handler
	for _, name := range []string{"a", "b", "c"} {
		handlers = append(handlers, &tasks.Handler{Name: name, On: []events.Pattern{pattern}})
	}
	taken := func(*events.Event) error { return nil }
	c := New(Wiring{Handlers: handlers, Refuses: taken}, Wiring{Handlers: handlers[:2], Refuses: taken})
	e, enough, asked := &events.Event{Type: "a.b", ID: "1", Source: "/t"}, errors.New("enough"), 0
	if err := c.Each(e, func(Difference) error {
		if asked++; asked == 2 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) || asked != 2 || c.Events != 0 {
		t.Errorf("%v after %d handlers, and %d events count as compared", err, asked, c.Events)
	}
	if found := c.Event(e); len(found) != 0 || c.Events != 1 || c.Differ != 0 || len(c.Handlers()) != 3 {
		t.Errorf("%+v, %+v", found, c)
	}
}
