package expression

import (
	"strings"
	"testing"
)

func TestWhatIsKnownOfTheDataIsChecked(t *testing.T) {
	text, number := &Type{Kind: KindString}, &Type{Kind: KindNumber}
	data := NewData(&Type{Kind: KindMap, Closed: true, Fields: map[string]*Type{
		"name": text, "age": number, "items": {Kind: KindList, Elem: &Type{Kind: KindMap, Closed: true, Fields: map[string]*Type{"price": number}}},
		"open": {Kind: KindMap, Fields: map[string]*Type{"n": number}}, "any": {},
	}})
	for src, want := range map[string]string{
		`data.name contains "x" and data.age > 5`:  "",
		`data.age % 2 == 0 and data.any.x.y == 1`:  "",
		`data.open.other == 1 or data.open.n > 2`:  "",
		`event.type == "x" and event.anything > 5`: "",
		`data?.name == nil and data["age"] == 5`:   "",
		`any(data.items, .price > 5) and data.any`: "",
		`data.names`:                  `data has no "names": its schema allows no such key; did you mean "name"?`,
		`data?.names ?? 5`:            `data has no "names": its schema allows no such key; did you mean "name"?`,
		`let d = data; d["names"]`:    `d has no "names": its schema allows no such key; did you mean "name"?`,
		`any(data.items, .prize > 5)`: `# has no "prize": its schema allows no such key; did you mean "price"?`,
		`data.open.n startsWith "x"`:  `"startsWith" can't take a number and a text; write string(data.open.n) startsWith "x"`,
		`data.name.first`:             `this is a string, so it has no "first"`,
		`data.name + data.age`:        `"+" can't take a text and a number; write data.name + string(data.age)`,
		`names`:                       `unknown name "names"; did you mean "data"?`,
	} {
		_, err := Compile(src, HandlerWhen.WithData(data))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want && !strings.HasPrefix(want, "unknown name") {
			t.Errorf("%s: %s", src, got)
		}
		if want != "" && err == nil {
			t.Errorf("%s compiles", src)
		}
	}
}

func TestAConditionIsABool(t *testing.T) {
	data := NewData(&Type{Kind: KindMap, Fields: map[string]*Type{"name": {Kind: KindString}, "ok": {Kind: KindBool}}})
	for src, want := range map[string]bool{
		`data.ok`: true, `data.other`: true, `data.name != ""`: true, `true`: true, `data.other + 1`: true, `not data.other`: true,
		`data.name`: false, `1 + 1`: false, `"data.ok"`: false, `len(data.name)`: false, `[data.ok]`: false,
	} {
		if _, err := Compile(src, HandlerWhen.WithData(data).Condition()); (err == nil) != want {
			t.Errorf("%s: %v", src, err)
		}
		if _, err := Compile(src, HandlerWhen.WithData(data)); err != nil {
			t.Errorf("%s as a value: %v", src, err)
		}
	}
}
