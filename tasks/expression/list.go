package expression

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"evrun/events"
	"evrun/tasks/expression/format"
	"evrun/tasks/expression/functions"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// List is an expression whose value is a list: for_each. It is safe for concurrent use.
type List struct{ *Expr }

// DecodeField compiles a text without ${ }.
func (l *List) DecodeField(value any, at *fields.At) {
	text, ok := at.Written(value)
	if list, is := value.([]any); is {
		hint := ""
		if example, err := events.MarshalJSON(list); err == nil && !strings.Contains(string(example), "'") {
			hint = "write it as an expression: '" + fault.Clip(string(example), 60) + "'"
		}
		at.Add(fault.New("%q is an expression, not a list", at.Key()).Hinting("%s", hint))
		return
	}
	if !ok {
		at.Fail("", "must be an expression, not %s", fields.Describe(value))
		return
	}
	if strings.HasPrefix(text, "${") {
		hint := ""
		if strings.HasSuffix(text, "}") {
			hint = "write " + fault.Clip(strings.TrimSpace(text[2:len(text)-1]), 60)
		}
		at.Add(fault.New("%q is an expression as a whole, without ${ }", at.Key()).Hinting("%s", hint))
		return
	}
	s := at.Context.(Scoper).ScopeOf(strings.TrimSuffix(at.Scope, Each))
	s.list = true
	var err error
	if l.Expr, err = Compile(text, s); err != nil {
		at.Add(fault.Of(err))
	}
}

// FieldShape describes an expression.
func (*List) FieldShape() fields.Shape {
	return fields.Shape{Words: "expression", Schema: fields.ScalarSchema()}
}

// Elements evaluates the list. Its error is an [*Error].
func (l *List) Elements(env *Env) ([]any, error) {
	v, err := l.Eval(env)
	if err != nil {
		return nil, err
	}
	list, ok := functions.ListOf(v)
	if ok {
		return list, nil
	}
	src := brief(l.src)
	if v == nil {
		return nil, &Error{Offset: -1, Msg: src + " is nil", Hint: fmt.Sprintf("write '%s ?? []', with the quotes, if there may be none", src)}
	}
	e := &Error{Offset: -1, Msg: fmt.Sprintf("%s is %s, and a list is needed", src, format.Describe(v)), Hint: listHint(reflect.TypeOf(v).Kind(), src)}
	l.secret.hide(e, l.src)
	return nil, e
}

// UsesSecret reports whether the list uses env() or file().
func (l *List) UsesSecret() bool { return l.secret != nil }

// notList returns the fault of an expression whose type is known, and not that of a list; nil for none.
func (s Scope) notList(src string, t reflect.Type, words string) *Error {
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Interface:
		return nil
	}
	return &Error{Offset: -1, Msg: fmt.Sprintf("this is a %s, and a list is needed", words), Hint: listHint(t.Kind(), brief(src))}
}

func listHint(kind reflect.Kind, src string) string {
	if kind == reflect.Map {
		return fmt.Sprintf("toPairs(%s) is a list: item[0] is a key and item[1] its value", src)
	}
	return ""
}

// renameLocals renames the variables of an expression that are called as our newer names, which it can't use: the language refuses such variables, and
// a file of an older evrun may have them.
func (s Scope) renameLocals(root *ast.Node, locals []string) {
	newer := func(name string) bool {
		return slices.Contains(locals, name) && (nameItem|nameIndex|nameRequest)&^s.names&nameOf(name) != 0
	}
	if !slices.ContainsFunc(locals, newer) {
		return
	}
	ast.Walk(root, visitFunc(func(node *ast.Node) {
		switch n := (*node).(type) {
		case *ast.VariableDeclaratorNode:
			if newer(n.Name) {
				n.Name = "$" + n.Name
			}
		case *ast.IdentifierNode:
			if newer(n.Value) {
				n.Value = "$" + n.Value
			}
		}
	}))
}
