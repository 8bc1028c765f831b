package fields

import (
	"reflect"
	"strconv"
)

// Drafts are the dialects of JSON Schema that [Schema] can write, by their names. Only the dialect's URI differs: Schema uses no keyword with
// different meanings in the two.
var Drafts = map[string]string{
	"2020-12": "https://json-schema.org/draft/2020-12/schema",
	"7":       "http://json-schema.org/draft-07/schema#",
}

// Schema returns the JSON Schema of a struct's mapping. It describes the structure of a file. Only the decoder checks expressions, times, and rules
// over several keys other than those of a [SchemaExtender].
func Schema(t reflect.Type) map[string]any {
	o := objectOf(t)
	properties, required := map[string]any{}, []any{}
	for _, f := range o.fields {
		if f.hidden {
			continue
		}
		properties[f.Name] = f.schema()
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if e, ok := reflect.New(t).Interface().(SchemaExtender); ok {
		e.ExtendSchema(s)
	}
	return s
}

// SchemaOf is the JSON Schema of the values of any type that a field can have.
func SchemaOf(t reflect.Type) map[string]any { return (&field{}).valueSchema(t) }

// schema returns the schema of the value, with the key's doc.
func (f *field) schema() map[string]any {
	s := f.scalarSchema()
	if f.null && len(s) > 0 {
		s = either(s, map[string]any{"type": "null"})
	}
	described := map[string]any{"description": f.Doc}
	if f.Default != "" {
		described["description"] = f.Doc + " Default " + f.Default + "."
		described["default"] = f.defaultValue()
	}
	if f.Example != "" {
		described["examples"] = []any{f.Example}
	}
	for k, v := range s {
		described[k] = v
	}
	return described
}

// defaultValue is the default as a value of the file.
func (f *field) defaultValue() any {
	switch f.typ.Kind() {
	case reflect.Bool:
		return f.Default == "true"
	case reflect.Int:
		if n, err := strconv.Atoi(f.Default); err == nil {
			return n
		}
	}
	return f.Default
}

// scalarSchema is the schema of the value without its doc.
func (f *field) scalarSchema() map[string]any {
	if f.tag.Get("enum") != "" {
		return map[string]any{"type": "string", "enum": values(f.Enum)}
	}
	return f.valueSchema(f.typ)
}

// valueSchema is the schema of a type's values.
func (f *field) valueSchema(t reflect.Type) map[string]any {
	if shape, ok := shapeOf(t); ok {
		return shape.schema()
	}
	if t == durationType {
		return map[string]any{"type": "string", "minLength": 2,
			"pattern": `^([0-9]+(\.[0-9]+)?d)?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return f.numberSchema()
	case reflect.Pointer:
		return f.valueSchema(t.Elem())
	case reflect.Struct:
		s := Schema(t)
		if short := objectOf(t).short; short != nil {
			return either(short.scalarSchema(), s)
		}
		return s
	case reflect.Slice:
		return f.listSchema(t)
	case reflect.Map:
		return f.mapSchema(t)
	}
	return map[string]any{}
}

func (f *field) numberSchema() map[string]any {
	s := map[string]any{"type": "integer"}
	for tag, keyword := range map[string]string{"min": "minimum", "max": "maximum"} {
		if text := f.tag.Get(tag); text != "" {
			s[keyword], _ = strconv.Atoi(text)
		}
	}
	return s
}

func (f *field) listSchema(t reflect.Type) map[string]any {
	item := (&field{}).valueSchema(t.Elem())
	list := map[string]any{"type": "array", "items": item}
	if f.items {
		list["minItems"] = 1
	}
	if onlyItem(t.Elem(), "", f) && len(item) > 0 {
		return either(item, list)
	}
	return list
}

func (f *field) mapSchema(t reflect.Type) map[string]any {
	s := map[string]any{"type": "object"}
	if item := (&field{one: f.one, items: f.items}).valueSchema(t.Elem()); len(item) > 0 {
		s["additionalProperties"] = item
	}
	if shape, ok := shapeOf(t.Key()); ok {
		s["propertyNames"] = shape.schema()
	}
	return s
}

func either(schemas ...any) map[string]any { return map[string]any{"anyOf": schemas} }

func values(words []string) []any {
	list := make([]any, 0, len(words))
	for _, w := range words {
		list = append(list, w)
	}
	return list
}
