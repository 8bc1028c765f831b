package config

import (
	"fmt"
	"strings"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/tasks"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
	"evrun/tasks/schedule"
)

// Test is one of the file's tests: the users that exist before, the events that come in, and what is expected of the wiring.
type Test struct {
	Name  string
	Place string    // file:line
	Clock time.Time // the time; default DefaultClock
	Users []Want    // users that exist before: name, email, attributes
	Given []Given   // in order; each comes when everything that the previous one caused has ended
	// Stubs are the outcomes of outside handlers, by name: of the first call, the second, …; the last one is repeated. A handler without stubs
	// succeeds with no result.
	Stubs map[string][]Stub
	// The expectations; nil: not checked. A list must be complete, in any order; of a mapping only the given keys are compared.
	Runs, ExpectedUsers, Events *Wants
}

// DefaultClock is the time in a test without a clock, so that the test's result is the same every day.
var DefaultClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Given is an event that comes in, or a slot of a schedule.
type Given struct {
	Place                     string
	Type, Subject, ID, Source string
	Time                      time.Time // zero: the clock
	Data                      any       // nil: none
	Schedule                  *schedule.Entry
	At                        time.Time // the slot
	Refused                   string    // a part of the refusal's reason; empty: the event must be accepted
	// Together, when not nil, holds events that come in at once, in one transaction; then only Place is set besides.
	Together []Given
}

// Stub is how a call of an outside handler ends.
type Stub struct {
	Result    any
	Error     string // empty: it succeeded
	Permanent bool   // no further attempt
}

// Wants is a list of expectations.
type Wants struct {
	Place string
	List  []Want
}

// Want is one expectation: the keys and values to compare.
type Want struct {
	Value map[string]any
	doc   *document
	node  *yaml.Node
}

// Place returns the place, file:line, of the part at a path. If the path leads nowhere, it returns the place of the last part on the path.
func (w Want) Place(path ...any) string {
	n, name, _ := w.node.Follow(path)
	if name != nil {
		n = name
	}
	return w.doc.placeOf(n)
}

// wiringTests reads the tests. The handlers and schedules must have been read.
func (r *wiringReader) wiringTests(n *yaml.Node, w *Wiring) []*Test {
	r.knownHandlers, r.knownSchedules = map[string]*tasks.Handler{}, map[string]*schedule.Entry{}
	for _, h := range w.Handlers {
		r.knownHandlers[h.Name] = h
	}
	for _, s := range w.Schedules {
		r.knownSchedules[s.Name] = s
	}
	var tests []*Test
	r.sequence(n, "tests", "begin each with a dash: - name: …", func(n *yaml.Node) {
		tests = append(tests, r.wiringTest(n))
	})
	return tests
}

func (r *wiringReader) wiringTest(n *yaml.Node) *Test {
	var k testKeys
	r.decode(n, &k, r)
	t := &Test{Place: r.placeOf(n), Name: string(k.Name), Clock: DefaultClock, Stubs: map[string][]Stub{}}
	if k.Clock != nil {
		t.Clock = k.Clock.UTC()
	}
	r.testName(n, t.Name)
	r.stubs(n, &k, t)
	_, given := n.Lookup("given")
	for i := range k.Given {
		at, _, _ := given.Follow([]any{i})
		t.Given = append(t.Given, r.given(at, &k.Given[i], t.Clock))
	}
	_, users := n.Lookup("users")
	t.Users = r.wants(users)
	_, expect := n.Lookup("expect")
	for key, to := range map[string]**Wants{"runs": &t.Runs, "users": &t.ExpectedUsers, "events": &t.Events} {
		if expect == nil {
			continue
		}
		if _, list := expect.Lookup(key); list != nil {
			*to = &Wants{Place: r.placeOf(list), List: r.wants(list)}
		}
	}
	return t
}

// testName checks a test's name.
func (r *wiringReader) testName(n *yaml.Node, name string) {
	_, at := n.Lookup("name")
	if at == nil || at.Kind != yaml.Scalar || at.Null() {
		return
	}
	if strings.TrimSpace(name) == "" {
		r.at(at, "the name is empty", "say what the test shows")
		return
	}
	r.unique(n, "test", name)
}

// stubs takes the outcomes of outside handlers.
func (r *wiringReader) stubs(n *yaml.Node, k *testKeys, t *Test) {
	_, stubs := n.Lookup("stubs")
	for i := 0; stubs != nil && stubs.Kind == yaml.Mapping && i < len(stubs.Content) && !r.full(); i += 2 {
		key := stubs.Content[i]
		if h := r.knownHandlers[key.Value]; h != nil {
			if !tasks.Stubbed(h.Action) {
				r.at(key, fmt.Sprintf("%s runs for real in a test: its outcome can't be given", h.Kind), "stubs are for kinds that act on the outside: "+fault.And(handlers.StubbedNames()))
			}
		} else if !r.named("handler", key.Value) {
			r.report(key, unknownName("handler", key.Value, r.knownHandlers))
		}
		for _, s := range k.Stubs[key.Value] {
			t.Stubs[key.Value] = append(t.Stubs[key.Value], Stub{Result: s.Succeed, Error: string(s.Fail), Permanent: s.Permanent})
		}
	}
}

// given reads an event or a slot, or events that come in together.
func (r *wiringReader) given(n *yaml.Node, item *givenItem, clock time.Time) Given {
	if item.together == nil {
		return r.givenEvent(n, &item.one, clock)
	}
	g := Given{Place: r.placeOf(n), Together: []Given{}}
	for i := range item.together {
		at, _, _ := n.Follow([]any{i})
		g.Together = append(g.Together, r.givenEvent(at, &item.together[i], clock))
	}
	return g
}

func (r *wiringReader) givenEvent(n *yaml.Node, k *givenKeys, clock time.Time) Given {
	g := Given{
		Place: r.placeOf(n), Type: string(k.Type), Subject: string(k.Subject), ID: string(k.ID), Source: string(k.Source), Time: k.Time.Time,
		Data: k.Data, Refused: string(k.Refused), Schedule: k.Schedule.Entry, At: k.At.Time,
	}
	if g.Schedule == nil {
		return g
	}
	_, scheduled := n.Lookup("schedule")
	_, slot := n.Lookup("at")
	at, place := g.At, slot
	if slot == nil {
		at, place = clock, scheduled
	}
	next, ok := g.Schedule.Timing.Next(at.Add(-time.Nanosecond))
	switch {
	case slot != nil && at.IsZero(): // it is not a time
	case !ok:
		r.at(place, fmt.Sprintf("the schedule has no slot at or after %s", at.Format(time.RFC3339Nano)), "")
	case slot != nil && !next.Equal(at):
		r.at(slot, "the schedule has no slot then", "the next one is "+next.Format(time.RFC3339Nano))
	}
	g.At = next
	return g
}

// wants returns the expectations of a list, in the order of the file.
func (r *wiringReader) wants(list *yaml.Node) []Want {
	if list == nil || list.Kind != yaml.Sequence {
		return nil
	}
	var wants []Want
	for _, n := range list.Content {
		v, _ := r.value(n).(map[string]any)
		wants = append(wants, Want{Value: v, doc: r.document, node: n})
	}
	return wants
}
