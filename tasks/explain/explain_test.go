package explain

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
)

func handler(t *testing.T, kind string, with map[string]any, secrets *expression.Secrets) *tasks.Handler {
	t.Helper()
	action, faults := handlers.Build(kind, with, handlers.Deps{Secrets: secrets})
	if faults != nil {
		t.Fatal(faults[0])
	}
	return &tasks.Handler{Name: "h", On: []events.Pattern{events.MustPattern("x.y"), events.MustPattern("a.>")}, Kind: kind, Action: action}
}

// compiled returns the value of a compilation that must succeed; its second result is an error or a list of faults.
func compiled[T, E any](v T, wrong E) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if !reflect.ValueOf(&wrong).Elem().IsZero() {
			t.Fatal(wrong)
		}
		return v
	}
}

func explainOne(h *tasks.Handler, data string, secrets *expression.Secrets) Handler {
	return Event([]*tasks.Handler{h}, &events.Event{ID: "e", Source: "/t", Type: "a.b", Data: json.RawMessage(data)}, "store", secrets).Handlers[0]
}

func TestAMatchingHandlerIsExplainedWhole(t *testing.T) {
	h := handler(t, "log", map[string]any{"message": "hi ${ data.name }"}, nil)
	h.When = compiled(expression.Compile(`data.n > 1`, expression.HandlerWhen))(t)
	h.OrderBy = compiled(expression.Compile(`data.name`, expression.HandlerWhen))(t)
	h.Timeout = time.Second
	got := explainOne(h, `{"name":"Ada","n":2}`, nil)
	want := Handler{
		Name: "h", Kind: "log", On: []string{"x.y", "a.>"}, Matches: true, Pattern: "a.>", Would: "run",
		When:    &When{Text: "data.n > 1", Value: true, Why: []expression.Part{{Text: "data.n > 1", Value: true, Reads: []expression.Read{{Text: "data.n", Value: 2}}}}},
		With:    map[string]any{"message": "hi Ada", "level": "info"},
		OrderBy: &Order{Text: "data.name", Key: "Ada"},
		Policy:  &Policy{Attempts: 5, Backoff: "1s", Max: "1m0s", Timeout: "1s", Concurrency: 4},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func TestWhatWouldFailSaysWhy(t *testing.T) {
	when := handler(t, "log", map[string]any{"message": "x"}, nil)
	when.When = compiled(expression.Compile("data.x.y == 1", expression.HandlerWhen))(t)
	if got := explainOne(when, `{}`, nil); got.Would != "fail" || !strings.Contains(got.When.Error, "data.x is nil") {
		t.Errorf("when: %+v", got)
	}
	order := handler(t, "log", map[string]any{"message": "x"}, nil)
	order.OrderBy = compiled(expression.Compile("data.x.y", expression.HandlerWhen))(t)
	if got := explainOne(order, `{}`, nil); got.Would != "fail" || got.OrderBy.Error == "" {
		t.Errorf("order_by: %+v", got)
	}
	user := handler(t, "user.insert", map[string]any{"name": "x", "email": "${ data.email }"}, nil)
	if got := explainOne(user, `{"email":"nobody"}`, nil); got.Would != "fail" || len(got.Errors) != 1 || !strings.Contains(got.Errors[0], "is not a valid e-mail address") {
		t.Errorf("an input that the kind refuses: %+v", got)
	}
	if got := explainOne(user, `{}`, nil); got.Would != "fail" || len(got.Errors) != 1 || got.With["name"] != "x" {
		t.Errorf("an input that can't be rendered: %+v", got)
	}
}

// A url is shown as it would be requested, or with the attempt's error.
func TestAURLIsTheOneThatWouldBeAsked(t *testing.T) {
	t.Setenv("EXPLAIN_TOKEN", "s3cret-value")
	for _, test := range []struct{ kind, url, v, want, fault string }{
		{"http", "https://example.com/u/${ data.v }?q=${ data.v }", "a b/c", "https://example.com/u/a%20b%2Fc?q=a+b%2Fc", ""},
		{"http", "https://example.com/u/${ data.v }", "..", "", `url: a value in its path makes it "..", which leads elsewhere`},
		{"http", "https://example.com/${ env('EXPLAIN_TOKEN') }/${ data.v }", "a", "[secret]", ""},
		{"notify", "ntfy://h.test/${ data.v }", "topic", "ntfy://h.test/topic", ""},
		{"notify", "ntfy://h.test/${ data.v }", "a/../../v1/account", "", `url: the value "a/../../v1/account" can't be in the path: it has a '/' in it`},
		{"notify", "${ data.v }://h.test/topic", "nonsense", "", `url: unknown service "nonsense"`},
	} {
		secrets := new(expression.Secrets)
		with := map[string]any{"url": test.url}
		if test.kind == "notify" {
			with["message"] = "m"
		}
		got := explainOne(handler(t, test.kind, with, secrets), `{"v":"`+test.v+`"}`, secrets)
		if errors := strings.Join(got.Errors, " "); !strings.HasPrefix(errors, test.fault) || (test.fault != "") != (got.Would == "fail") ||
			test.want != "" && got.With["url"] != test.want {
			t.Errorf("%s with %s: %v, %s", test.url, test.v, got.With["url"], errors)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Setenv("EXPLAIN_TOKEN", "s3cret-value")
	secrets := new(expression.Secrets)
	h := handler(t, "emit", map[string]any{"type": "b", "data": map[string]any{"token": `${ env("EXPLAIN_TOKEN") }`}}, secrets)
	scope := expression.HandlerEmit.In("", secrets)
	h.Emit = []emission.Entry{{
		Type:    compiled(expression.CompileTemplate("c", scope))(t),
		Subject: compiled(expression.CompileTemplate(`of ${ env("EXPLAIN_TOKEN") }`, scope))(t),
		Data:    compiled(expression.CompileValue(map[string]any{"t": `${ env("EXPLAIN_TOKEN") }`}, scope))(t),
	}}
	text, err := json.Marshal(explainOne(h, `{}`, secrets))
	if err != nil || strings.Contains(string(text), "s3cret") || strings.Count(string(text), "[secret]") != 4 {
		t.Errorf("%s, %v", text, err)
	}
}

// An input that uses a secret in any way is redacted as a whole.
func TestWhatIsMadeOfASecretIsNotShown(t *testing.T) {
	t.Setenv("EXPLAIN_TOKEN", "s3cret-value")
	for name, expr := range map[string]string{
		"base64":     `Basic ${ toBase64("user:" + env("EXPLAIN_TOKEN")) }`,
		"upper case": `${ upper(env("EXPLAIN_TOKEN")) }`,
		"reversed":   `${ join(reverse(split(env("EXPLAIN_TOKEN"), "")), "") }`,
		"its length": `${ len(env("EXPLAIN_TOKEN")) }`,
		"with data":  `${ data.name }/${ lower(data.name + env("EXPLAIN_TOKEN")) }`,
	} {
		secrets := new(expression.Secrets)
		h := handler(t, "http", map[string]any{
			"url": "https://example.com/", "headers": map[string]any{"Authorization": expr, "X-Plain": "${ data.name }"}, "body": map[string]any{"a": []any{expr, "x"}},
		}, secrets)
		h.Emit = []emission.Entry{{
			Type: compiled(expression.CompileTemplate("c", expression.HandlerEmit))(t),
			Data: compiled(expression.CompileValue(map[string]any{"t": expr, "n": "${ data.name }"}, expression.HandlerEmit.In("", secrets)))(t),
		}}
		got := explainOne(h, `{"name":"Ada"}`, secrets)
		with := map[string]any{
			"url": "https://example.com/", "headers": map[string]any{"Authorization": "[secret]", "X-Plain": "Ada"}, "body": map[string]any{"a": []any{"[secret]", "x"}},
		}
		for key, want := range with {
			if !reflect.DeepEqual(got.With[key], want) {
				t.Errorf("%s: %s is %v", name, key, got.With[key])
			}
		}
		if data := string(got.Emits[0].Data.(json.RawMessage)); data != `{"n":"Ada","t":"[secret]"}` {
			t.Errorf("%s: it emits %s", name, data)
		}
	}
}

func TestWhatDependsOnTheResultIsUnknown(t *testing.T) {
	h := handler(t, "emit", map[string]any{"type": "own.${ data.n }"}, nil)
	compileValue := func(v any) *expression.Value { return compiled(expression.CompileValue(v, expression.HandlerEmit))(t) }
	text := func(s string) *expression.Template {
		return compiled(expression.CompileTemplate(s, expression.HandlerEmit))(t)
	}
	h.Emit = []emission.Entry{
		{Type: text("a"), Data: compileValue(map[string]any{"n": "${ data.n }"})},
		{Type: text("t.${ result.events }"), Subject: text("${ data.none }"), Data: compileValue("${ result }")},
		{Type: text("b")},
	}
	got := explainOne(h, `{"n":1}`, nil).Emits
	want := []Emission{
		{Type: "own.1", Data: json.RawMessage(`{"n":1}`)},
		{Type: "a", Data: json.RawMessage(`{"n":1}`)},
		{Type: "t.${ result.events }", Subject: "${ data.none }", Unknown: []string{"type", "data"}, Error: got[2].Error},
		{Type: "b", Unknown: []string{"data"}},
	}
	if !reflect.DeepEqual(got, want) || !strings.Contains(got[2].Error, "subject: ") {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func TestControlsAreExplained(t *testing.T) {
	h := handler(t, "log", map[string]any{"message": "x"}, nil)
	scope := expression.HandlerOnDead.WithEvents()
	h.Rate = tasks.Rate{Count: 10, Per: time.Minute}
	h.Debounce = &tasks.Debounce{Wait: 2 * time.Second, By: compiled(expression.Compile("data.k", expression.HandlerWhen))(t), All: true}
	h.OnDead = &emission.Entry{
		Type:    compiled(expression.CompileTemplate("h.dead", scope))(t),
		Subject: compiled(expression.CompileTemplate("${ len(events) } of ${ data.k }", scope))(t),
		Data:    compiled(expression.CompileValue(map[string]any{"why": "${ error }"}, scope))(t),
	}
	got := explainOne(h, `{"k":5}`, nil)
	if got.Would != "run" || got.Policy.Rate != "10/m" {
		t.Errorf("%+v", got)
	}
	if want := (&Debounce{Wait: "2s", MaxWait: "20s", Collect: "all", By: "data.k", Key: 5}); !reflect.DeepEqual(got.Debounce, want) {
		t.Errorf("%+v, want %+v", got.Debounce, want)
	}
	if want := (&Emission{Type: "h.dead", Subject: "1 of 5", Unknown: []string{"data"}}); !reflect.DeepEqual(got.OnDead, want) {
		t.Errorf("%+v, want %+v", got.OnDead, want)
	}
	h.Debounce.By = compiled(expression.Compile("data.x.y", expression.HandlerWhen))(t)
	if got := explainOne(h, `{}`, nil); got.Would != "fail" || !strings.Contains(got.Debounce.Error, "data.x is nil") {
		t.Errorf("%+v", got)
	}
}

func TestATypeThatNothingMatchesGetsAHint(t *testing.T) {
	h := handler(t, "log", map[string]any{"message": "x"}, nil)
	if r := Event([]*tasks.Handler{h}, &events.Event{Type: "x.z"}, "store", nil); r.Matched || r.Hint != `did you mean "x.y"?` || r.Handlers[0].Would != "" {
		t.Errorf("%+v", r)
	}
}

// The data of an event is decoded once, however many handlers read it.
func TestManyHandlersShareTheDecodedData(t *testing.T) {
	data := "[" + strings.Repeat(`{"price":1},`, 999) + `{"price":1}]`
	h := handler(t, "log", map[string]any{"message": "x"}, nil)
	h.When = compiled(expression.Compile(`data[0].price == 2`, expression.HandlerWhen))(t)
	allocations := func(n int) float64 {
		return testing.AllocsPerRun(3, func() {
			Event(slices.Repeat([]*tasks.Handler{h}, n), &events.Event{Type: "a.b", Data: json.RawMessage(data)}, "store", nil)
		})
	}
	if one, many := allocations(1), allocations(11); many-one > 5000 {
		t.Errorf("%v allocations for a handler, %v for 11", one, many)
	}
	r := &Reasons{}
	env := expression.NewEnv(&events.Event{Type: "a.b", Data: json.RawMessage(data)})
	r.Skipped("data[0].price == 2", env)
	if again := testing.AllocsPerRun(3, func() { r.Skipped("data[0].price == 2", env) }); again > 500 {
		t.Errorf("%v allocations for a condition of an event that was read before", again)
	}
}

// A text in a condition that is known to be a secret is shown to nobody, neither in the condition nor in its parts.
func TestSecretsInConditionsAreNotShown(t *testing.T) {
	secrets := new(expression.Secrets)
	secrets.Add("hunter2hunter2")
	h := handler(t, "log", map[string]any{"message": "x"}, secrets)
	for text, to := range map[string]**expression.Expr{`data.v == "hunter2hunter2"`: &h.When, `data.v + "hunter2hunter2"`: &h.OrderBy} {
		x, err := expression.Compile(text, expression.HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		*to = x
	}
	got := explainOne(h, `{"v":"a"}`, secrets)
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), "hunter2hunter2") || got.When == nil || len(got.When.Why) != 1 {
		t.Errorf("%s, %v", text, err)
	}
}
