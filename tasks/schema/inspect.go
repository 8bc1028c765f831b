package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// dialect is the only one that is taken.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// MaxSize is how large a schema may be, as [Size] counts: to compile it costs the square of that.
const MaxSize = 1000

const (
	maxDepth   = 64   // levels of a schema
	maxPattern = 1000 // bytes of a regular expression
)

// inspector looks at a schema before the library does: it finds what the library would not say the place of, and what it
// would take silently, such as a misspelt keyword.
type inspector struct {
	doc     any
	faults  []*Fault
	refs    []reference
	anchors map[string]bool
	ids     bool // some part has a $id, so that references are not what they look like
	count   int
}

type reference struct{ pointer, value string }

// where says what a keyword's value is made of.
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

// formats are those that are asserted.
var formats = []string{"email", "date-time", "date", "time", "duration", "uri", "uri-reference", "uri-template", "iri", "iri-reference", "uuid", "ipv4",
	"ipv6", "hostname", "regex", "json-pointer", "relative-json-pointer", "semver", "period"}

// misspellable are the keywords that a word near to them is taken to be meant for; of shorter ones too many words are near.
var misspellable = func() []string {
	words := slices.DeleteFunc(slices.Sorted(maps.Keys(keywords)), func(w string) bool { return len(w) < 5 })
	return append(words, "type")
}()

func inspect(doc any) *inspector {
	in := &inspector{doc: doc, anchors: map[string]bool{}}
	switch doc.(type) {
	case bool, map[string]any:
	default:
		in.fault("", "", "a schema is an object, or true or false, not %s", describe(doc))
		return in
	}
	in.schema(doc, "", 0)
	for _, r := range in.refs {
		in.reference(r)
	}
	slices.SortStableFunc(in.faults, func(a, b *Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
	return in
}

func (in *inspector) fault(pointer, hint, format string, args ...any) {
	in.faults = append(in.faults, &Fault{Pointer: pointer, Hint: hint, Msg: fmt.Sprintf(format, args...)})
}

// keyFault is fault for a key.
func (in *inspector) keyFault(pointer, hint, format string, args ...any) {
	in.fault(pointer, hint, format, args...)
	in.faults[len(in.faults)-1].Key = true
}

func (in *inspector) schema(v any, at string, depth int) {
	switch {
	case in.full(at, 1):
		return
	case depth > maxDepth:
		in.fault(at, "", "the schema is nested more than %d levels deep", maxDepth)
		return
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return // what is neither an object nor a bool is told by the meta schema
	}
	for _, key := range slices.Sorted(maps.Keys(obj)) {
		value, place := obj[key], at+"/"+escape(key)
		kind, known := keywords[key]
		if !known {
			in.unknown(key, place)
			continue
		}
		switch list, _ := value.([]any); kind {
		case oneSchema:
			in.schema(value, place, depth+1)
		case aList:
			for i, sub := range list {
				in.schema(sub, place+"/"+strconv.Itoa(i), depth+1)
			}
		case aMap:
			subs, _ := value.(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(subs)) {
				in.schema(subs[name], place+"/"+escape(name), depth+1)
				if key == "patternProperties" {
					in.pattern(name, place+"/"+escape(name), true)
				}
			}
		default:
			in.keyword(key, value, place)
		}
	}
}

// full adds to the size, and says whether that is too much.
func (in *inspector) full(at string, n int) bool {
	before := in.count
	if in.count += n; in.count <= MaxSize {
		return false
	}
	if before <= MaxSize {
		in.fault(at, "", "the schema has too many parts: the maximum is %d subschemas, fewer with long patterns", MaxSize)
	}
	return true
}

// unknown looks at a key that JSON Schema doesn't know. Such a key is a note that says nothing, unless it was meant otherwise.
func (in *inspector) unknown(key, at string) {
	switch {
	case key == "$dynamicRef" || key == "$recursiveRef":
		in.keyFault(at, "$ref refers to a place in the schema", "%s is not supported", key)
	case key == "example" || strings.HasPrefix(key, "x-"):
	default:
		if hint := fault.DidYouMean(key, misspellable); hint != "" {
			in.keyFault(at, hint, "unknown keyword %q", clip(key))
		}
	}
}

func (in *inspector) keyword(key string, v any, at string) {
	in.numbers(v, at, 0)
	text, _ := v.(string)
	switch key {
	case "$schema":
		if text != "" && strings.TrimSuffix(text, "#") != dialect {
			in.fault(at, "write "+dialect+", or leave it out", "the dialect %q is not supported: schemas are JSON Schema 2020-12", clip(text))
		}
	case "$id":
		in.ids = in.ids || text != ""
	case "$anchor":
		in.anchors[text] = true
	case "$ref":
		if text != "" {
			in.refs = append(in.refs, reference{at, text})
		}
	case "pattern":
		in.pattern(text, at, false)
	case "format":
		if text != "" && !slices.Contains(formats, text) {
			if hint := fault.DidYouMean(text, formats); hint != "" {
				in.fault(at, hint, "unknown format %q", clip(text))
			}
		}
	case "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		if r := rationalOf(v); r > 1<<53 {
			in.fault(at, "", "the number is too large")
		}
	}
}

func rationalOf(v any) float64 {
	if r := rational(v); r != nil {
		f, _ := r.Float64()
		return f
	}
	return 0
}

// numbers refuses what the library would take long to look at, or would not look at at all.
func (in *inspector) numbers(v any, at string, depth int) {
	if depth > maxDepth {
		in.fault(at, "", "the value is nested more than %d levels deep", maxDepth)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			in.numbers(v[k], at+"/"+escape(k), depth+1)
		}
	case []any:
		for i, e := range v {
			in.numbers(e, at+"/"+strconv.Itoa(i), depth+1)
		}
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			in.fault(at, "", "JSON has no number like this one")
		}
	case json.Number:
		if rational(v) == nil {
			in.fault(at, "", "the number is too large")
		}
	}
}

// pattern looks at a regular expression, which is a value or a key.
func (in *inspector) pattern(text, at string, key bool) {
	fault := in.fault
	if key {
		fault = in.keyFault
	}
	if len(text) > maxPattern {
		fault(at, "", "the regular expression has %d bytes: the maximum is %d", len(text), maxPattern)
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
		fault(at, hint, "%s is not a valid regular expression: %s: %s", brief(text), se.Code, clip(se.Expr))
	case err != nil:
		fault(at, "", "%s is not a valid regular expression: %v", brief(text), err)
	default:
		in.full(at, expression.PatternWeight(parsed)/20)
	}
}

// reference looks at a $ref, when the whole schema has been seen. One that $id's play a part in is left to the library.
func (in *inspector) reference(r reference) {
	fragment, local := strings.CutPrefix(r.value, "#")
	switch {
	case in.ids:
	case !local:
		in.fault(r.pointer, hintRef, "$ref %q leads out of the schema", clip(r.value))
	case fragment == "":
	case strings.HasPrefix(fragment, "/"):
		target, ok := Lookup(in.doc, unescapeFragment(fragment))
		_, isObject := target.(map[string]any)
		_, isBool := target.(bool)
		if ok && (isObject || isBool) {
			return
		}
		hint := ""
		if strings.HasPrefix(fragment, "/$defs/") {
			defs, _ := Lookup(in.doc, "/$defs")
			m, _ := defs.(map[string]any)
			var known []string
			for _, name := range slices.Sorted(maps.Keys(m)) {
				known = append(known, "#/$defs/"+name)
			}
			hint = fault.DidYouMean(r.value, known)
		}
		in.fault(r.pointer, hint, "$ref %q leads to nothing in this schema", clip(r.value))
	case !in.anchors[fragment]:
		in.fault(r.pointer, "", "$ref %q leads to nothing in this schema: no part of it has that $anchor", clip(r.value))
	}
}
