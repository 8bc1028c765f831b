package expression

import (
	"encoding/json"
	"strings"
	"testing"

	"evrun/events"
)

// told writes parts as a test reads them: part=value [name=value …].
func told(t *testing.T, parts []Part) string {
	t.Helper()
	var b strings.Builder
	for _, p := range parts {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.Text)
		if p.Value {
			b.WriteString(" is true")
		} else {
			b.WriteString(" is false")
		}
		for _, r := range p.Reads {
			v, err := json.Marshal(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(", " + r.Text + "=" + string(v))
		}
	}
	return b.String()
}

func TestAConditionSaysWhichPartDecided(t *testing.T) {
	e := &events.Event{Type: "user.registered", Subject: "s", Data: json.RawMessage(
		`{"age":12,"country":"FR","ok":false,"tags":["a","b"],"big":9007199254740993,"items":[{"n":1},{"n":2}],"nothing":null}`)}
	for src, want := range map[string]string{
		`data.age > 18 and data.country == "FR"`:                     `data.age > 18 is false, data.age=12`,
		`data.age > 18 && data.country == "DE" && true`:              `data.age > 18 is false, data.age=12; data.country == "DE" is false, data.country="FR"`,
		`data.age > 18 or data.country in ["DE", "IT"]`:              `data.age > 18 is false, data.age=12; data.country in ["DE", "IT"] is false, data.country="FR"`,
		`data.age < 18 or data.country == "DE"`:                      `data.age < 18 is true, data.age=12`,
		`data.age < 18 and data.country == "FR"`:                     `data.age < 18 is true, data.age=12; data.country == "FR" is true, data.country="FR"`,
		`not (data.age < 18 or data.ok)`:                             `data.age < 18 is true, data.age=12`,
		`!(data.age > 18) and data.ok`:                               `data.ok is false`,
		`data.nothing != nil and data.nothing.x == 1`:                `data.nothing != nil is false, data.nothing=null`,
		`data.missing?.deep == 1`:                                    `data.missing?.deep == 1 is false, data.missing?.deep=null`,
		`data.items[1].n == 1`:                                       `data.items[1].n == 1 is false, data.items[1].n=2`,
		`all(data.items, .n > 1)`:                                    `all(data.items, .n > 1) is false, data.items=[{"n":1},{"n":2}]`,
		`"c" in data.tags`:                                           `"c" in data.tags is false, data.tags=["a","b"]`,
		`"a" not in data.tags`:                                       `"a" in data.tags is true, data.tags=["a","b"]`,
		`let adult = data.age > 17; adult and event.subject == "s"`:  `adult is false, adult=false`,
		`data.age > 18 ? true : data.ok`:                             `data.age > 18 ? true : data.ok is false, data.age=12, data.ok=false`,
		`data.big == 9007199254740992`:                               `data.big == 9007199254740992 is false, data.big=9007199254740993`,
		`event.type startsWith "order." or event["subject"] == "x"`:  `event.type startsWith "order." is false, event.type="user.registered"; event.subject == "x" is false, event.subject="s"`,
		`(data.age > 18 or data.ok) and data.country == "FR"`:        `data.age > 18 is false, data.age=12; data.ok is false`,
		`data.age == data.age + 1`:                                   `data.age == data.age + 1 is false, data.age=12`,
		`data.age`:                                                   ``,
		`data.nothing.x == 1`:                                        ``,
		`false`:                                                      `false is false`,
		`lower(data.country) == "de" and data.age in 1..10`:          `lower(data.country) == "de" is false, data.country="FR"; data.age in 1..10 is false, data.age=12`,
		`(data.missing ?? "x") == "y" or data.tags[0] matches "^z$"`: `(data.missing ?? "x") == "y" is false, data.missing=null; data.tags[0] matches "^z$" is false, data.tags[0]="a"`,
	} {
		x, err := Compile(src, HandlerWhen)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := told(t, x.Why(NewEnv(e))); got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
}

func TestALongConditionIsExplainedAtOnce(t *testing.T) {
	src := strings.TrimSuffix(strings.Repeat("data.a == 1 or ", 1000), " or ")
	x, err := Compile(src, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	if parts := x.Why(NewEnv(&events.Event{Data: json.RawMessage(`{"a":2}`)})); len(parts) != 1000 {
		t.Errorf("%d parts", len(parts))
	}
}

func TestWhatLooksAtNothingIsConstant(t *testing.T) {
	for src, want := range map[string]any{"true": true, "1 == 2": false, "not false": true, `data.x == 1`: nil, `event.type == "x"`: nil, "data.x": nil} {
		x, err := Compile(src, HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := x.Constant(nil); ok != (want != nil) || v != want {
			t.Errorf("%s: %v, %v", src, v, ok)
		}
	}
}

func TestATemplateKnowsWhetherItNeedsTheResult(t *testing.T) {
	for src, want := range map[string]bool{"x": false, "${ data.x }": false, "a ${ result.id }": true, "${ result }": true, "${ 1 + len(result.x) }": true, "${ data.x + 1 }": false} {
		tpl, err := CompileTemplate(src, HandlerEmit)
		if err != nil {
			t.Fatal(err)
		}
		v, faults := CompileValue(map[string]any{"a": []any{1, map[string]any{"b": src}}}, HandlerEmit)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if tpl.UsesResult() != want || v.UsesResult() != want {
			t.Errorf("%s: %v, %v", src, tpl.UsesResult(), v.UsesResult())
		}
	}
}
