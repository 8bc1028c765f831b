package jsonschema

import "slices"

// ofType are the keywords that concern values of one type.
var ofType = map[string][]string{
	"string": {"minLength", "maxLength", "pattern", "format"},
	"number": {"minimum", "maximum"},
	"object": {"properties", "required", "additionalProperties"},
	"array":  {"items", "minItems"},
}

// Strict returns a copy of a schema that ajv takes in its strict mode: a list of types becomes a choice of schemas with one type each, and each
// required key is among the properties.
func Strict(schema any) any {
	switch s := schema.(type) {
	case []any:
		list := make([]any, len(s))
		for i, v := range s {
			list[i] = Strict(v)
		}
		return list
	case map[string]any:
		out := make(map[string]any, len(s))
		for k, v := range s {
			out[k] = Strict(v)
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
