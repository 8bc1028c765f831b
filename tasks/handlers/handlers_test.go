package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store/sqlite/database"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// delivery is an event at a handler.
func delivery(data string) *tasks.Delivery {
	e := &events.Event{Sequence: 7, ID: "e1", Source: "/test", Type: "user.registered", Data: json.RawMessage(data)}
	return &tasks.Delivery{Event: e, Env: expression.NewEnv(e), Handler: "h", RunID: "7-h-abcdefgh", Attempt: 1}
}

// build makes an action from valid inputs.
func build[A any](t testing.TB, kind string, with map[string]any, deps Deps) A {
	t.Helper()
	return buildLogging[A](t, kind, with, deps, slog.New(slog.DiscardHandler))
}

// buildLogging builds an action and opens it as the runner does.
func buildLogging[A any](t testing.TB, kind string, with map[string]any, deps Deps, log *slog.Logger) A {
	t.Helper()
	action, faults := Build(kind, with, deps)
	for _, f := range faults {
		t.Fatal(f)
	}
	if o, ok := action.(tasks.Opener); ok {
		o.Open(tasks.Surroundings{Log: log, OpenDatabase: database.Open})
	}
	return action.(A)
}

func TestEveryKindIsDescribed(t *testing.T) {
	kinds := Kinds()
	if !slices.IsSortedFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the kinds are not in alphabetical order")
	}
	var check func(kind string, inputs []fields.Field)
	check = func(kind string, inputs []fields.Field) {
		for _, in := range inputs {
			if !strings.HasSuffix(in.Doc, ".") || strings.ToUpper(in.Doc[:1]) != in.Doc[:1] {
				t.Errorf("%s: the doc of %s is no sentence: %q", kind, in.Name, in.Doc)
			}
			if in.Default != "" && in.Enum != nil && !slices.Contains(in.Enum, in.Default) {
				t.Errorf("%s: the default of %s is not one of its values", kind, in.Name)
			}
			check(kind, in.Fields)
		}
	}
	for _, k := range kinds {
		if !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: %q", k.Name, k.Doc)
		}
		check(k.Name, k.Inputs)
		if found, ok := Lookup(k.Name); !ok || found.Name != k.Name {
			t.Errorf("%s is not found", k.Name)
		}
		action := k.make(Deps{})
		is := 0
		if _, ok := action.(tasks.Inside); ok {
			is++
		}
		if _, ok := action.(tasks.Outside); ok {
			is++
		}
		if _, ok := action.(tasks.Computed); ok {
			is++
		}
		if is != 1 {
			t.Errorf("%s is an action of %d sorts", k.Name, is)
		}
	}
	if _, ok := Lookup("nothing"); ok {
		t.Error("found a kind that isn't there")
	}
	user, _ := Lookup("user.insert")
	if want := (fields.Field{Name: "email", Type: "text", Default: "${ data.email }", Doc: user.Inputs[1].Doc}); !reflect.DeepEqual(user.Inputs[1], want) {
		t.Errorf("email is %+v", user.Inputs[1])
	}
	if in := user.Inputs[3]; in.Default != "fail" || !slices.Equal(in.Enum, []string{"fail", "ignore", "update"}) {
		t.Errorf("on_conflict is %+v", in)
	}
}

// toldFault is a fault in the form of the tests.
type toldFault struct {
	path      string
	msg, hint string
	key       bool
	offset    int
}

func faultsOf(errs []*fault.Fault) []toldFault {
	var list []toldFault
	for _, e := range errs {
		list = append(list, toldFault{fault.Path(e.Path), e.Message, e.Hint, e.Key, e.Offset})
	}
	return list
}

func TestWrongInputsAreExplained(t *testing.T) {
	for _, test := range []struct {
		kind string
		with map[string]any
		want []toldFault
	}{
		{"user.isnert", nil, []toldFault{{msg: `unknown kind "user.isnert"`, hint: `did you mean "user.insert"?`}}},
		{"teleport", nil, []toldFault{{msg: `unknown kind "teleport"`}}},
		{"http", nil, []toldFault{{msg: `http needs "url"`, hint: "where to"}}},
		{"user.insert", map[string]any{"naem": "x", "name": "x", "email": "x"}, []toldFault{{path: "naem", msg: `unknown key "naem" in user.insert`, hint: `leave it out: "name" is given already`, key: true}}},
		{"user.insert", map[string]any{"colour": "x", "name": "x", "email": "x"}, []toldFault{
			{path: "colour", msg: `unknown key "colour" in user.insert`, hint: "its keys are name, email, attributes and on_conflict", key: true},
		}},
		{"user.insert", map[string]any{"name": nil, "email": []any{"x"}}, []toldFault{
			{path: "name", msg: `"name" has no value`, hint: "give it one, or leave the key out", key: true},
			{path: "email", msg: `"email" must be a text, not a list`},
		}},
		{"user.insert", map[string]any{"name": "a ${ dat.name }", "email": "${ data.email", "on_conflict": "ignroe"}, []toldFault{
			{path: "name", msg: `unknown name "dat"`, hint: `did you mean "data"?`, offset: 5},
			{path: "email", msg: `"${" is not closed`, hint: `close it with "}", or write "$${" for a plain "${"`},
			{path: "on_conflict", msg: `"on_conflict" must be fail, ignore or update, not "ignroe"`, hint: `did you mean "ignore"?`},
		}},
		{"user.insert", map[string]any{"name": "x", "email": "x", "on_conflict": true}, []toldFault{
			{path: "on_conflict", msg: `"on_conflict" must be fail, ignore or update, not "true"`},
		}},
		{"user.insert", map[string]any{"name": "${ result.x }", "email": "x", "attributes": map[string]any{"a": []any{"${ x }", "${}"}}}, []toldFault{
			{path: "name", msg: `unknown name "result"`, hint: `"result" is known in a handler's emit only`, offset: 3},
			{path: "attributes.a[0]", msg: `unknown name "x"`, hint: "write data.x", offset: 3},
			{path: "attributes.a[1]", msg: "the expression is empty", offset: 2},
		}},
		{"log", map[string]any{"message": map[string]any{}, "level": "loud"}, []toldFault{
			{path: "message", msg: `"message" must be a text, not a mapping`},
			{path: "level", msg: `"level" must be debug, info, warn or error, not "loud"`},
		}},
		{"notify", map[string]any{"message": "x", "url": "slack://x"}, []toldFault{
			{path: "url", msg: "invalid slack token format"},
		}},
		{"emit", nil, []toldFault{{msg: "neither type nor events is given", hint: "name the type of the event to emit, or list several under events"}}},
		{"emit", map[string]any{"events": []any{}}, []toldFault{{path: "events", msg: "the list is empty", hint: "list the events to emit"}}},
		{"emit", map[string]any{"events": "x"}, []toldFault{{path: "events", msg: `"events" must be a list, not the text "x"`}}},
		{"emit", map[string]any{"events": []any{"x", map[string]any{"tpye": "a"}, map[string]any{"type": "${"}}}, []toldFault{
			{path: "events[0]", msg: `an event must be a mapping of keys, not the text "x"`, hint: "its keys are type, subject, data and for_each"},
			{path: "events[1].tpye", msg: `unknown key "tpye" in an event`, hint: `did you mean "type"?`, key: true},
			{path: "events[2].type", msg: `"${" is not closed`, hint: `close it with "}", or write "$${" for a plain "${"`},
		}},
		{"emit", map[string]any{"type": "a", "data": nil, "events": []any{map[string]any{"type": "a"}}}, []toldFault{
			{path: "type", msg: "type can't stand beside events", hint: "move it into the list", key: true},
			{path: "data", msg: "data can't stand beside events", hint: "move it into the list", key: true},
		}},
		{"emit", map[string]any{"type": "evrun.x"}, []toldFault{{path: "type", msg: "types under evrun. are evrun's own", hint: "choose another name"}}},
	} {
		action, errs := Build(test.kind, test.with, Deps{})
		if got := faultsOf(errs); !slices.Equal(got, test.want) || action != nil {
			t.Errorf("%s %v:\n got  %+v\n want %+v", test.kind, test.with, got, test.want)
		}
	}
}

func TestAFaultOfAnInputHasPathAndHint(t *testing.T) {
	_, errs := Build("notify", map[string]any{"message": "x", "url": "u"}, Deps{})
	if got, want := errs[0].Error(), "url: it names no service; such as slack://…, telegram://…, smtp://… or generic://…"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNotifyGoesToTheLog(t *testing.T) {
	var out bytes.Buffer
	n := buildLogging[tasks.Computed](t, "notify", map[string]any{"message": "New user ${ data.name }", "title": "${ event.type }"}, Deps{}, captured(&out))
	result, err := n.Compute(delivery(`{"name":"Ada"}`))
	if err != nil || !reflect.DeepEqual(result, map[string]any{"message": "New user Ada", "title": "user.registered"}) {
		t.Fatal(result, err)
	}
	if got, want := out.String(), "level=INFO msg=notification title=user.registered message=\"New user Ada\" handler=h event=e1\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	out.Reset()
	n = buildLogging[tasks.Computed](t, "notify", map[string]any{"message": "hello"}, Deps{}, captured(&out))
	if _, err := n.Compute(delivery(`{}`)); err != nil || out.String() != "level=INFO msg=notification message=hello handler=h event=e1\n" {
		t.Errorf("%s%v", out.String(), err)
	}
}

func TestAMissingValueIsAFaultThatNamesTheInput(t *testing.T) {
	for _, test := range []struct{ kind, input, want string }{
		{"log", "message", "message: data.x is nil"},
		{"notify", "title", "title: data.x is nil"},
		{"user.insert", "name", "name: data.x is nil"},
		{"user.insert", "email", "email: data.x is nil"},
		{"emit", "type", "type: data.x is nil"},
		{"emit", "subject", "subject: data.x is nil"},
	} {
		with := map[string]any{}
		kind, _ := Lookup(test.kind)
		for _, in := range kind.Inputs {
			if in.Required {
				with[in.Name] = "a@b.c"
			}
		}
		switch test.kind {
		case "emit":
			with["type"] = "t"
		case "user.insert":
			with["name"], with["email"] = "a", "a@b.c"
		}
		with[test.input] = "${ data.x }"
		var err error
		switch action := build[any](t, test.kind, with, Deps{}).(type) {
		case tasks.Inside:
			_, err = action.Prepare(delivery(`{}`))
		case tasks.Computed:
			_, err = action.Compute(delivery(`{}`))
		case tasks.Outside:
			_, err = action.Do(context.Background(), delivery(`{}`))
		}
		var e *expression.Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.kind, err, test.want)
		}
	}
}
