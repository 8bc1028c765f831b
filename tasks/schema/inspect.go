package schema

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"evrun/tasks/expression/regex"
	"evrun/tasks/fault"
)

// dialect is the only accepted dialect.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// MaxSize is how many subschemas a schema may have. 20 instructions of a regular expression count as one more. Each costs 20 µs
// and 10 KB to compile.
const MaxSize = 1000

const (
	maxDepth   = 64   // levels of a schema
	maxPattern = 1000 // bytes of a regular expression
)

// inspector checks a schema before the library does. It finds faults that the library reports without a place, or not at all, such as a misspelt
// keyword.
type inspector struct {
	doc     any
	faults  []*fault.Fault
	refs    []reference
	anchors map[string]bool
	ids     bool // a part has a $id, so references are resolved against it
	count   int
}

type reference struct {
	path  []any
	value string
}

// where says where a keyword's value has schemas.
type where uint8

const (
	noSchema  where = iota
	oneSchema       // a schema
	aList           // a list of schemas
	aMap            // a map of schemas
)

// keywords are those of JSON Schema 2020-12.
var keywords = map[string]where{
	"$schema": noSchema, "$id": noSchema, "$ref": noSchema, "$anchor": noSchema, "$comment": noSchema, "$defs": aMap, "definitions": aMap,
	"type": noSchema, "enum": noSchema, "const": noSchema, "format": noSchema, "title": noSchema, "description": noSchema, "default": noSchema,
	"examples": noSchema, "deprecated": noSchema, "readOnly": noSchema, "writeOnly": noSchema,
	"allOf": aList, "anyOf": aList, "oneOf": aList, "not": oneSchema, "if": oneSchema, "then": oneSchema, "else": oneSchema,
	"properties": aMap, "patternProperties": aMap, "additionalProperties": oneSchema, "propertyNames": oneSchema, "required": noSchema,
	"minProperties": noSchema, "maxProperties": noSchema, "dependentRequired": noSchema, "dependentSchemas": aMap,
	"unevaluatedProperties": oneSchema, "unevaluatedItems": oneSchema, "items": oneSchema, "prefixItems": aList, "contains": oneSchema,
	"minContains": noSchema, "maxContains": noSchema, "minItems": noSchema, "maxItems": noSchema, "uniqueItems": noSchema,
	"minLength": noSchema, "maxLength": noSchema, "pattern": noSchema, "minimum": noSchema, "maximum": noSchema,
	"exclusiveMinimum": noSchema, "exclusiveMaximum": noSchema, "multipleOf": noSchema,
	"contentEncoding": noSchema, "contentMediaType": noSchema, "contentSchema": oneSchema,
}

// formats are the formats that are asserted.
var formats = []string{"email", "date-time", "date", "time", "duration", "uri", "uri-reference", "uri-template", "iri", "iri-reference", "uuid", "ipv4",
	"ipv6", "hostname", "regex", "json-pointer", "relative-json-pointer", "semver", "period"}

// misspellable are the keywords that are suggested for a similar word. Shorter keywords are not: too many words are similar to them.
var misspellable = func() []string {
	words := slices.DeleteFunc(slices.Sorted(maps.Keys(keywords)), func(w string) bool { return len(w) < 5 })
	return append(words, "type")
}()

func inspect(doc any) *inspector {
	in := &inspector{doc: doc, anchors: map[string]bool{}}
	switch doc.(type) {
	case bool, map[string]any:
	default:
		in.fault(nil, "", "a schema is an object, or true or false, not %s", describe(doc))
		return in
	}
	in.schema(doc, nil)
	for _, r := range in.refs {
		in.reference(r)
	}
	slices.SortStableFunc(in.faults, func(a, b *fault.Fault) int { return comparePaths(a.Path, b.Path) })
	return in
}

func (in *inspector) fault(path []any, hint, format string, args ...any) {
	f := fault.At(path, format, args...)
	f.Hint = hint
	in.faults = append(in.faults, f)
}

// keyFault is fault for a key.
func (in *inspector) keyFault(path []any, hint, format string, args ...any) {
	in.fault(path, hint, format, args...)
	in.faults[len(in.faults)-1].Key = true
}

func (in *inspector) schema(v any, at []any) {
	switch {
	case in.full(at, 1):
		return
	case len(at) > 2*maxDepth:
		in.fault(at, "", "the schema is nested more than %d levels deep", maxDepth)
		return
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return // the meta schema reports any other value
	}
	for _, key := range slices.Sorted(maps.Keys(obj)) {
		value, place := obj[key], append(at, key)
		kind, known := keywords[key]
		if !known {
			in.unknown(key, place)
			continue
		}
		switch list, _ := value.([]any); kind {
		case oneSchema:
			in.schema(value, place)
		case aList:
			for i, sub := range list {
				in.schema(sub, append(place, i))
			}
		case aMap:
			subs, _ := value.(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(subs)) {
				in.schema(subs[name], append(place, name))
				if key == "patternProperties" {
					in.pattern(name, append(place, name), true)
				}
			}
		default:
			in.keyword(key, value, place)
		}
	}
}

// full adds to the size, and reports whether it is too large now.
func (in *inspector) full(at []any, n int) bool {
	before := in.count
	if in.count += n; in.count <= MaxSize {
		return false
	}
	if before <= MaxSize {
		in.fault(at, "", "the schema has too many parts: the maximum is %d subschemas, fewer with long patterns", MaxSize)
	}
	return true
}

// unknown checks a key that is not in JSON Schema. Such a key is allowed as a note, unless it is similar to a keyword.
func (in *inspector) unknown(key string, at []any) {
	switch {
	case key == "$dynamicRef" || key == "$recursiveRef":
		in.keyFault(at, "$ref refers to a place in the schema", "%s is not supported", key)
	case key == "dependencies":
		in.keyFault(at, "write dependentRequired or dependentSchemas", "%s is not supported", key)
	case key == "example" || strings.HasPrefix(key, "x-"):
	default:
		if hint := fault.DidYouMean(key, misspellable); hint != "" {
			in.keyFault(at, hint, "unknown keyword %q", fault.Clip(key, 60))
		}
	}
}

func (in *inspector) keyword(key string, v any, at []any) {
	in.numbers(v, at)
	text, _ := v.(string)
	switch key {
	case "$schema":
		if text != "" && strings.TrimSuffix(text, "#") != dialect {
			in.fault(at, "write "+dialect+", or leave it out", "the dialect %q is not supported: schemas are JSON Schema 2020-12", fault.Clip(text, 60))
		}
	case "$id":
		in.ids = in.ids || text != ""
	case "$anchor":
		in.anchors[text] = true
	case "$ref":
		if text != "" {
			in.refs = append(in.refs, reference{slices.Clone(at), text})
		}
	case "pattern":
		in.pattern(text, at, false)
	case "format":
		if text != "" && !slices.Contains(formats, text) {
			if hint := fault.DidYouMean(text, formats); hint != "" {
				in.fault(at, hint, "unknown format %q", fault.Clip(text, 60))
			}
		}
	case "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		if number(v) > 1<<53 {
			in.fault(at, "", "the number is too large")
		}
	}
}

// number returns the approximate value of a number; 0 for anything else.
func number(v any) float64 {
	f, _ := strconv.ParseFloat(numberText(v), 64)
	return f
}

// numbers refuses numbers and nesting that would take the library too long, or that it would not check.
func (in *inspector) numbers(v any, at []any) {
	if len(at) > 3*maxDepth {
		in.fault(at, "", "the value is nested more than %d levels deep", maxDepth)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			in.numbers(v[k], append(at, k))
		}
	case []any:
		for i, e := range v {
			in.numbers(e, append(at, i))
		}
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			in.fault(at, "", "JSON has no number like this one")
		}
	case json.Number:
		if m := (meter{limit: maxUnits}); !m.number(v) {
			in.fault(at, "", "the number is too large")
		}
	}
}

// pattern checks a regular expression, which is a value or a key.
func (in *inspector) pattern(text string, at []any, key bool) {
	report := in.fault
	if key {
		report = in.keyFault
	}
	if len(text) > maxPattern {
		report(at, "", "the regular expression has %d bytes: the maximum is %d", len(text), maxPattern)
		return
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	var se *syntax.Error
	switch {
	case errors.As(err, &se):
		hint := ""
		if strings.HasPrefix(se.Expr, "(?") {
			hint = "patterns are Go's (RE2): they have no look-ahead and no look-behind"
		}
		report(at, hint, "%s is not a valid regular expression: %s: %s", brief(text), se.Code, fault.Clip(se.Expr, 60))
	case err != nil:
		report(at, "", "%s is not a valid regular expression: %v", brief(text), err)
	default:
		in.full(at, regex.Weight(parsed)/20)
	}
}

// reference checks a $ref after the whole schema has been read. The library checks references in schemas with a $id.
func (in *inspector) reference(r reference) {
	fragment, local := strings.CutPrefix(r.value, "#")
	switch {
	case in.ids:
	case !local:
		in.fault(r.path, hintRef, "$ref %q leads out of the schema", fault.Clip(r.value, 60))
	case fragment == "":
	case strings.HasPrefix(fragment, "/"):
		target, ok := lookup(in.doc, pathIn(in.doc, fragment))
		_, isObject := target.(map[string]any)
		_, isBool := target.(bool)
		if ok && (isObject || isBool) {
			return
		}
		hint := ""
		if strings.HasPrefix(fragment, "/$defs/") {
			defs, _ := lookup(in.doc, []any{"$defs"})
			m, _ := defs.(map[string]any)
			var known []string
			for _, name := range slices.Sorted(maps.Keys(m)) {
				known = append(known, "#/$defs/"+name)
			}
			hint = fault.DidYouMean(r.value, known)
		}
		in.fault(r.path, hint, "$ref %q leads to nothing in this schema", fault.Clip(r.value, 60))
	case !in.anchors[fragment]:
		in.fault(r.path, "", "$ref %q leads to nothing in this schema: no part of it has that $anchor", fault.Clip(r.value, 60))
	}
}
