package schema

import (
	"fmt"
	"strings"
	"testing"

	"evrun/events"
)

func decode(t testing.TB, text string) any {
	t.Helper()
	v, err := events.ParseJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func compile(t testing.TB, text string) *Schema {
	t.Helper()
	s, faults := Compile(decode(t, text))
	if len(faults) > 0 {
		t.Fatalf("%s: %v", text, faults)
	}
	return s
}

const user = `{"type": "object", "required": ["name", "email"], "additionalProperties": false,
	"properties": {"name": {"type": "string", "minLength": 1}, "email": {"type": "string", "format": "email"}, "age": {"type": "integer", "minimum": 0}}}`

func TestAllViolationsAreReportedWithTheirPointers(t *testing.T) {
	for _, test := range []struct{ schema, value, want string }{
		{user, `{"name":"Ada","email":"ada@example.com","age":36}`, ""},
		{user, `{"name":"","emial":"x","age":"36"}`,
			`/age: must be an integer, not the string "36"; /email: is missing; /emial: is not allowed; did you mean "email"?; /name: has 0 characters: the minimum is 1`},
		{user, `{"name":"Ada","email":"ada"}`, `/email: "ada" is not a valid email: missing @`},
		{user, `5`, `must be an object, not the number 5`},
		{`{"properties":{"a/b":{"properties":{"c~d":{"items":{"type":"string"}}}}}}`, `{"a/b":{"c~d":["x",1,"y",null]}}`,
			`/a~1b/c~0d/1: must be a string, not the number 1; /a~1b/c~0d/3: must be a string, not null`},
		{`{"minimum":9007199254740993}`, `9007199254740993`, ""},
		{`{"minimum":9007199254740993}`, `9007199254740992`, `9007199254740992 is too small: the minimum is 9007199254740993`},
		{`{"const":9007199254740993}`, `9007199254740992`, `must be 9007199254740993, not the number 9007199254740992`},
		{`{"exclusiveMaximum":18446744073709551616}`, `18446744073709551615`, ""},
		{`{"exclusiveMaximum":18446744073709551616}`, `18446744073709551616`, `18446744073709551616 is too large: it must be under 18446744073709551616`},
		{`{"multipleOf":0.01}`, `0.07`, ""},
		{`{"multipleOf":0.01}`, `0.075`, `0.075 is not a multiple of 0.01`},
		{`{"type":"integer"}`, `1.0`, ""},
		{`{"type":"integer"}`, `1.5`, `must be an integer, not the number 1.5`},
		{`{"type":["string","null"]}`, `true`, `must be null or a string, not true`},
		{`{"enum":["a","b",null]}`, `"c"`, `must be "a", "b" or null, not the string "c"`},
		{`{"enum":[1.0]}`, `1`, ""},
		{`{"uniqueItems":true}`, `[1,{"a":[1]},2,{"a":[1.0]}]`, `items 1 and 3 are the same: each may be given once`},
		{`{"uniqueItems":true}`, `["1",1,true,"true",null,"n",[],{}]`, ""},
		{`{"pattern":"^[a-z]+$"}`, `"A"`, `"A" doesn't match the pattern ^[a-z]+$`},
		{`{"minItems":2,"maxItems":1}`, `[1,2]`, `has 2 items: the maximum is 1`},
		{`{"prefixItems":[{"type":"string"}],"items":false}`, `["a",2]`, `/1: is not allowed`},
		{`{"contains":{"type":"string"}}`, `[1]`, `has 0 items that "contains" asks for: the minimum is 1`},
		{`{"contains":{"type":"string"},"minContains":0}`, `[]`, ""},
		{`{"propertyNames":{"maxLength":2}}`, `{"abc":1}`, `/abc: the key isn't allowed: has 3 characters: the maximum is 2`},
		{`{"items":{"propertyNames":{"maxLength":2}}}`, `[{"abc":1},{"a":1}]`, `/0/abc: the key isn't allowed: has 3 characters: the maximum is 2`},
		{`{"dependentRequired":{"card":["address"]}}`, `{"card":1}`, `/address: is missing: it is required where "card" is given`},
		{`{"not":{"type":"string"}}`, `"x"`, `is excluded by "not"`},
		{`{"if":{"properties":{"a":{"const":1}}},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{"a":1}`, `/b: is missing`},
		{`{"if":{"properties":{"a":{"const":1}}},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{"a":2}`, `/c: is missing`},
		{`{"anyOf":[{"type":"string"},{"type":"object","required":["a","b"]},{"type":"object","required":["a"]}]}`, `{}`,
			`fits none of the 3 alternatives of "anyOf"; /a: is missing`},
		{`{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `true`, `fits none of the 2 alternatives of "anyOf"`},
		{`{"oneOf":[{"type":"integer"},{"minimum":2}]}`, `3`, `fits alternatives 1 and 2 of "oneOf": it must fit only one`},
		{`{"allOf":[{"properties":{"a":true}},{"properties":{"b":true}}],"unevaluatedProperties":false}`, `{"a":1,"b":1,"c":1}`, `/c: is not allowed`},
		{`{"$ref":"#/$defs/t","$defs":{"t":{"properties":{"next":{"$ref":"#/$defs/t"},"n":{"type":"integer"}}}}}`, `{"n":1,"next":{"n":2,"next":{"n":"3"}}}`,
			`/next/next/n: must be an integer, not the string "3"`},
		{`{"$ref":"#t","$defs":{"x":{"$anchor":"t","type":"null"}}}`, `1`, `must be null, not the number 1`},
		{`{"$id":"https://example.com/a","$ref":"b","$defs":{"x":{"$id":"b","type":"null"}}}`, `1`, `must be null, not the number 1`},
		{`{"format":"date-time"}`, `"2026-02-30T00:00:00Z"`,
			`"2026-02-30T00:00:00Z" is not a valid date-time: invalid date element: parsing time "2026-02-30": day out of range`},
		{`{"format":"uuid"}`, `"x"`, `"x" is not a valid uuid: must have 5 elements`},
		{`{"format":"ipv4"}`, `"1.2.3.400"`, `"1.2.3.400" is not a valid ipv4: decimal must be between 0 and 255`},
		{`{"format":"uri"}`, `"/a"`, `"/a" is not a valid uri: relative url`},
		{`{"format":"double"}`, `"what nobody knows is a note"`, ""},
		{`{"type":"number"}`, `1e400`, ""},
		{`{"type":"integer"}`, `1e400`, ""},
		{`{"maximum":1}`, `1e999999`, `has too many digits to be checked`},
		{`false`, `1`, `is not allowed`},
		{`true`, `1`, ``},
	} {
		s := compile(t, test.schema)
		for range 5 { // the order is not that of Go's maps
			list, more := s.Check(decode(t, test.value))
			if got := Join(list, more); got != test.want {
				t.Errorf("%s of %s:\ngot  %s\nwant %s", test.value, test.schema, got, test.want)
				break
			}
		}
	}
}

func TestSoManyViolationsAreReportedAndNoMore(t *testing.T) {
	s := compile(t, `{"items":{"type":"string"}}`)
	list, more := s.Check(decode(t, "["+strings.Repeat("1,", 999)+"1]"))
	if len(list) != MaxViolations || more != 1000-MaxViolations || list[19].Pointer != "/19" {
		t.Errorf("%d and %d more, the last at %s", len(list), more, list[len(list)-1].Pointer)
	}
	if !strings.HasSuffix(Join(list, more), "; and 980 more") {
		t.Error(Join(list, more))
	}
}

func TestFaultsOfASchemaHaveTheirPlace(t *testing.T) {
	for schema, want := range map[string]string{
		`5`:                                          `a schema is an object, or true or false, not the number 5`,
		`{"type":"strin"}`:                           `type: this is not valid JSON Schema: `,
		`{"properties":{"a":{"type":7}}}`:            `properties.a.type: this is not valid JSON Schema: `,
		`{"properties":[]}`:                          `properties: this is not valid JSON Schema: got array, want object`,
		`{"properties":{"a/b":3}}`:                   `properties["a/b"]: this is not valid JSON Schema: got number, want boolean or object`,
		`{"minLength":-1}`:                           `minLength: this is not valid JSON Schema: minimum: got -1, want 0`,
		`{"requird":["a"]}`:                          `requird: unknown keyword "requird"; did you mean "required"?`,
		`{"format":"emial"}`:                         `format: unknown format "emial"; did you mean "email"?`,
		`{"$ref":"https://example.com/x.json"}`:      `$ref: $ref "https://example.com/x.json" leads out of the schema; ` + hintRef,
		`{"$ref":"file:///etc/passwd"}`:              `$ref: $ref "file:///etc/passwd" leads out of the schema; ` + hintRef,
		`{"$ref":"other.json#/a"}`:                   `$ref: $ref "other.json#/a" leads out of the schema; ` + hintRef,
		`{"$ref":"` + dialect + `"}`:                 `$ref: $ref "https://json-schema.org/draft/2020-12/schema" leads out of the schema; ` + hintRef,
		`{"$id":"https://a.b/c","$ref":"d"}`:         `$ref: $ref "d" leads to nothing in this schema; ` + hintRef,
		`{"$ref":"#/$defs/usr","$defs":{"user":{}}}`: `$ref: $ref "#/$defs/usr" leads to nothing in this schema; did you mean "#/$defs/user"?`,
		`{"$ref":"#here"}`:                           `$ref: $ref "#here" leads to nothing in this schema: no part of it has that $anchor`,
		`{"$ref":"#"}`:                               `this schema refers to itself without end; let it refer to itself from within a property or an item`,
		`{"properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"allOf":[{"$ref":"#/$defs/b"}]}}}`: `$defs.b: this schema refers to itself without end; let it refer to itself from within a property or an item`,
		`{"$dynamicRef":"#a"}`:                                  `$dynamicRef: $dynamicRef is not supported; $ref refers to a place in the schema`,
		`{"pattern":"(?=a)b"}`:                                  `pattern: "(?=a)b" is not a valid regular expression: invalid or unsupported Perl syntax: (?=; patterns are Go's (RE2): they have no look-ahead and no look-behind`,
		`{"patternProperties":{"(":true}}`:                      `patternProperties["("]: "(" is not a valid regular expression: missing closing ): (`,
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`: `$schema: the dialect "http://json-schema.org/draft-07/schema#" is not supported: schemas are JSON Schema 2020-12; write ` + dialect + `, or leave it out`,
		`{"minimum":1e999999}`:                                  `minimum: the number is too large`,
		`{"maxLength":1e30}`:                                    `maxLength: the number is too large`,
		`{"pattern":"` + strings.Repeat("a", 1001) + `"}`:       `pattern: the regular expression has 1001 bytes: the maximum is 1000`,
	} {
		s, faults := Compile(decode(t, schema))
		if s != nil || len(faults) == 0 || !strings.HasPrefix(faults[0].Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", schema, faults, want)
		}
	}
}

func TestAllFaultsOfASchemaAreReportedAtOnce(t *testing.T) {
	_, faults := Compile(decode(t, `{"properties":{"a":{"patern":"x"},"b":{"$ref":"x.json"},"c":{"pattern":"["}},"requird":[]}`))
	if len(faults) != 4 {
		t.Errorf("%v", faults)
	}
	_, faults = Compile(decode(t, `{"properties":{"a":{"type":"x"},"b":{"minItems":"y"}},"required":5}`))
	if len(faults) != 3 {
		t.Errorf("%v", faults)
	}
}

func TestASchemaLeadsBackToItselfInOneWayOnly(t *testing.T) {
	for schema, want := range map[string]string{
		`{"items":{"$ref":"#"}}`:                                                                                                    "",
		`{"properties":{"l":{"$ref":"#"},"r":{"$ref":"#"}}}`:                                                                        "",
		`{"properties":{"l":{"$ref":"#"}},"additionalProperties":{"$ref":"#"}}`:                                                     "",
		`{"prefixItems":[{"$ref":"#"}],"items":{"$ref":"#"}}`:                                                                       "",
		`{"anyOf":[{"type":"string"},{"type":"array","items":{"$ref":"#"}}]}`:                                                       "",
		`{"oneOf":[{"required":["and"],"properties":{"and":{"items":{"$ref":"#"}}}},{"properties":{"or":{"items":{"$ref":"#"}}}}]}`: "",
		`{"oneOf":[{"properties":{"a":{"$ref":"#"}}},{"items":{"$ref":"#"}}]}`:                                                      "",
		`{"allOf":[{"$ref":"#/$defs/t"},{"$ref":"#/$defs/t"}],"$defs":{"t":{"items":{"$ref":"#/$defs/t"}}}}`:                        "",
		`{"propertyNames":{"$ref":"#"},"properties":{"a":{"$ref":"#"}}}`:                                                            "",
		`{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["x"]},{"properties":{"a":{"$ref":"#"}}}]}`:                          "anyOf[1]: this schema leads back to itself a second time",
		`{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"additionalProperties":{"$ref":"#"}}]}`:                                       "allOf[1]: this schema leads back to itself a second time",
		`{"if":{"items":{"$ref":"#"}},"then":{"items":{"$ref":"#"}}}`:                                                               "then: this schema leads back to itself a second time",
		`{"items":{"$ref":"#"},"contains":{"$ref":"#"}}`:                                                                            "this schema leads back to itself a second time",
		`{"patternProperties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}`:                                                                 "this schema leads back to itself a second time",
		`{"items":{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}}`:                                                                           "this schema leads back to itself a second time",
		`{"not":{"$ref":"#"}}`: "this schema refers to itself without end",
	} {
		s, faults := Compile(decode(t, schema))
		if want == "" && s == nil || want != "" && (s != nil || !strings.HasPrefix(faults[0].Error(), want)) {
			t.Errorf("%s:\ngot  %v\nwant %s", schema, faults, want)
		}
	}
}

// doubling is a schema without recursion that takes 2ⁿ steps.
func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%[2]d"}]},`, i, i+1)
	}
	return fmt.Sprintf(`{"$ref":"#/$defs/d0","$defs":{%s"d%d":{"type":"string"}}}`, b.String(), n)
}

// sameHash gives different lists that the library writes alike when it makes a hash of them: one string in two, or the byte
// that begins a string within it.
func sameHash(n int) []string {
	lists := make([]string, n)
	for i := range n {
		list := `["a`
		for bit := range 13 {
			if i>>bit&1 == 1 {
				list += `","a`
			} else {
				list += `\u0004a`
			}
		}
		lists[i] = list + `"]`
	}
	return lists
}

// The check of even a very wrong or costly value ends with a violation.
func TestCostlyChecksEnd(t *testing.T) {
	nested := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	const long = "to check it would take too long"
	for name, test := range map[string]struct{ schema, value, want string }{
		"a recursive alternative":    {`{"anyOf":[{"type":"string"},{"items":{"$ref":"#"},"type":"array"}]}`, nested(`[`, `1`, `]`, 400), "fits none of the 2 alternatives"},
		"parts that double":          {doubling(30), `1`, long},
		"deep":                       {`{"items":{"$ref":"#"},"type":"array"}`, nested(`[`, `1`, `]`, 400), "must be an array, not the number 1"},
		"deeper than an event":       {`{"items":{"$ref":"#"},"type":"array"}`, nested(`[`, `1`, `]`, 9000), "it doesn't fit, and it is too large to say where"},
		"many wrong items":           {`{"items":{"type":"string"}}`, "[" + strings.Repeat("1,", 200_000) + "1]", "and 199981 more"},
		"too many wrong items":       {`{"items":{"type":"string"}}`, "[" + strings.Repeat("1,", 500_000) + "1]", "it doesn't fit, and it is too large to say where"},
		"deep with many wrong items": {`{"items":{"$ref":"#"},"type":"array"}`, nested(`[`, strings.Repeat("1,", 100_000)+"1", `]`, 400), "it doesn't fit, and it is too large to say where"},
		"items that share a hash":    {`{"uniqueItems":true}`, "[" + strings.Join(sameHash(1<<13), ",") + "]", ""},
		"twenty large items":         {`{"uniqueItems":true}`, "[" + strings.Repeat("["+strings.Repeat("1.5,", 5000)+"1],", 18) + "2,3]", "items 0 and 1 are the same"},
		"many equal strings":         {`{"uniqueItems":true}`, "[" + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaa",`, 40_000) + "1]", "items 0 and 1 are the same"},
		"a large enum":               {`{"items":{"enum":[` + strings.Repeat("1,", 5000) + `2]}}`, "[" + strings.Repeat("3,", 100_000) + "3]", long},
		"huge exponents":             {`{"items":{"type":"integer","multipleOf":3,"minimum":1}}`, "[" + strings.Repeat("1e999999,", 10_000) + "1e9]", "too many digits"},
		"a number of a megabyte":     {`{"multipleOf":3}`, strings.Repeat("9", 1<<20), "too many digits"},
		"a slow pattern":             {`{"pattern":"(x?){900}y"}`, `"` + strings.Repeat("x", 1<<20) + `"`, "too long to be matched against a pattern"},
		"many slow patterns":         {`{"items":{"pattern":"(x?){90}y"}}`, "[" + strings.Repeat(`"`+strings.Repeat("x", 10_000)+`",`, 90) + `"y"]`, long},
		"many large exponents":       {`{"items":{"type":"integer","minimum":1}}`, "[" + strings.Repeat("1e999,", 150_000) + "1]", long},
		"a pattern as data":          {`{"format":"regex"}`, `"` + strings.Repeat("(a{1,1000}b{1,900})", 50) + `"`, "its repetitions make it too large"},
		"a long pattern as data":     {`{"format":"regex"}`, `"` + strings.Repeat("a", 2000) + `"`, "it has 2000 bytes: the maximum is 1000"},
		"long names and patterns":    {`{"patternProperties":{"(x?){900}y":false}}`, `{"` + strings.Repeat("x", 1<<10) + `":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, test.schema)
			list, more := s.Check(decode(t, test.value))
			if got := Join(list, more); !strings.Contains(got, test.want) {
				t.Errorf("got %.300s, want %s", got, test.want)
			}
		})
	}
}

func TestOneSchemaChecksManyValuesAtATime(t *testing.T) {
	s := compile(t, user)
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for n := range 200 {
				v := decode(t, fmt.Sprintf(`{"name":"Ada","email":"ada@example.com","age":%d}`, n-100))
				if list, _ := s.Check(v); (len(list) == 0) != (n >= 100) {
					t.Errorf("%d: %v", n, list)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	s := compile(b, user)
	for name, text := range map[string]string{"fits": `{"name":"Ada","email":"ada@example.com","age":36}`, "refused": `{"name":"","emial":"x","age":"36"}`} {
		data := []byte(text)
		v := decode(b, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Check(v)
			}
		})
		b.Run(name+", decoded first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v, _ := events.ParseJSON(data)
				s.Check(v)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, `,"p%d":{"type":"string","minLength":1}`, i)
	}
	for name, text := range map[string]string{"3 properties": user, "300 properties": `{"properties":{` + many.String()[1:] + `}}`} {
		doc := decode(b, text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, faults := Compile(doc); faults != nil {
					b.Fatal(faults)
				}
			}
		})
	}
}
