package config

import (
	"reflect"
	"slices"

	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// schemaID names the draft-07 schema. It is the address that SchemaStore gives to the schemas in its catalogue.
const schemaID = "https://www.schemastore.org/evrun.json"

// JSONSchema returns the JSON Schema of a wiring file in a draft of [fields.Drafts], for editors. It comes from the tags that Load reads. It
// describes the structure of a file; only Load checks the expressions, patterns and times in it.
//
// It follows the rules of SchemaStore: each key has a description, a value has one type, and ajv takes the schema in its strict mode.
func JSONSchema(draft string) map[string]any {
	file := strict(fields.Schema(reflect.TypeFor[fileKeys]())).(map[string]any)
	file["$schema"] = fields.Drafts[draft]
	if draft == "7" {
		file["$id"] = schemaID
	}
	file["title"] = "evrun wiring file"
	file["description"] = "The events, schedules and handlers of evrun, a durable task runner, and its settings"
	file["patternProperties"] = map[string]any{"^x-": true}
	return file
}

// ofType are the keywords that concern values of one type.
var ofType = map[string][]string{
	"string": {"minLength", "maxLength", "pattern", "format"},
	"number": {"minimum", "maximum"},
	"object": {"properties", "required", "additionalProperties"},
	"array":  {"items", "minItems"},
}

// strict returns a copy of a schema that ajv takes in its strict mode: a list of types becomes a choice of schemas with one type each, and each
// required key is among the properties.
func strict(schema any) any {
	switch s := schema.(type) {
	case []any:
		list := make([]any, len(s))
		for i, v := range s {
			list[i] = strict(v)
		}
		return list
	case map[string]any:
		out := make(map[string]any, len(s))
		for k, v := range s {
			out[k] = strict(v)
		}
		if required, ok := s["required"].([]any); ok {
			nameRequired(out, required)
		}
		if types, ok := s["type"].([]any); ok {
			splitTypes(out, types)
		}
		return out
	}
	return schema
}

func nameRequired(schema map[string]any, required []any) {
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
		schema["properties"] = properties
	}
	for _, key := range required {
		if _, ok := properties[key.(string)]; !ok {
			properties[key.(string)] = true
		}
	}
}

func splitTypes(schema map[string]any, types []any) {
	delete(schema, "type")
	branches := make([]any, len(types))
	for i, t := range types {
		branch := map[string]any{"type": t}
		for _, keyword := range ofType[t.(string)] {
			if v, ok := schema[keyword]; ok {
				branch[keyword] = v
				delete(schema, keyword)
			}
		}
		branches[i] = branch
	}
	if had, ok := schema["anyOf"]; ok {
		delete(schema, "anyOf")
		all, _ := schema["allOf"].([]any)
		schema["allOf"] = append(slices.Clone(all), map[string]any{"anyOf": had}, map[string]any{"anyOf": branches})
		return
	}
	schema["anyOf"] = branches
}

// kindSchemas returns schemas for the kinds and their inputs.
func kindSchemas() []any {
	var list, names []any
	for _, k := range handlers.Kinds() {
		names = append(names, map[string]any{"const": k.Name, "description": k.Doc})
		inputs := k.Schema()
		then := map[string]any{"properties": map[string]any{"with": map[string]any{"anyOf": []any{inputs, map[string]any{"type": "null"}}}}}
		if inputs["required"] != nil {
			then = map[string]any{"properties": map[string]any{"with": inputs}, "required": []any{"with"}}
		}
		if k.Prints == "" {
			then["properties"].(map[string]any)["output"] = false
		}
		is := map[string]any{"properties": map[string]any{"do": map[string]any{"const": k.Name}}, "required": []any{"do"}}
		list = append(list, map[string]any{"if": is, "then": then})
	}
	return append([]any{map[string]any{"properties": map[string]any{"do": map[string]any{"oneOf": names}}}}, list...)
}
