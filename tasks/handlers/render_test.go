package handlers

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fields"
)

func TestInputsAreRenderedAsTheKindWouldHaveThem(t *testing.T) {
	t.Setenv("RENDER_TOKEN", "s3cret-value")
	secrets := new(expression.Secrets)
	action, faults := Build("user.insert", map[string]any{
		"name": "${ data.name } of ${ env(\"RENDER_TOKEN\") }", "email": "${ data.n }",
		"attributes": map[string]any{"big": "${ data.big }", "list": []any{int64(1), "${ data.name }"}, "none": nil},
	}, Deps{Secrets: secrets})
	if faults != nil {
		t.Fatal(faults)
	}
	got, err := Render(action, delivery(`{"name":"Ada","n":5,"big":9007199254740993}`).Env)
	want := map[string]any{
		"name": "Ada of s3cret-value", "email": "5", "on_conflict": "fail",
		"attributes": map[string]any{"big": 9007199254740993, "list": []any{int64(1), "Ada"}, "none": nil},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, err)
	}
	if shown := secrets.RedactValue(got).(map[string]any); shown["name"] != "Ada of [secret]" || got["name"] != "Ada of s3cret-value" {
		t.Errorf("%v, and %v before", shown, got)
	}
}

func TestWhatCannotBeRenderedIsNamedAndTheRestIsThere(t *testing.T) {
	action, faults := Build("emit", map[string]any{"events": []any{
		map[string]any{"type": "a.b", "data": map[string]any{"x": "${ data.x.y }"}},
		map[string]any{"type": "t.${ data.name }", "subject": "${ data.missing }"},
	}}, Deps{})
	if faults != nil {
		t.Fatal(faults)
	}
	got, err := Render(action, delivery(`{"name":"ada"}`).Env)
	if want := map[string]any{"events": []any{map[string]any{"type": "a.b"}, map[string]any{"type": "t.ada"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%#v", got)
	}
	if err == nil || !strings.Contains(err.Error(), "events[0].data: ") || !strings.Contains(err.Error(), "events[1].subject: ") {
		t.Error(err)
	}
}

// everyType is a kind with each type of input, as kinds of other files may have them.
type everyType struct {
	Texts   []*expression.Template          `key:"texts" doc:"Texts."`
	Map     map[string]*expression.Template `key:"map" doc:"A map."`
	Wait    time.Duration                   `key:"wait" default:"5s" doc:"A duration."`
	Number  int                             `key:"number" doc:"A number."`
	Flag    bool                            `key:"flag" doc:"A flag."`
	Value   *expression.Value               `key:"value" doc:"A value."`
	private string
}

func TestEveryTypeOfInputIsRendered(t *testing.T) {
	k := &everyType{private: "x"}
	faults := fields.Decode(k, map[string]any{
		"texts": []any{"a", "${ data.name }"}, "map": map[string]any{"k": "${ data.name }!"}, "number": int64(3), "value": "${ data }",
	}, fields.Options{Context: expression.HandlerWith})
	if faults != nil {
		t.Fatal(faults[0])
	}
	got, err := Render(k, delivery(`{"name":"ada"}`).Env)
	want := map[string]any{"texts": []any{"a", "ada"}, "map": map[string]any{"k": "ada!"}, "wait": "5s", "number": 3, "flag": false,
		"value": map[string]any{"name": "ada"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, err)
	}
}

func TestWhatIsNoKindHasNoInputs(t *testing.T) {
	for _, action := range []any{nil, func() {}, 5, (*emit)(nil)} {
		if got, err := Render(action, nil); err != nil || len(got) != 0 {
			t.Errorf("%T: %v, %v", action, got, err)
		}
	}
}
