package config

import (
	"maps"
	"reflect"
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/schedule"
)

// testKeys are the keys of a test.
type testKeys struct {
	_      struct{}              `owner:"a test"`
	Name   fields.Scalar         `key:"name,required" other:"id" doc:"The report names it."`
	Clock  *instant              `key:"clock" doc:"What time it is. Default 2026-01-01T00:00:00Z."`
	Users  []userKeys            `key:"users" hint:"begin each with a dash: - {name: …, email: …}" doc:"The users that exist before."`
	Given  []givenItem           `key:"given,required" min:"1" hint:"begin each with a dash: - {type: user.registered, data: {…}}" doc:"The events that come in: [{type: user.registered, data: {…}}]. Each comes when all that the one before caused has ended; those in a list of their own come together."`
	Stubs  map[string][]stubKeys `key:"stubs,one" min:"1" hint:"write a mapping of handlers: {NAME: {fail: no answer}}, with a handler's name" doc:"How outside handlers end, by their names: one outcome, or a list for one attempt after the other."`
	Expect expectKeys            `key:"expect,required" doc:"What must come of it: runs, users, events. What is left out is not looked at."`
}

type userKeys struct {
	_          struct{}       `owner:"a user"`
	Name       string         `key:"name,required" doc:"The user's name."`
	Email      string         `key:"email,required" doc:"The user's e-mail address."`
	Attributes map[string]any `key:"attributes,null" doc:"What else is known."`
}

type givenKeys struct {
	_        struct{}      `owner:"a given event"`
	Type     eventType     `key:"type" doc:"Of the event."`
	Subject  fields.Scalar `key:"subject" doc:"What it is about."`
	ID       fields.Scalar `key:"id" doc:"Its id; the same again is accepted once."`
	Source   fields.Scalar `key:"source" doc:"Where it comes from."`
	Time     instant       `key:"time" doc:"When it happened. Default: the clock."`
	Data     any           `key:"data,null" other:"payload" doc:"Its data."`
	Refused  fields.Scalar `key:"refused" doc:"A part of the reason for which it is refused."`
	Schedule scheduleRef   `key:"schedule" doc:"Instead of a type: a schedule, whose slot comes in."`
	At       instant       `key:"at" doc:"The slot. Default: the first one from the clock on."`
}

type stubKeys struct {
	_         struct{}      `owner:"a stub"`
	Succeed   any           `key:"succeed,null" doc:"It succeeds with this result."`
	Fail      fields.Scalar `key:"fail" doc:"It fails with this error."`
	Permanent bool          `key:"permanent" doc:"There is no further attempt."`
}

type expectKeys struct {
	Runs   []expectedRun   `key:"runs" hint:"write a list; [] for none" doc:"All runs, in any order; [] for none."`
	Users  []expectedUser  `key:"users" hint:"write a list; [] for none" doc:"All users, in any order; [] for none."`
	Events []expectedEvent `key:"events" hint:"write a list; [] for none" doc:"All events that were emitted, in any order; [] for none."`
}

type expectedRun struct {
	_        struct{}       `owner:"an expected run"`
	Handler  handlerRef     `key:"handler,required" doc:"Whose run it is."`
	State    string         `key:"state" enum:"succeeded,skipped,dead" doc:"How it ended."`
	Type     expectedType   `key:"type" doc:"Of its event."`
	Error    fields.Scalar  `key:"error" doc:"A part of its error."`
	Attempts int            `key:"attempts" min:"1" max:"1000000" doc:"How many it took."`
	With     map[string]any `key:"with" doc:"The inputs that count."`
}

type expectedUser struct {
	_          struct{}       `owner:"an expected user"`
	Name       string         `key:"name" doc:"The user's name."`
	Email      string         `key:"email" doc:"The user's e-mail address."`
	Attributes map[string]any `key:"attributes,null" doc:"What else is known."`
}

type expectedEvent struct {
	_       struct{}     `owner:"an expected event"`
	Type    expectedType `key:"type,required" doc:"What it is."`
	Subject string       `key:"subject" doc:"What it is about."`
	Data    any          `key:"data,null" other:"payload" doc:"The keys that count."`
}

// givenItem is an event that comes in, or several that come in together.
type givenItem struct {
	one      givenKeys
	together []givenKeys // nil: one
}

// DecodeField takes the keys of one event, or a list of these.
func (g *givenItem) DecodeField(value any, at *fields.At) {
	list, ok := value.([]any)
	if !ok {
		at.Decode(&g.one, value)
		return
	}
	if len(list) == 0 {
		at.Add(fault.New("this list is empty").Hinting("give it the events that come in together"))
	}
	g.together = []givenKeys{}
	at.Decode(&g.together, value)
	for i := range g.together {
		if given, ok := list[i].(map[string]any); ok && given["refused"] != nil {
			at.Add(&fault.Fault{Path: []any{i, "refused"}, Key: true, Message: "what comes in together is accepted all or none", Hint: "give an event that is refused alone"})
		}
	}
}

// FieldShape describes an event, or a list of events.
func (*givenItem) FieldShape() fields.Shape {
	one := fields.Schema(reflect.TypeFor[givenKeys]())
	return fields.Shape{Words: "map", Tree: true, Fields: fields.Of(reflect.TypeFor[givenKeys]()), Schema: map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one, "minItems": 1}}}}
}

// CheckFields checks which keys a given event may combine; its slot is checked later.
func (k *givenKeys) CheckFields(given map[string]any, at *fields.At) {
	has := func(key string) bool { _, ok := given[key]; return ok }
	switch {
	case has("refused") && k.Refused == "" && given["refused"] == "":
		at.Add(fault.At([]any{"refused"}, `"refused" is empty`).Hinting("give a part of the reason"))
	case at.Wrong():
	case !has("schedule") && !has("type"):
		at.Add(fault.New(`a given event needs "type"`).Hinting("or name a schedule, and it is one of its slots"))
	case !has("schedule") && has("at"):
		at.Add(fault.At([]any{"at"}, `"at" goes with "schedule" only`).Hinting("an event has a time"))
	case has("schedule") && len(given) > 1 && (!has("at") || len(given) > 2):
		at.Add(fault.At([]any{"schedule"}, "a slot's event is made by its schedule").Hinting(`beside "schedule" there can be "at" only`))
	}
}

// CheckFields checks that a stub has one outcome.
func (k *stubKeys) CheckFields(given map[string]any, at *fields.At) {
	_, succeed := given["succeed"]
	_, fail := given["fail"]
	_, permanent := given["permanent"]
	switch {
	case at.Wrong():
	case succeed == fail:
		at.Add(fault.New("a stub either succeeds or fails").Hinting("write succeed: {…} or fail: the error"))
	case fail && k.Fail == "":
		at.Add(fault.At([]any{"fail"}, "the error is empty").Hinting("say what went wrong"))
	case permanent && !fail:
		at.Add(fault.At([]any{"permanent"}, `"permanent" goes with "fail" only`))
	}
}

// CheckFields checks that something is expected.
func (k *expectKeys) CheckFields(given map[string]any, at *fields.At) {
	if len(given) == 0 && !at.Wrong() {
		at.Add(fault.New(`"expect" expects nothing`).Hinting("its keys are runs, users and events"))
	}
}

// handlerRef and scheduleRef name a handler and a schedule of the file.
type (
	handlerRef  struct{ *tasks.Handler }
	scheduleRef struct{ *schedule.Entry }
)

func (h *handlerRef) DecodeField(value any, at *fields.At) {
	h.Handler = referred(value, at, "handler", at.Context.(*wiringReader).knownHandlers)
}

func (s *scheduleRef) DecodeField(value any, at *fields.At) {
	s.Entry = referred(value, at, "schedule", at.Context.(*wiringReader).knownSchedules)
}

// referred returns the handler or schedule that a value names; nil after a fault, and for one that has faults of its own.
func referred[E any](value any, at *fields.At, kind string, known map[string]*E) *E {
	name, ok := at.Scalar(value)
	if ok && known[name] == nil && !at.Context.(*wiringReader).named(kind, name) {
		at.Add(unknownName(kind, name, known))
	}
	return known[name]
}

// FieldShape is that of a name.
func (*handlerRef) FieldShape() fields.Shape { return new(name).FieldShape() }

// FieldShape is that of a name.
func (*scheduleRef) FieldShape() fields.Shape { return new(name).FieldShape() }

// named reports whether the file has a schedule or handler with this name, even a faulty one.
// It may be in a file that could not be read.
func (r *wiringReader) named(kind, name string) bool {
	return r.names[kind+" "+name] != nil || r.incomplete
}

// unknownName is the fault of a name that no schedule or handler has.
func unknownName[E any](kind, name string, known map[string]E) *fault.Fault {
	hint := ""
	if len(known) <= 200 { // else it takes too long to find out
		names := slices.Sorted(maps.Keys(known))
		if w := fields.Closest(name, names); w != "" {
			hint = fault.Suggest(w)
		} else if len(names) > 0 && len(names) <= 10 {
			hint = "there are " + fault.And(names)
		}
	}
	return fault.New("there is no %s %s", kind, fault.Quote(name)).Hinting("%s", hint)
}

// expectedType is the type of an expected event, which may be one of evrun's own. Only the check counts: a [Want] has the value.
type expectedType struct{}

func (*expectedType) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok || !events.Reserved(s) {
		return
	}
	if _, err := emitter.ParsePattern(s); err != nil {
		at.Add(patternFault("the type", err))
	}
}

// FieldShape describes a type as far as an editor can check it.
func (*expectedType) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string"}}
}
