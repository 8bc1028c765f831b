package schema

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/expression"
)

// Type returns a type that every value that fits the schema has, unless it is null. Only type, properties and the like count; alternatives are
// ignored.
func (s *Schema) Type() *expression.Type {
	r := typeReader{left: 1000}
	return r.read(s.root, 0)
}

// typeReader limits the size of a type: that of a schema that refers to itself would be infinite.
type typeReader struct{ left int }

const maxTypeDepth = 16

func (r *typeReader) read(s *jsonschema.Schema, depth int) *expression.Type {
	t := &expression.Type{}
	if r.left--; s == nil || s.Bool != nil || r.left < 0 || depth > maxTypeDepth {
		return t
	}
	t.Kind = kindOf(s)
	switch t.Kind {
	case expression.KindList:
		if len(s.PrefixItems) == 0 && s.Items2020 != nil {
			t.Elem = r.read(s.Items2020, depth+1)
		}
	case expression.KindMap:
		r.fields(t, s, depth)
	}
	// A value must fit all of these.
	for _, sub := range append([]*jsonschema.Schema{s.Ref}, s.AllOf...) {
		if sub != nil {
			t = both(t, r.read(sub, depth+1))
		}
	}
	return t
}

func (r *typeReader) fields(t *expression.Type, s *jsonschema.Schema, depth int) {
	t.Fields = make(map[string]*expression.Type, len(s.Properties))
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) { // so that each call leaves out the same types
		sub := s.Properties[name]
		if sub.Bool != nil && !*sub.Bool {
			continue // may not be there
		}
		t.Fields[name] = r.read(sub, depth+1)
	}
	if len(s.PatternProperties) > 0 {
		return
	}
	switch more := s.AdditionalProperties.(type) {
	case bool:
		t.Closed = !more
	case *jsonschema.Schema:
		t.Elem = r.read(more, depth+1)
	}
}

// kindOf returns the only kind, other than null, that a value can have.
func kindOf(s *jsonschema.Schema) expression.Kind {
	if s.Types == nil {
		return expression.KindAny
	}
	kind := expression.KindAny
	for _, name := range s.Types.ToStrings() {
		var k expression.Kind
		switch name {
		case "null":
			continue
		case "string":
			k = expression.KindString
		case "number", "integer":
			k = expression.KindNumber
		case "boolean":
			k = expression.KindBool
		case "array":
			k = expression.KindList
		case "object":
			k = expression.KindMap
		}
		if kind != expression.KindAny && kind != k {
			return expression.KindAny
		}
		kind = k
	}
	return kind
}

// both returns the type of a value that has both types. It may be wider than necessary.
func both(a, b *expression.Type) *expression.Type {
	switch {
	case a.Kind == expression.KindAny:
		return b
	case a.Kind != expression.KindMap || b.Kind != expression.KindMap || a.Closed:
		return a
	case b.Closed:
		return b
	}
	for name, field := range b.Fields {
		if a.Fields[name] == nil {
			a.Fields[name] = field
		}
	}
	a.Elem = nil // the other schema may name keys that this one doesn't
	return a
}
