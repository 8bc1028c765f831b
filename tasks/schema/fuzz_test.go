package schema

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/events"
)

// FuzzCheck compares the verdict on any value under any schema with the library's own, without extensions, and with a second
// check of ours.
func FuzzCheck(f *testing.F) {
	for schema, value := range map[string]string{
		user: `{"name":"Ada","email":"ada@example.com","age":36}`,
		`{"anyOf":[{"required":["a"]},{"properties":{"b":{"enum":[1,"x",null]}}}],"unevaluatedProperties":{"type":"integer"}}`:               `{"b":1.0,"c":2}`,
		`{"prefixItems":[true,{"type":"string"}],"contains":{"minimum":5},"maxContains":2,"unevaluatedItems":false,"uniqueItems":true}`:      `[1,"x",7]`,
		`{"oneOf":[{"type":"number","multipleOf":0.1},{"exclusiveMinimum":3}],"not":{"const":4}}`:                                            `3.3`,
		`{"if":{"properties":{"a":{"const":1}},"required":["a"]},"then":{"required":["b"]},"else":{"patternProperties":{"^x":false}}}`:       `{"a":1,"b":2}`,
		`{"$ref":"#/$defs/t","$defs":{"t":{"properties":{"l":{"$ref":"#/$defs/t"},"r":{"$ref":"#/$defs/t"}},"additionalProperties":false}}}`: `{"l":{"r":{}}}`,
		`{"dependentSchemas":{"a":{"minProperties":2,"propertyNames":{"pattern":"^[a-z]$"}}},"dependentRequired":{"b":["a"]}}`:               `{"a":1,"b":2}`,
		`{"allOf":[{"properties":{"a":true}},{"items":{"format":"date-time"}}],"minItems":1,"maxItems":3}`:                                   `["2026-01-01T00:00:00Z"]`,
		`{"type":["string","null"],"minLength":2,"maxLength":3,"format":"ipv4"}`:                                                             `"äöü"`,
	} {
		f.Add(schema, value)
	}
	f.Fuzz(func(t *testing.T, schema, value string) {
		if len(schema) > 2000 || len(value) > 200 {
			return
		}
		doc, err := events.ParseJSON([]byte(schema))
		if err != nil {
			return
		}
		v, err := events.ParseJSON([]byte(value))
		if err != nil {
			return
		}
		s, faults := Compile(doc)
		if (s == nil) == (len(faults) == 0) {
			t.Fatalf("%v and %v", s, faults)
		}
		if s == nil {
			for _, fault := range faults {
				if fault.Message == "" {
					t.Errorf("%+v", fault)
				}
			}
			return
		}
		list, more := s.Check(v)
		text := Join(list, more)
		if again, more := s.Check(v); Join(again, more) != text && !strings.Contains(schema, "patternProperties") {
			t.Errorf("%s\nand then %s", text, Join(again, more))
		}
		for _, violation := range list {
			if violation.Message == "" || strings.Contains(violation.Message, "can't be checked") {
				t.Errorf("%+v", violation)
			}
		}
		if strings.ContainsAny(value, "eE") || strings.Contains(text, "too") {
			return // numbers and texts that are not passed to the library
		}
		if err := plain(t, doc).Validate(v); (err == nil) != (len(list) == 0) {
			t.Errorf("we say %q, the library says %v", text, err)
		}
	})
}

// plain compiles a schema without extensions.
func plain(t *testing.T, doc any) *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(base, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(base)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
