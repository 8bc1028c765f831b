package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"evrun/tasks/expression"
)

// show writes a type: {a: string, b: [number]}, with … where there may be other keys.
func show(t *expression.Type, depth int) string {
	if t == nil || depth > 3 {
		return "any"
	}
	switch t.Kind {
	case expression.KindList:
		return "[" + show(t.Elem, depth+1) + "]"
	case expression.KindMap:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(t.Fields)) {
			parts = append(parts, name+": "+show(t.Fields[name], depth+1))
		}
		if !t.Closed {
			parts = append(parts, "…"+strings.TrimPrefix(show(t.Elem, depth+1), "any"))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return [...]string{"any", "string", "number", "bool"}[t.Kind]
}

func TestATypeNeverSaysTooMuch(t *testing.T) {
	for schema, want := range map[string]string{
		`true`:                          "any",
		`{"properties":{"a":true}}`:     "any", // it could be a string
		`{"type":"object"}`:             "{…}",
		`{"type":["string","null"]}`:    "string",
		`{"type":["string","number"]}`:  "any",
		`{"type":["integer","number"]}`: "number",
		`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},"c":false},"additionalProperties":false}`:                                                                    "{a: number, b: bool}",
		`{"type":"object","properties":{"a":{"type":"integer"}},"patternProperties":{"^x":true},"additionalProperties":false}`:                                                                     "{a: number, …}",
		`{"type":"object","additionalProperties":{"type":"string"}}`:                                                                                                                               "{…string}",
		`{"type":"array","items":{"type":"string"}}`:                                                                                                                                               "[string]",
		`{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`:                                                                                                            "[any]",
		`{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}`:                                                                                                                                     "string",
		`{"type":"object","properties":{"a":{"type":"string"}},"allOf":[{"type":"object","properties":{"b":{"type":"integer"}}}]}`:                                                                 "{a: string, b: number, …}",
		`{"type":"object","properties":{"a":{"type":"string"}},"allOf":[{"type":"object","properties":{"b":{"type":"integer"}},"additionalProperties":false}]}`:                                    "{b: number}",
		`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":{"type":"string"},"$ref":"#/$defs/b","$defs":{"b":{"type":"object","properties":{"b":{"type":"integer"}}}}}`: "{a: string, b: number, …}",
		`{"anyOf":[{"type":"string"},{"type":"string"}]}`:                                                                                                                                          "any",
		`{"type":"object","properties":{"next":{"$ref":"#"}},"additionalProperties":false}`:                                                                                                        "{next: {next: {next: {next: any}}}}",
	} {
		if got := show(compile(t, schema).Type(), 0); got != want {
			t.Errorf("%s: got %s, want %s", schema, got, want)
		}
	}
}

// The type of a schema whose parts refer to each other many times has a bounded size, too.
func TestATypeIsBounded(t *testing.T) {
	var defs strings.Builder
	for i := range 30 {
		fmt.Fprintf(&defs, `,"d%d":{"type":"object","properties":{"a":{"$ref":"#/$defs/d%d"},"b":{"$ref":"#/$defs/d%[2]d"}}}`, i, (i+1)%30)
	}
	typ := compile(t, `{"$ref":"#/$defs/d0","$defs":{`+defs.String()[1:]+`}}`).Type()
	var count func(*expression.Type) int
	count = func(t *expression.Type) int {
		n := 1
		for _, f := range t.Fields {
			n += count(f)
		}
		return n
	}
	if n := count(typ); n > 2000 {
		t.Errorf("%d parts", n)
	}
}
