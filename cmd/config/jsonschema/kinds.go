// Package jsonschema has the parts of the wiring file's JSON Schema that its tags don't say: what follows from the kind of a handler, and what editors
// want of a schema.
package jsonschema

import (
	"regexp"
	"slices"

	"evrun/tasks/handlers"
)

// Kinds returns schemas for the kinds and their inputs.
func Kinds() []any {
	var list, names []any
	when := func(do, properties map[string]any, required ...any) {
		then := map[string]any{"properties": properties}
		if len(required) > 0 {
			then["required"] = required
		}
		is := map[string]any{"properties": map[string]any{"do": do}, "required": []any{"do"}}
		list = append(list, map[string]any{"if": is, "then": then})
	}
	for _, k := range handlers.Kinds() {
		names = append(names, map[string]any{"const": k.Name, "description": k.Doc})
		alone, inputs := map[string]any{"const": k.Name}, k.Schema()
		required, _ := inputs["required"].([]any)
		known := map[string]any{}
		if k.Prints == "" {
			known["output"] = false
		}
		if k.Main == "" {
			known["with"] = withOrNull(inputs, required)
			when(alone, known, needing(required)...)
			continue
		}
		pattern := "^" + regexp.QuoteMeta(k.Name) + `\s+\S`
		names = append(names, map[string]any{"type": "string", "pattern": pattern, "description": k.Doc + " The text behind it is its input " + k.Main + "."})
		others := slices.DeleteFunc(slices.Clone(required), func(key any) bool { return key == k.Main })
		delete(inputs, "required")
		known["with"] = withOrNull(inputs, others)
		when(map[string]any{"type": "string", "pattern": "^" + regexp.QuoteMeta(k.Name) + `(\s|$)`}, known, needing(others)...)
		if len(required) > len(others) {
			when(alone, map[string]any{"with": map[string]any{"type": "object", "required": []any{k.Main}}}, "with")
		}
		when(map[string]any{"type": "string", "pattern": pattern}, map[string]any{"with": map[string]any{"not": map[string]any{"type": "object", "required": []any{k.Main}}}})
	}
	return append([]any{map[string]any{"properties": map[string]any{"do": map[string]any{"oneOf": names}}}}, list...)
}

// withOrNull is the schema of inputs, which may be missing if none is required.
func withOrNull(inputs map[string]any, required []any) map[string]any {
	if len(required) > 0 {
		inputs["required"] = required
		return inputs
	}
	return map[string]any{"anyOf": []any{inputs, map[string]any{"type": "null"}}}
}

// needing is the key with, if an input is required.
func needing(required []any) []any {
	if len(required) > 0 {
		return []any{"with"}
	}
	return nil
}
