package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/events"
)

// TestSchemaStore makes what a pull request to github.com/SchemaStore/schemastore needs, in its layout: the schema, files that it takes, files that it
// refuses, and the entry of the catalogue. EVRUN_SCHEMASTORE=DIR writes them into a checkout (absolute path); "node cli.js check
// --schema-name=evrun.json" there checks all of it.
func TestSchemaStore(t *testing.T) {
	dir := os.Getenv("EVRUN_SCHEMASTORE")
	if dir == "" {
		dir = t.TempDir()
	}
	put := func(path string, text []byte) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var schema strings.Builder
	if err := events.IndentJSON(&schema, JSONSchema("7")); err != nil {
		t.Fatal(err)
	}
	put("src/schemas/json/evrun.json", []byte(schema.String()))
	put("evrun.catalog.json", []byte(`{
  "name": "evrun",
  "description": "Wiring file of evrun, a durable event-driven task runner",
  "fileMatch": ["evrun.yaml", "evrun.yml"],
  "url": "`+schemaID+`"
}
`))
	s := wiringSchemas(t)["7"]
	taken, refused := 0, 0
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "../starter/*.yaml", "../../config.example.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			v, ok := tree(t, path)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || strings.Contains(string(src), "<<:") || strings.HasPrefix(string(src), "\ufeff") { // what its YAML library reads otherwise
				continue
			}
			switch good := !strings.Contains(pattern, "/bad/"); {
			case good:
				put("src/test/evrun/"+filepath.Base(path), src)
				taken++
			case s.Validate(v) != nil:
				put("src/negative_test/evrun/"+filepath.Base(path), src)
				refused++
			}
		}
	}
	if taken < 8 || refused < 100 {
		t.Errorf("%d files are taken, %d refused", taken, refused)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.String()))
	if err != nil {
		t.Fatal(err)
	}
	if id := doc.(map[string]any)["$id"]; id != schemaID {
		t.Error(id)
	}
}

// known are the keywords of the schema. ajv's strict mode refuses others, and those that act on values of a type that "type" doesn't name.
var known = map[string]string{
	"$schema": "", "$id": "", "title": "", "description": "", "default": "", "examples": "", "type": "", "enum": "", "const": "",
	"anyOf": "", "oneOf": "", "allOf": "", "not": "", "if": "", "then": "", "else": "",
	"pattern": "string", "minLength": "string", "maxLength": "string", "minimum": "integer", "maximum": "integer",
	"properties": "object", "patternProperties": "object", "additionalProperties": "object", "propertyNames": "object", "required": "object",
	"items": "array", "minItems": "array",
}

// TestTheSchemaIsStrict: ajv takes both drafts in its strict mode, and every key has a description for editors to show.
func TestTheSchemaIsStrict(t *testing.T) {
	for _, draft := range []string{"7", "2020-12"} {
		checkStrict(t, printedSchema(t, draft), "#", "")
	}
}

// checkStrict checks a schema. typ is the type that the schemas around it give to its value.
func checkStrict(t *testing.T, schema any, at, typ string) {
	t.Helper()
	s, ok := schema.(map[string]any)
	if !ok {
		return // true or false
	}
	switch of := s["type"].(type) {
	case nil:
	case string:
		typ = of
	default:
		t.Errorf("%s: type is a list: %v", at, of)
	}
	for keyword, v := range s {
		needs, ok := known[keyword]
		if !ok || needs != "" && needs != typ {
			t.Errorf("%s: the keyword %s where the type is %q", at, keyword, typ)
		}
		switch keyword {
		case "properties":
			for key, inner := range v.(map[string]any) {
				described, ok := inner.(map[string]any)
				if doc, _ := described["description"].(string); ok && doc == "" && !strings.Contains(at, "/if") && !strings.Contains(at, "/then") && !strings.Contains(at, "/allOf") {
					t.Errorf("%s: the key %s has no description", at, key)
				} else if strings.HasSuffix(doc, ":") {
					t.Errorf("%s: the description of %s ends with a colon", at, key)
				}
				checkStrict(t, inner, at+"/properties/"+key, "")
			}
		case "patternProperties":
			for key, inner := range v.(map[string]any) {
				checkStrict(t, inner, at+"/patternProperties/"+key, "")
			}
		case "additionalProperties", "items":
			checkStrict(t, v, at+"/"+keyword, "")
		case "propertyNames":
			checkStrict(t, v, at+"/"+keyword, "string")
		case "not", "if", "then", "else":
			checkStrict(t, v, at+"/"+keyword, typ)
		case "anyOf", "oneOf", "allOf":
			list := v.([]any)
			if len(list) == 0 {
				t.Errorf("%s: %s is empty", at, keyword)
			}
			for i, inner := range list {
				checkStrict(t, inner, fmt.Sprintf("%s/%s/%d", at, keyword, i), typ)
			}
		case "required":
			list := v.([]any)
			if n := len(list); n == 0 || n != len(slices.Compact(slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(a.(string), b.(string)) }))) {
				t.Errorf("%s: required is %v", at, list)
			}
			properties, _ := s["properties"].(map[string]any)
			for _, key := range list {
				if _, ok := properties[key.(string)]; !ok {
					t.Errorf("%s: the required key %s is not among the properties", at, key)
				}
			}
		}
	}
}

// TestTheDefaultsOfTheSchemaAreValues: an editor writes a default into the file as it stands in the schema.
func TestTheDefaultsOfTheSchemaAreValues(t *testing.T) {
	found := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case map[string]any:
			if value, ok := v["default"]; ok && v["description"] != nil {
				found++
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				c := jsonschema.NewCompiler()
				doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
				if err != nil {
					t.Fatal(err)
				}
				if err := c.AddResource("key.json", doc); err != nil {
					t.Fatal(err)
				}
				s, err := c.Compile("key.json")
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Validate(value); err != nil {
					t.Errorf("the default %v of %q: %v", value, v["description"], err)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(printedSchema(t, "7"))
	if found < 10 {
		t.Errorf("%d defaults", found)
	}
}
