package expression

import (
	"strings"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// Scoper must be implemented by the context of a decoding with templates and values. It returns the scope for the word in a field's scope tag. A
// [Scope] returns itself for all words; for those that end with [Each], with the element of a list.
type Scoper interface {
	ScopeOf(word string) Scope
}

// Each ends the word for the scope of an event that has a for_each.
const Each = " each"

// ScopeOf returns the scope itself.
func (s Scope) ScopeOf(word string) Scope {
	if strings.HasSuffix(word, Each) {
		return s.WithItem()
	}
	return s
}

// DecodeField compiles a text; a number or a truth value is taken as a text.
func (t *Template) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	compiled, err := CompileTemplate(text, at.Context.(Scoper).ScopeOf(at.Scope).below(at.Place()))
	if err != nil {
		at.Add(fault.Of(err))
		return
	}
	*t = *compiled
}

// FieldShape describes a text with expressions.
func (*Template) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: fields.ScalarSchema()}
}

// DecodeField compiles a tree with expressions in its texts.
func (v *Value) DecodeField(value any, at *fields.At) {
	compiled, faults := CompileValue(value, at.Context.(Scoper).ScopeOf(at.Scope).below(at.Place()))
	for _, f := range faults {
		at.Add(f)
	}
	if len(faults) == 0 {
		*v = *compiled
	}
}

// FieldShape describes a tree.
func (*Value) FieldShape() fields.Shape {
	return fields.Shape{Words: "value", Schema: map[string]any{}, Null: true, Tree: true}
}
