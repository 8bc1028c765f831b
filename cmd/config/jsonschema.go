package config

import (
	"reflect"

	"evrun/cmd/config/jsonschema"
	"evrun/tasks/fields"
)

// schemaID names the draft-07 schema. It is the address that SchemaStore gives to the schemas in its catalogue.
const schemaID = "https://www.schemastore.org/evrun.json"

// JSONSchema returns the JSON Schema of a wiring file in a draft of [fields.Drafts], for editors. It comes from the tags that Load reads. It
// describes the structure of a file; only Load checks the expressions, patterns and times in it.
//
// It follows the rules of SchemaStore: each key has a description, a value has one type, and ajv takes the schema in its strict mode.
func JSONSchema(draft string) map[string]any {
	file := jsonschema.Strict(fields.Schema(reflect.TypeFor[fileKeys]())).(map[string]any)
	file["$schema"] = fields.Drafts[draft]
	if draft == "7" {
		file["$id"] = schemaID
	}
	file["title"] = "evrun wiring file"
	file["description"] = "The events, schedules and handlers of evrun, a durable task runner, and its settings"
	file["patternProperties"] = map[string]any{"^x-": true}
	return file
}
