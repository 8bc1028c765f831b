package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
	"evrun/tasks/schedule"
)

// Test is one of the file's tests: what is there, what comes in, and what is expected of the wiring.
type Test struct {
	Name  string
	Place string    // file:line
	Clock time.Time // what time it is; default DefaultClock
	Users []Want    // there before: name, email, attributes
	Given []Given   // in order, each when all that the one before caused has ended
	// Stubs are the outcomes of outside handlers, by name: that of the first call, the second, …; the last one stays.
	// A handler without succeeds with nothing.
	Stubs map[string][]Stub
	// What is expected; nil: not looked at. Lists are in any order and complete, mappings have the keys that count.
	Runs, ExpectedUsers, Events *Wants
}

// DefaultClock is the time in a test that names none, so that it goes the same every day.
var DefaultClock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Given is an event that comes in, or a slot of a schedule.
type Given struct {
	Place                     string
	Type, Subject, ID, Source string
	Time                      time.Time // zero: the clock
	Data                      any       // nil: none
	Schedule                  *schedule.Entry
	At                        time.Time // the slot
	Refused                   string    // a part of the reason why it is refused; empty: it is accepted
	// Together, when not nil, are events that come in at once, in one transaction; then nothing else is set but Place.
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

// Want is one expectation: the keys and the values that count.
type Want struct {
	Value map[string]any
	doc   *document
	node  *yaml.Node
}

// Place is where a part of it stands: file:line. A path that leads nowhere gives the place of where it ends.
func (w Want) Place(path ...any) string {
	n, name, _ := follow(w.node, path)
	if name != nil {
		n = name
	}
	return w.doc.placeOf(n)
}

func (d *document) placeOf(n *yaml.Node) string { return fmt.Sprintf("%s:%d", d.name, d.line(n)) }

// testReader reads the tests of a file.
type testReader struct {
	*wiringReader
	handlers  map[string]*tasks.Handler
	schedules map[string]*schedule.Entry
}

// wiringTests reads the tests, when the handlers and schedules that they name are known.
func (r *wiringReader) wiringTests(n *yaml.Node, w *Wiring) []*Test {
	var tests []*Test
	t := &testReader{wiringReader: r, handlers: map[string]*tasks.Handler{}, schedules: map[string]*schedule.Entry{}}
	for _, h := range w.Handlers {
		t.handlers[h.Name] = h
	}
	for _, s := range w.Schedules {
		t.schedules[s.Name] = s
	}
	r.sequence(n, "tests", "begin each with a dash: - name: …", func(n *yaml.Node) {
		tests = append(tests, t.wiringTest(n))
	})
	return tests
}

func (r *testReader) wiringTest(n *yaml.Node) *Test {
	t := &Test{Place: r.placeOf(n), Clock: DefaultClock, Stubs: map[string][]Stub{}}
	var given *yaml.Node
	r.mapping(n, "a test", []key{
		{name: "name", required: "the report names it", read: func(n *yaml.Node) { t.Name = r.testName(n) }},
		{name: "clock", read: func(n *yaml.Node) {
			if clock, ok := r.instant(n, "clock"); ok {
				t.Clock = clock.UTC()
			}
		}},
		{name: "users", read: func(n *yaml.Node) {
			r.sequence(n, "users", "begin each with a dash: - {name: …, email: …}", func(n *yaml.Node) { t.Users = append(t.Users, r.user(n, true)) })
		}},
		{name: "given", required: "the events that come in: [{type: user.registered, data: {…}}]", read: func(n *yaml.Node) { given = n }},
		{name: "stubs", read: func(n *yaml.Node) { r.stubs(n, t.Stubs) }},
		{name: "expect", required: "what is to come of it: runs, users, events", read: func(n *yaml.Node) { r.expectations(n, t) }},
	})
	if given != nil { // after the clock, which slots are counted from
		if given.Kind == yaml.Sequence && len(given.Content) == 0 {
			r.at(given, `"given" is an empty list`, "give it an event, or a schedule's slot")
		}
		r.sequence(given, "given", "begin each with a dash: - {type: user.registered, data: {…}}", func(n *yaml.Node) {
			if n.Kind != yaml.Sequence {
				t.Given = append(t.Given, r.given(n, t.Clock))
				return
			}
			t.Given = append(t.Given, r.together(n, t.Clock))
		})
	}
	return t
}

func (r *testReader) testName(n *yaml.Node) string {
	s, ok := r.literal(n, "name")
	switch first := r.names["test "+s]; {
	case !ok:
	case strings.TrimSpace(s) == "":
		r.at(n, "the name is empty", "say what the test shows")
	case first != nil:
		r.at(n, fmt.Sprintf("two tests are named %q", clip(s)), fmt.Sprintf("the first is on line %d", r.line(first)))
	default:
		r.names["test "+s] = n
	}
	return s
}

// together reads events that come in at once.
func (r *testReader) together(n *yaml.Node, clock time.Time) Given {
	g := Given{Place: r.placeOf(n), Together: []Given{}}
	if len(n.Content) == 0 {
		r.at(n, "this list is empty", "give it the events that come in together")
	}
	r.sequence(n, "given", "", func(n *yaml.Node) {
		one := r.given(n, clock)
		if refused, _ := lookup(n, "refused"); refused != nil {
			r.at(refused, "what comes in together is accepted all or none", "give an event that is refused alone")
		}
		g.Together = append(g.Together, one)
	})
	return g
}

// given reads an event, or a slot.
func (r *testReader) given(n *yaml.Node, clock time.Time) Given {
	g := Given{Place: r.placeOf(n)}
	var slot, scheduled, typed *yaml.Node
	before := len(r.faults)
	whole := r.mapping(n, "a given event", []key{
		{name: "type", read: func(n *yaml.Node) {
			typed = n
			if g.Type, _ = r.text(n, "type"); g.Type != "" {
				r.checkType(n, g.Type)
			}
		}},
		{name: "subject", read: func(n *yaml.Node) { g.Subject, _ = r.literal(n, "subject") }},
		{name: "id", read: func(n *yaml.Node) { g.ID, _ = r.literal(n, "id") }},
		{name: "source", read: func(n *yaml.Node) { g.Source, _ = r.literal(n, "source") }},
		{name: "time", read: func(n *yaml.Node) { g.Time, _ = r.instant(n, "time") }},
		{name: "data", nullable: true, read: func(n *yaml.Node) { g.Data = r.value(n) }},
		{name: "refused", read: func(n *yaml.Node) {
			if g.Refused, _ = r.literal(n, "refused"); g.Refused == "" && !n.Broken {
				r.at(n, `"refused" is empty`, "give a part of the reason")
			}
		}},
		{name: "schedule", read: func(n *yaml.Node) { scheduled, g.Schedule = n, r.scheduleNamed(n) }},
		{name: "at", read: func(n *yaml.Node) { slot = n; g.At, _ = r.instant(n, "at") }},
	})
	switch {
	case !whole || len(r.faults) > before:
	case scheduled == nil && typed == nil:
		r.head(n, `a given event needs "type"`, "or name a schedule, and it is one of its slots")
	case scheduled == nil && slot != nil:
		r.at(slot, `"at" goes with "schedule" only`, "an event has a time")
	case scheduled != nil && len(n.Content) > 2 && (slot == nil || len(n.Content) > 4):
		r.at(scheduled, "a slot's event is made by its schedule", `beside "schedule" there can be "at" only`)
	case g.Schedule != nil:
		at := g.At
		if slot == nil {
			at, slot = clock, scheduled
		}
		next, ok := g.Schedule.Timing.Next(at.Add(-time.Nanosecond))
		switch given, _ := lookup(n, "at"); {
		case !ok:
			r.at(slot, fmt.Sprintf("the schedule has no slot at or after %s", at.Format(time.RFC3339Nano)), "")
		case given != nil && !next.Equal(at):
			r.at(slot, "the schedule has no slot then", "the next one is "+next.Format(time.RFC3339Nano))
		}
		g.At = next
	}
	return g
}

func (r *testReader) scheduleNamed(n *yaml.Node) *schedule.Entry {
	s, ok := r.literal(n, "schedule")
	if !ok {
		return nil
	}
	e := r.schedules[s]
	if e == nil {
		unknownName(r, n, "schedule", s, r.schedules)
	}
	return e
}

func (r *testReader) handlerNamed(n *yaml.Node) *tasks.Handler {
	s, ok := r.literal(n, "handler")
	if !ok {
		return nil
	}
	h := r.handlers[s]
	if h == nil {
		unknownName(r, n, "handler", s, r.handlers)
	}
	return h
}

// unknownName notes that there is no such schedule or handler; unless there is one that has a fault of its own.
func unknownName[E any](r *testReader, n *yaml.Node, kind, name string, known map[string]E) {
	if r.names[kind+" "+name] != nil {
		return
	}
	hint := ""
	if len(known) <= 200 { // else it takes too long to find out
		names := slices.Sorted(maps.Keys(known))
		if w := closest(name, names); w != "" {
			hint = didYouMean(w)
		} else if len(names) > 0 && len(names) <= 10 {
			hint = "there are " + enumerate(names, "and")
		}
	}
	r.at(n, fmt.Sprintf("there is no %s %q", kind, clip(name)), hint)
}

// stubs reads how outside handlers end.
func (r *testReader) stubs(n *yaml.Node, to map[string][]Stub) {
	if n.Kind != yaml.Mapping {
		if !n.Broken {
			r.at(n, `"stubs" must be a mapping of handlers, not `+describe(n), "write call-api: {fail: no answer}")
		}
		return
	}
	for i := 0; i < len(n.Content) && !r.full(); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		h := r.handlerNamed(name)
		if h != nil {
			if _, outside := h.Action.(tasks.Outside); !outside {
				r.at(name, fmt.Sprintf("%s runs for real in a test: its outcome can't be given", h.Kind), "stubs are for kinds that act on the outside: "+fault.And(handlers.OutsideKinds()))
			}
		}
		r.oneOrMore(value, "stubs", func(n *yaml.Node) { to[name.Value] = append(to[name.Value], r.stub(n)) })
	}
}

func (r *testReader) stub(n *yaml.Node) Stub {
	var s Stub
	var succeed, fail, permanent *yaml.Node
	if !r.mapping(n, "a stub", []key{
		{name: "succeed", nullable: true, read: func(n *yaml.Node) { succeed, s.Result = n, r.value(n) }},
		{name: "fail", read: func(n *yaml.Node) { fail = n; s.Error, _ = r.literal(n, "fail") }},
		{name: "permanent", read: func(n *yaml.Node) { permanent = n; s.Permanent = r.choice(n, "permanent", "true", "false") == "true" }},
	}) {
		return s
	}
	switch {
	case (succeed == nil) == (fail == nil):
		r.head(n, "a stub either succeeds or fails", "write succeed: {…} or fail: the error")
	case fail != nil && s.Error == "":
		r.at(fail, "the error is empty", "say what went wrong")
	case permanent != nil && fail == nil:
		r.at(permanent, `"permanent" goes with "fail" only`, "")
	}
	return s
}

// expectations reads what is to come of a test.
func (r *testReader) expectations(n *yaml.Node, t *Test) {
	list := func(name string, to **Wants, one func(*yaml.Node) Want) key {
		return key{name: name, read: func(n *yaml.Node) {
			*to = &Wants{Place: r.placeOf(n)}
			r.sequence(n, name, "write a list; [] for none", func(n *yaml.Node) { (*to).List = append((*to).List, one(n)) })
		}}
	}
	before := len(r.faults)
	if r.mapping(n, `"expect"`, []key{
		list("runs", &t.Runs, func(n *yaml.Node) Want { return r.expectedRun(n) }),
		list("users", &t.ExpectedUsers, func(n *yaml.Node) Want { return r.user(n, false) }),
		list("events", &t.Events, r.expectedEvent),
	}) && len(r.faults) == before && t.Runs == nil && t.ExpectedUsers == nil && t.Events == nil {
		r.at(n, `"expect" expects nothing`, "its keys are runs, users and events")
	}
}

// want gives an expectation as it stands in the file.
func (r *testReader) want(n *yaml.Node) Want {
	v, _ := r.value(n).(map[string]any)
	return Want{Value: v, doc: r.document, node: n}
}

func (r *testReader) expectedRun(n *yaml.Node) Want {
	states := []string{store.Succeeded.String(), store.Skipped.String(), store.Dead.String()}
	anyText := func(name string) key { return key{name: name, read: func(n *yaml.Node) { r.literal(n, name) }} }
	r.mapping(n, "an expected run", []key{
		{name: "handler", required: "whose run it is", read: func(n *yaml.Node) { r.handlerNamed(n) }},
		{name: "state", read: func(n *yaml.Node) { r.choice(n, "state", states...) }},
		{name: "type", read: r.expectedType},
		anyText("error"),
		{name: "attempts", read: func(n *yaml.Node) { r.integer(n, "attempts", 1_000_000) }},
		{name: "with", read: func(n *yaml.Node) {
			if n.Kind != yaml.Mapping {
				r.at(n, `"with" must be a mapping of inputs, not `+describe(n), "")
			}
		}},
	})
	return r.want(n)
}

// expectedType reads a type of event that is looked for, as a pattern is: evrun's own types are known.
func (r *testReader) expectedType(n *yaml.Node) {
	s, ok := r.text(n, "type")
	if !ok || !events.Reserved(s) {
		return
	}
	_, err := tasks.ParsePattern(s)
	r.pattern(n, "the type", err)
}

func (r *testReader) expectedEvent(n *yaml.Node) Want {
	r.mapping(n, "an expected event", []key{
		{name: "type", required: "what it is", read: r.expectedType},
		{name: "subject", read: func(n *yaml.Node) { r.text(n, "subject") }},
		{name: "data", nullable: true, read: func(*yaml.Node) {}},
	})
	return r.want(n)
}

// user reads a user that is there before (whole), or that is expected.
func (r *testReader) user(n *yaml.Node, whole bool) Want {
	what, needed := "an expected user", ""
	if whole {
		what, needed = "a user", "a user has one"
	}
	r.mapping(n, what, []key{
		{name: "name", required: needed, read: func(n *yaml.Node) { r.text(n, "name") }},
		{name: "email", required: needed, read: func(n *yaml.Node) { r.text(n, "email") }},
		{name: "attributes", nullable: true, read: func(n *yaml.Node) {
			if n.Kind != yaml.Mapping && !n.Null() {
				r.at(n, `"attributes" must be a mapping, not `+describe(n), "")
			}
		}},
	})
	return r.want(n)
}
