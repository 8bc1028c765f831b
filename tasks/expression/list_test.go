package expression

import (
	"reflect"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/fields"
)

// eachInputs are inputs with a for_each.
type eachInputs struct {
	ForEach *List     `key:"for_each" doc:"A list."`
	Type    *Template `key:"type" doc:"A text."`
}

func decodeList(t *testing.T, value any, s Scope) (*List, string) {
	t.Helper()
	var in eachInputs
	faults := fields.Decode(&in, map[string]any{"for_each": value}, fields.Options{Owner: "an event", Context: s})
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.Error())
	}
	return in.ForEach, strings.Join(texts, "\n")
}

func TestTheElementsOfAList(t *testing.T) {
	e := &events.Event{Type: "a", Data: []byte(`{"list": [1, "two", null], "none": [], "map": {"b": 2, "a": 1}, "text": "x", "n": 12345678901234567890}`)}
	for src, want := range map[string][]any{
		`data.none`:                 {},
		`data.missing ?? []`:        {},
		`["a", "b"]`:                {"a", "b"},
		`map(data.list, # ?? "-")`:  {1, "two", "-"},
		`toPairs(data.map)`:         {[]any{"a", 1}, []any{"b", 2}},
		`split("a,b", ",")`:         {"a", "b"},
		`1..3`:                      {1, 2, 3},
		`filter(data.list, # == 1)`: {1},
	} {
		l, faults := decodeList(t, src, HandlerWith)
		if faults != "" {
			t.Errorf("%s: %s", src, faults)
			continue
		}
		got, err := l.Elements(NewEnv(e))
		if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v; want %#v", src, got, err, want)
		}
	}
	for src, want := range map[string]string{
		`data.missing`: "data.missing is nil; write 'data.missing ?? []', with the quotes, if there may be none",
		`data.map`:     "data.map is a map of 2 keys, and a list is needed; toPairs(data.map) is a list: item[0] is a key and item[1] its value",
		`data.text`:    `data.text is the string "x", and a list is needed`,
		`data.n`:       "data.n is the number 12345678901234567890, and a list is needed",
	} {
		l, faults := decodeList(t, src, HandlerWith)
		if faults != "" {
			t.Errorf("%s: %s", src, faults)
			continue
		}
		if got, err := l.Elements(NewEnv(e)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v; want %s", src, got, err, want)
		}
	}
}

func TestAForEachThatCannotBeAList(t *testing.T) {
	typed := HandlerWith.WithData(NewData(&Type{Kind: KindMap, Fields: map[string]*Type{
		"lines": {Kind: KindList}, "sizes": {Kind: KindMap}, "name": {Kind: KindString}, "n": {Kind: KindNumber},
	}}))
	for _, test := range []struct {
		value any
		want  string
	}{
		{"data.lines", ""},
		{"data.sizes", "this is a map, and a list is needed; toPairs(data.sizes) is a list: item[0] is a key and item[1] its value"},
		{"toPairs(data.sizes)", ""},
		{"data.name", "this is a string, and a list is needed"},
		{"data.n", "this is a number, and a list is needed"},
		{int64(5), "this is a number, and a list is needed"},
		{`{"a": 1}`, `this is a map, and a list is needed; toPairs({"a": 1}) is a list: item[0] is a key and item[1] its value`},
		{`toPairs({"a": 1})`, ""},
		{"${ data.lines }", `"for_each" is an expression as a whole, without ${ }; write data.lines`},
		{[]any{"eu", "us"}, `"for_each" is an expression, not a list; write it as an expression: '["eu","us"]'`},
		{map[string]any{"a": "b"}, `"for_each" must be an expression, not a mapping`},
		{"item.lines", `unknown name "item"; "item" is known in an event with for_each only`},
		{"result.lines", `unknown name "result"; "result" is known in a handler's emit only`},
	} {
		if _, faults := decodeList(t, test.value, typed); !strings.HasSuffix(faults, test.want) || (faults == "") != (test.want == "") {
			t.Errorf("%v: %q; want %q", test.value, faults, test.want)
		}
	}
}

func TestItemAndIndexAreKnownWithAForEach(t *testing.T) {
	tpl, err := CompileTemplate("${ index }: ${ item.name } of ${ data.order }", HandlerWith.ScopeOf("emit"+Each))
	if err != nil {
		t.Fatal(err)
	}
	if !tpl.UsesItem() || tpl.UsesResult() {
		t.Error("it uses the item, and no result")
	}
	env := NewEnv(&events.Event{Type: "a", Data: []byte(`{"order": 7}`)})
	for i, name := range []string{"a", "b"} {
		env.SetItem(map[string]any{"name": name}, i)
		bound, err := tpl.Bind(env, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"0: a of 7", "1: b of 7"}[i]
		if got, err := bound.Text(env); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if _, err := CompileTemplate("${ item }", HandlerWith); err == nil || !strings.Contains(err.Error(), "for_each only") {
		t.Error(err)
	}
}

// Files of older versions may have variables that are called as newer names.
func TestAVariableMayBeCalledItem(t *testing.T) {
	for src, want := range map[string]any{
		`let item = 2; item * 3`:                                 2 * 3,
		`map(1..2, {let index = # + 1; index * 10})`:             []any{20, 30},
		`let item = {"index": 5}; item.index + item["index"]`:    10,
		`let item = 1; let x = item + 1; [item, x, {"item": 1}]`: []any{1, 2, map[string]any{"item": 1}},
	} {
		x, err := Compile(src, HandlerWith)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := x.Eval(NewSlotEnv(Slot{})); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", src, got, err)
		}
	}
	if _, err := Compile(`let item = 2; item`, HandlerWith.WithItem()); err == nil {
		t.Error("where item has a value, it can't be declared")
	}
}
