package expression

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"

	"evrun/tasks/fault"
)

// Type describes a value that is not yet known. The zero Type is any value. Values of every type may be nil.
type Type struct {
	Kind   Kind
	Elem   *Type            // type of a list's elements, and of a map's keys that are not in Fields; nil: unknown
	Fields map[string]*Type // of a map
	Closed bool             // a map has only the keys in Fields
}

// Kind is the kind of a [Type].
type Kind uint8

// The kinds of types. A whole number is a Number too.
const (
	KindAny Kind = iota
	KindString
	KindNumber
	KindBool
	KindList
	KindMap
)

// Data is the type of an event's data in a handler, for all of its expressions. It is safe for concurrent use.
type Data struct {
	mu     sync.Mutex
	config *conf.Config // only for checks: the program that runs is compiled without types
	whole  *Type
}

// mayHave reports whether the data can have a member of this name. d may be nil.
func (d *Data) mayHave(name string) bool {
	return d == nil || d.whole == nil || !d.whole.Closed || d.whole.Fields[name] != nil
}

// NewData makes a Data of a type.
func NewData(t *Type) *Data {
	env := types.Map{"data": t.native()}
	for _, n := range allNames {
		if n != nameData && n&nameFunctions == 0 {
			env[n.String()] = types.Any
		}
	}
	return &Data{config: newLanguage(env), whole: t}
}

// native returns expr-lang's type. Every number becomes a whole number: each operator that takes a fraction also takes a whole number, but not vice
// versa, and a "number" of JSON Schema may be either.
func (t *Type) native() types.Type {
	if t == nil {
		return types.Any
	}
	switch t.Kind {
	case KindString:
		return types.String
	case KindNumber:
		return types.Int
	case KindBool:
		return types.Bool
	case KindList:
		return types.Array(t.Elem.native())
	case KindMap:
		m := make(types.Map, len(t.Fields)+1)
		for name, field := range t.Fields {
			m[name] = field.native()
		}
		if !t.Closed {
			m[types.Extra] = t.Elem.native()
		}
		return m
	}
	return types.Any
}

// WithData is the scope with the type of data. Expressions that can't be right then don't compile.
func (s Scope) WithData(d *Data) Scope {
	s.data = d
	return s
}

// Condition is the scope for an expression whose value must be true or false.
func (s Scope) Condition() Scope {
	s.condition = true
	return s
}

// checkTypes checks the types of a parsed expression, as far as they are known.
func (s Scope) checkTypes(src string, tree *parser.Tree, config *conf.Config) *Error {
	if s.data != nil {
		s.data.mu.Lock()
		defer s.data.mu.Unlock()
		config = s.data.config
	}
	t, err := checker.Check(tree, config)
	if err != nil {
		e := compileError(src, err)
		var fe *file.Error
		if s.data != nil && errors.As(err, &fe) {
			e.Msg = wholeNumber().ReplaceAllString(e.Msg, "number")
			unknownField(tree, fe, e)
		}
		return e
	}
	words := func() string { return wholeNumber().ReplaceAllString(plainTypes.Replace(t.String()), "number") }
	if s.list {
		return s.notList(src, t, words())
	}
	if kind := t.Kind(); s.condition && kind != reflect.Bool && kind != reflect.Interface {
		e := &Error{Offset: -1, Msg: fmt.Sprintf("this is a %s, and a condition must be true or false", words()), Hint: "compare it with something"}
		if kind == reflect.String {
			e.Hint = fmt.Sprintf(`compare it: %s != ""`, brief(src))
			if call, ok := tree.Node.(*ast.CallNode); ok && s.ofRequest() && nameOf(call.Callee.String())&nameParts != 0 { // header() and query() are nil without one
				e.Hint = fmt.Sprintf(`compare it: %s != nil`, brief(src))
			}
		}
		return e
	}
	return nil
}

var wholeNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bint\b`) })

// unknownField suggests a known key. As in compileError, only the message says what is wrong.
func unknownField(tree *parser.Tree, fe *file.Error, e *Error) {
	if is, name, ok := strings.Cut(strings.TrimPrefix(fe.Message, "type "), " has no field "); ok {
		e.Msg = fmt.Sprintf("this is a %s, so it has no %q", wholeNumber().ReplaceAllString(plainTypes.Replace(is), "number"), name)
		return
	}
	name, ok := strings.CutPrefix(fe.Message, "unknown field ")
	if !ok {
		return
	}
	ast.Walk(&tree.Node, visitFunc(func(node *ast.Node) {
		m, isMember := (*node).(*ast.MemberNode)
		if !isMember || m.Property.Location() != fe.Location || m.Node.Nature().TypeData == nil {
			return
		}
		fields := slices.Sorted(maps.Keys(m.Node.Nature().Fields))
		e.Msg = fmt.Sprintf("%s has no %q: its schema allows no such key", brief(m.Node.String()), name)
		e.Hint = fault.DidYouMean(name, fields)
		if e.Hint == "" && len(fields) > 0 && len(fields) <= 12 {
			e.Hint = "it has " + strings.Join(fields, ", ")
		}
	}))
}
