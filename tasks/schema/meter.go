package schema

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// maxUnits bounds a check: a unit is about 100 ns of the library's work, and the whole about a second.
	maxUnits = 6_000_000
	// maxMemory bounds the bytes that the errors of a check may take.
	maxMemory = 64 << 20

	perVisit = 3   // units of one subschema on one value
	perError = 200 // bytes of an error, without its place

	// maxNumber is the maximum length and exponent of a number that is checked exactly.
	maxNumber = 1000
	// maxPatternText is the maximum length, in bytes, of a text or a key that is matched against a pattern.
	maxPatternText = 64 << 10
)

// meter computes an upper bound of the work to check a value. It follows all paths that the library may follow, and evaluates nothing.
type meter struct {
	units, limit int
	memory       int
	literals     map[*jsonschema.Schema]int
	path         []token    // of the value that is looked at
	odd          *Violation // a value that the library can't handle
}

// token is a step into a value: an index, or a key.
type token struct {
	key   string
	index int // -1: it is a key
}

// visit counts the check of a value and everything in it against a schema. It returns false if that exceeds the limit, or the library can't handle
// the value.
func (m *meter) visit(s *jsonschema.Schema, v any) bool {
	m.memory += perError + 16*len(m.path)
	if !m.add(perVisit + m.literal(s, v)) {
		return false
	}
	switch v := v.(type) {
	case string:
		if !m.text(s, v) {
			return false
		}
	case json.Number:
		if !m.number(v) {
			return false
		}
	case []any:
		if !m.array(s, v) {
			return false
		}
	case map[string]any:
		if !m.object(s, v) {
			return false
		}
	}
	return applied(s, func(sub *jsonschema.Schema) bool { return m.visit(sub, v) })
}

func (m *meter) add(units int) bool {
	m.units += units
	return m.units <= m.limit
}

// within visits a member of the present value.
func (m *meter) within(t token, s *jsonschema.Schema, v any) bool {
	m.path = append(m.path, t)
	ok := m.visit(s, v)
	m.path = m.path[:len(m.path)-1]
	return ok
}

// refuse records a value that the library can't handle, and returns false.
func (m *meter) refuse(format string, args ...any) bool {
	path := make([]any, len(m.path))
	for i, t := range m.path {
		if path[i] = t.key; t.index >= 0 {
			path[i] = t.index
		}
	}
	odd := violation(path, format, args...)
	m.odd = &odd
	return false
}

// literal counts the comparison of v with const and enum: numbers are compared as fractions.
func (m *meter) literal(s *jsonschema.Schema, v any) int {
	switch v.(type) {
	case nil, bool, string:
		return m.literals[s] / 16
	}
	return 6 * m.literals[s]
}

func (m *meter) text(s *jsonschema.Schema, text string) bool {
	if s.Pattern != nil && len(text) <= maxPatternText && !m.match(s.Pattern, text) {
		return false
	}
	return m.add(len(text) / 32)
}

// match counts a text against a pattern: the length of the one times that of the other.
func (m *meter) match(re jsonschema.Regexp, text string) bool {
	return m.add(1 + (8+len(text))*(8+re.(*pattern).weight)/32)
}

func (m *meter) number(n json.Number) bool {
	text, exponent := string(n), 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(text[i+1:]); err != nil {
			exponent = maxNumber + 1
		}
	}
	if len(text) > maxNumber || exponent > maxNumber || exponent < -maxNumber {
		return m.refuse("has too many digits to be checked")
	}
	return m.add(len(text)/8 + max(exponent, -exponent)/8)
}

func (m *meter) array(s *jsonschema.Schema, list []any) bool {
	if !m.add(len(list) / 4) {
		return false
	}
	if _, unique := extension[uniqueItems](s); unique && !m.size(list) {
		return false
	}
	for i, v := range list {
		at := token{index: i}
		for _, sub := range []*jsonschema.Schema{itemSchema(s, i), s.Contains, s.UnevaluatedItems} {
			if sub != nil && !m.within(at, sub, v) {
				return false
			}
		}
	}
	return true
}

// itemSchema returns the schema for the item at i; nil if there is none.
func itemSchema(s *jsonschema.Schema, i int) *jsonschema.Schema {
	if i < len(s.PrefixItems) {
		return s.PrefixItems[i]
	}
	return s.Items2020
}

func (m *meter) object(s *jsonschema.Schema, obj map[string]any) bool {
	if !m.add((len(obj) + len(s.Required)) / 4) {
		return false
	}
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
	names, hasNames := extension[propertyNames](s)
	for name, v := range obj {
		at := token{key: name, index: -1}
		subs := [3]*jsonschema.Schema{s.Properties[name], s.UnevaluatedProperties}
		if subs[0] == nil {
			subs[2] = additional
		}
		for _, sub := range subs {
			if sub != nil && !m.within(at, sub, v) {
				return false
			}
		}
		if hasNames && !m.visit(names.schema, name) {
			return false
		}
		if len(s.PatternProperties) > 0 && !m.patterns(s, at, v) {
			return false
		}
	}
	return true
}

func (m *meter) patterns(s *jsonschema.Schema, at token, v any) bool {
	if len(at.key) > maxPatternText {
		return m.refuse("has a key of %d bytes, which is too long to be matched against a pattern: the maximum is %d", len(at.key), maxPatternText)
	}
	for re, sub := range s.PatternProperties {
		if !m.match(re, at.key) || re.MatchString(at.key) && !m.within(at, sub, v) {
			return false
		}
	}
	return true
}

// size returns the size of a value's [canonical] text.
func (m *meter) size(v any) bool {
	switch v := v.(type) {
	case string:
		return m.add(1 + len(v)/16)
	case json.Number:
		return m.number(v) && m.add(10)
	case []any:
		for _, e := range v {
			if !m.size(e) {
				return false
			}
		}
	case map[string]any:
		for k, e := range v {
			if !m.add(2+len(k)/16) || !m.size(e) {
				return false
			}
		}
	case float64:
		return m.add(10)
	}
	return m.add(1)
}
