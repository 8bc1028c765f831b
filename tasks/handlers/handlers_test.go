package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store/sqlite"
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

// build makes an action that must be right.
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
		o.Open(tasks.Surroundings{Log: log, OpenDatabase: sqlite.OpenDatabase})
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
	if want := (fields.Field{Name: "email", Type: "text", Required: true, Doc: user.Inputs[1].Doc}); !reflect.DeepEqual(user.Inputs[1], want) {
		t.Errorf("email is %+v", user.Inputs[1])
	}
	if in := user.Inputs[3]; in.Default != "fail" || !slices.Equal(in.Enum, []string{"fail", "ignore", "update"}) {
		t.Errorf("on_conflict is %+v", in)
	}
}

// fault is an InputError as the tests write it.
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
		{"user.insert", nil, []toldFault{
			{msg: `user.insert needs "name"`, hint: "the user's name"},
			{msg: `user.insert needs "email"`, hint: "the user's e-mail address"},
		}},
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
			{path: "attributes.a[0]", msg: `unknown name "x"`, offset: 3},
			{path: "attributes.a[1]", msg: "the expression is empty", offset: 2},
		}},
		{"log", map[string]any{"message": map[string]any{}, "level": "loud"}, []toldFault{
			{path: "message", msg: `"message" must be a text, not a mapping`},
			{path: "level", msg: `"level" must be debug, info, warn or error, not "loud"`},
		}},
		{"notify", map[string]any{"message": "x", "url": "slack://x"}, []toldFault{
			{path: "url", msg: "invalid slack token format"},
		}},
		{"emit", nil, []toldFault{{msg: "neither type nor events is there", hint: "name the type of the event to emit, or list several under events"}}},
		{"emit", map[string]any{"events": []any{}}, []toldFault{{path: "events", msg: "the list is empty", hint: "list the events to emit"}}},
		{"emit", map[string]any{"events": "x"}, []toldFault{{path: "events", msg: `"events" must be a list, not the text "x"`}}},
		{"emit", map[string]any{"events": []any{"x", map[string]any{"tpye": "a"}, map[string]any{"type": "${"}}}, []toldFault{
			{path: "events[0]", msg: `an event must be a mapping of keys, not the text "x"`, hint: "its keys are type, subject and data"},
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

func TestATypeThatIsWrittenOutHasToBeGood(t *testing.T) {
	_, errs := Build("emit", map[string]any{"events": []any{map[string]any{"type": "a"}, map[string]any{"type": "a..b"}}}, Deps{})
	if len(errs) != 1 || fault.Path(errs[0].Path) != "events[1].type" || errs[0].Message == "" {
		t.Errorf("%v", errs)
	}
	if _, errs := Build("emit", map[string]any{"type": "${ data.type }"}, Deps{}); errs != nil {
		t.Errorf("%v", errs)
	}
}

func TestAFaultOfAnInputHasPathAndHint(t *testing.T) {
	_, errs := Build("notify", map[string]any{"message": "x", "url": "u"}, Deps{})
	if got, want := errs[0].Error(), "url: it names no service; such as slack://…, telegram://…, smtp://… or generic://…"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// sample has an input of each type; the kinds to come use them.
type sample struct {
	Every  time.Duration                   `key:"every" default:"30s" doc:"D."`
	Count  int                             `key:"count" doc:"D."`
	Loud   bool                            `key:"loud" doc:"D."`
	Args   []*expression.Template          `key:"args" doc:"D."`
	Header map[string]*expression.Template `key:"header" doc:"D."`
	Text   *expression.Template            `key:"text" doc:"D."`
	Plain  string                          `key:"plain" doc:"D."`
}

func decodeSample(with map[string]any) (sample, []toldFault) {
	var s sample
	return s, faultsOf(fields.Decode(&s, with, fields.Options{Owner: "sample", Context: expression.HandlerWith}))
}

func TestInputsOfEveryType(t *testing.T) {
	s, faults := decodeSample(map[string]any{
		"every": "1m30s", "count": int64(3), "loud": true, "args": []any{"-x", int64(5), "${ data.a }"}, "header": map[string]any{"A": "b", "N": 1.5},
		"text": false, "plain": "${ as it is",
	})
	if faults != nil {
		t.Fatal(faults)
	}
	texts := func(ts ...*expression.Template) (list []string) {
		for _, t := range ts {
			list = append(list, t.String())
		}
		return list
	}
	if s.Every != 90*time.Second || s.Count != 3 || !s.Loud || s.Plain != "${ as it is" ||
		!slices.Equal(texts(s.Args...), []string{"-x", "5", "${ data.a }"}) ||
		!slices.Equal(texts(s.Header["A"], s.Header["N"], s.Text), []string{"b", "1.5", "false"}) {
		t.Errorf("%+v", s)
	}
	if s, faults := decodeSample(map[string]any{"args": "one"}); faults != nil || len(s.Args) != 1 || s.Every != 30*time.Second {
		t.Errorf("%+v, %v", s, faults)
	}
	if s, faults := decodeSample(map[string]any{"args": int64(5)}); faults != nil || len(s.Args) != 1 || s.Args[0].String() != "5" {
		t.Errorf("%+v, %v", s, faults)
	}
	if s, faults := decodeSample(map[string]any{"text": float64(1000000)}); faults != nil || s.Text.String() != "1000000" {
		t.Errorf("%+v, %v", s, faults)
	}
}

func TestWrongInputsOfEveryType(t *testing.T) {
	for _, test := range []struct {
		with map[string]any
		want []toldFault
	}{
		{map[string]any{"every": int64(5)}, []toldFault{{path: "every", msg: `"every": a duration needs a unit`, hint: "write 5s, if seconds are meant"}}},
		{map[string]any{"every": true}, []toldFault{{path: "every", msg: `"every": "true" is not a valid duration`, hint: "write it with its unit: 500ms, 5s, 10m, 2h or 30d"}}},
		{map[string]any{"every": "soon"}, []toldFault{{path: "every", msg: `"every": "soon" is not a valid duration`, hint: "write it with its unit: 500ms, 5s, 10m, 2h or 30d"}}},
		{map[string]any{"every": "-1s"}, []toldFault{{path: "every", msg: `"every": a duration can't be negative`}}},
		{map[string]any{"count": "3"}, []toldFault{{path: "count", msg: `"count" must be a whole number, not the text "3"`}}},
		{map[string]any{"count": 1.5}, []toldFault{{path: "count", msg: `"count" must be a whole number, not the number 1.5`}}},
		{map[string]any{"count": uint64(1) << 63}, []toldFault{{path: "count", msg: `"count" can be 9223372036854775807 at most`}}},
		{map[string]any{"loud": "yes"}, []toldFault{{path: "loud", msg: `"loud" must be true or false, not the text "yes"`, hint: "write true"}}},
		{map[string]any{"args": map[string]any{}}, []toldFault{{path: "args", msg: `"args" must be a text or a list, not a mapping`}}},
		{map[string]any{"args": []any{"a", nil, "${ x }"}}, []toldFault{
			{path: "args[1]", msg: `an item of "args" is empty`, hint: "leave its dash out", key: true}, {path: "args[2]", msg: `unknown name "x"`, offset: 3},
		}},
		{map[string]any{"args": "${"}, []toldFault{{path: "args", msg: `"${" is not closed`, hint: `close it with "}", or write "$${" for a plain "${"`}}},
		{map[string]any{"header": []any{}}, []toldFault{{path: "header", msg: `"header" must be a mapping, not a list`}}},
		{map[string]any{"header": map[string]any{"a": "${}"}}, []toldFault{{path: "header.a", msg: "the expression is empty", offset: 2}}},
		{map[string]any{"plain": int64(1)}, []toldFault{{path: "plain", msg: `"plain" must be a text, not the number 1`, hint: `quote it: "1"`}}},
		{map[string]any{"other": int64(1)}, []toldFault{{path: "other", msg: `unknown key "other" in sample`, hint: "its keys are every, count, loud, args, header, text and plain", key: true}}},
	} {
		if _, got := decodeSample(test.with); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got  %+v\n want %+v", test.with, got, test.want)
		}
	}
}

// captured is a logger that keeps its lines, without the time.
func captured(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func TestLogWritesALine(t *testing.T) {
	for level, want := range map[any]string{nil: "INFO", "debug": "DEBUG", "info": "INFO", "warn": "WARN", "error": "ERROR"} {
		var out bytes.Buffer
		with := map[string]any{"message": "hello ${ data.name }"}
		if level != nil {
			with["level"] = level
		}
		l := buildLogging[tasks.Outside](t, "log", with, Deps{}, captured(&out))
		result, err := l.Do(context.Background(), delivery(`{"name":"A\nda"}`))
		if err != nil || !reflect.DeepEqual(result, map[string]any{"message": "hello A\nda"}) {
			t.Fatal(result, err)
		}
		if got, want := out.String(), fmt.Sprintf("level=%s msg=\"hello A\\nda\" handler=h event=e1 seq=7\n", want); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Whatever an expression makes of an event, a line of the log stays short.
func TestALineOfTheLogIsCut(t *testing.T) {
	for kind, want := range map[string]string{"log": "msg", "notify": "message"} {
		var out bytes.Buffer
		a := buildLogging[tasks.Outside](t, kind, map[string]any{"message": "${ replace(data.text, 'a', repeat('é', 10000)) }"}, Deps{}, captured(&out))
		if _, err := a.Do(context.Background(), delivery(`{"text":"b`+strings.Repeat("a", 100)+`"}`)); err != nil {
			t.Fatal(err)
		}
		if line := out.String(); len(line) > maxLogText+200 || !strings.Contains(line, want+`="béé`) || !strings.Contains(line, `é… (1934466 bytes left out)"`) {
			t.Errorf("%s: %d bytes: %.20s … %s", kind, len(line), line, line[max(0, len(line)-120):])
		}
	}
}

func TestNotifyGoesToTheLog(t *testing.T) {
	var out bytes.Buffer
	n := buildLogging[tasks.Outside](t, "notify", map[string]any{"message": "New user ${ data.name }", "title": "${ event.type }"}, Deps{}, captured(&out))
	result, err := n.Do(context.Background(), delivery(`{"name":"Ada"}`))
	if err != nil || !reflect.DeepEqual(result, map[string]any{"message": "New user Ada", "title": "user.registered"}) {
		t.Fatal(result, err)
	}
	if got, want := out.String(), "level=INFO msg=notification title=user.registered message=\"New user Ada\" handler=h event=e1\n"; got != want {
		t.Errorf("%s, want %s", got, want)
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
		if test.kind == "emit" {
			with["type"] = "t"
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

func TestSecretsStayOutOfTheLog(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-token")
	var out bytes.Buffer
	deps := Deps{Secrets: &expression.Secrets{}}
	for _, kind := range []string{"log", "notify"} {
		action := buildLogging[tasks.Outside](t, kind, map[string]any{"message": `token ${ env("EVRUN_TEST_TOKEN") }`}, deps, captured(&out))
		result, err := action.Do(context.Background(), delivery(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String()+fmt.Sprint(result), "s3cret") {
			t.Errorf("%s: %s %v", kind, out.String(), result)
		}
	}
}

func TestEmitGivesOneEvent(t *testing.T) {
	for _, test := range []struct {
		with  map[string]any
		event tasks.EmittedEvent
	}{
		{map[string]any{"type": "a.${ data.kind }"}, tasks.EmittedEvent{Type: "a.x", Data: json.RawMessage(`{"kind":"x","n":1}`)}},
		{map[string]any{"type": "a", "subject": "s/${ data.n }", "data": map[string]any{"m": "${ data.n + 1 }"}},
			tasks.EmittedEvent{Type: "a", Subject: "s/1", Data: map[string]any{"m": 2}}},
		{map[string]any{"type": "a", "data": nil}, tasks.EmittedEvent{Type: "a"}},
		{map[string]any{"type": "a", "data": "${ data.kind }"}, tasks.EmittedEvent{Type: "a", Data: "x"}},
	} {
		got := emitOnce(t, test.with, delivery(`{"kind":"x","n":1}`))
		if want := (&tasks.Emitted{Events: []tasks.EmittedEvent{test.event}, Result: map[string]any{"events": 1}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %+v, want %+v", test.with, got, want)
		}
	}

	d := delivery("")
	if got := emitOnce(t, map[string]any{"type": "a"}, d); got.(*tasks.Emitted).Events[0].Data != nil {
		t.Errorf("data of an event without: %+v", got)
	}
	d = delivery("plain")
	d.Event.DataContentType = "text/plain"
	if got := emitOnce(t, map[string]any{"type": "a"}, d); got.(*tasks.Emitted).Events[0].Data != "plain" {
		t.Errorf("data of a text event: %+v", got)
	}
}

func TestEmitGivesManyEvents(t *testing.T) {
	with := map[string]any{"events": []any{
		map[string]any{"type": "a", "data": int64(1)},
		map[string]any{"type": "b", "data": []any{"${ data.n }"}, "subject": "s"},
	}}
	want := &tasks.Emitted{
		Events: []tasks.EmittedEvent{{Type: "a", Data: int64(1)}, {Type: "b", Subject: "s", Data: []any{2}}},
		Result: map[string]any{"events": 2},
	}
	if got := emitOnce(t, with, delivery(`{"n":2}`)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	action := build[tasks.Computed](t, "emit", with, Deps{})
	if _, err := action.Compute(delivery(`3`)); err == nil || !strings.HasPrefix(err.Error(), "events[1].data: data is the number 3") {
		t.Errorf("%v", err)
	}
}

func emitOnce(t *testing.T, with map[string]any, d *tasks.Delivery) any {
	t.Helper()
	result, err := build[tasks.Computed](t, "emit", with, Deps{}).Compute(d)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
