package expression

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// Part is a part of a condition that decided the result, with the values that it read.
type Part struct {
	Text  string `json:"part"` // "data.age > 18"
	Value bool   `json:"value"`
	Reads []Read `json:"reads,omitempty"`
}

// Read is a value that a part has read.
type Read struct {
	Text  string `json:"name"` // "data.age"
	Value any    `json:"value"`
}

// Why returns the parts of a condition that made it true or false in env. It splits the condition at and, or and not, and keeps only the parts that
// decided. It returns none for a condition that can't be evaluated: Bool returns the error. It compiles each part, so it is too slow to call for every
// event: see [Expr.Explained].
func (x *Expr) Why(env *Env) []Part { return x.Explained().Why(env) }

// Explained is a condition that is explained again and again: it compiles each of its parts once. Not safe for concurrent use.
type Explained struct {
	*Expr
	root  ast.Node         // nil: it can't be parsed
	parts map[string]*Expr // compiled so far
}

// Explained returns the condition for more than one call of Why.
func (x *Expr) Explained() *Explained {
	e := &Explained{Expr: x, parts: map[string]*Expr{}}
	if tree, err := parse(x.src); err == nil {
		e.root = tree.Node
	}
	return e
}

// Why is [Expr.Why].
func (e *Explained) Why(env *Env) []Part {
	verdict, err := e.Bool(env)
	if err != nil || e.root == nil {
		return nil
	}
	if env.budget == nil { // for all parts together
		env.Within(&Budget{maxWork: maxWork, tooMuch: errTooMuch})
		defer env.Within(nil)
	}
	w := &why{of: e, env: env}
	w.explain(e.root, verdict)
	return w.parts
}

// parse parses an expression that compiles.
func parse(src string) (*parser.Tree, error) {
	config := lockLanguage()
	defer language.Unlock()
	return parser.ParseWithConfig(src, config)
}

// Constant returns the value of an expression that reads nothing, neither event nor data, if the budget is enough to evaluate it; nil: its own.
func (x *Expr) Constant(b *Budget) (v any, ok bool) {
	if x.path != nil || x.uses != 0 {
		return nil, false
	}
	env := NewSlotEnv(Slot{})
	env.Within(b)
	v, err := x.Eval(env)
	return v, err == nil
}

type why struct {
	of     *Explained
	env    *Env
	lets   strings.Builder // the declarations around the part
	locals []string
	parts  []Part
}

// explain adds the parts that gave node its verdict.
func (w *why) explain(node ast.Node, verdict bool) {
	switch n := node.(type) {
	case *ast.VariableDeclaratorNode:
		w.lets.WriteString("let " + n.Name + " = " + n.Value.String() + "; ")
		w.locals = append(w.locals, n.Name)
		w.explain(n.Expr, verdict)
		return
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			w.explain(n.Node, !verdict)
			return
		}
	case *ast.BinaryNode:
		and := n.Operator == "and" || n.Operator == "&&"
		if !and && n.Operator != "or" && n.Operator != "||" {
			break
		}
		operands := operandsOf(n)
		if and == verdict { // all of them decided
			for _, operand := range operands {
				w.explain(operand, verdict)
			}
			return
		}
		for _, operand := range operands {
			// A part that was never reached may fail: earlier parts guard it.
			if v, err := w.eval(operand); err == nil && v == verdict {
				w.explain(operand, verdict)
				if verdict { // the first that is true ends an or
					return
				}
			}
		}
		return
	}
	w.parts = append(w.parts, Part{Text: node.String(), Value: verdict, Reads: w.reads(node)})
}

// operandsOf gives the parts of `a and b and c`, from left to right, without a deep recursion.
func operandsOf(n *ast.BinaryNode) []ast.Node {
	var operands []ast.Node
	for {
		operands = append(operands, n.Right)
		left, ok := n.Left.(*ast.BinaryNode)
		if !ok || left.Operator != n.Operator {
			operands = append(operands, n.Left)
			slices.Reverse(operands)
			return operands
		}
		n = left
	}
}

func (w *why) eval(node ast.Node) (any, error) {
	text := w.lets.String() + node.String()
	x := w.of.parts[text]
	if x == nil {
		var fault *Error
		if x, fault = compile(text, HandlerWhen); fault != nil {
			return nil, fault
		}
		w.of.parts[text] = x
	}
	return x.Eval(w.env)
}

// reads gives the values that a part reads: the longest paths in it, and the names declared with let.
func (w *why) reads(node ast.Node) []Read {
	if p := pathOf("", node); p != nil {
		return nil // its value is the part's own
	}
	var found []ast.Node
	ast.Walk(&node, visitFunc(func(at *ast.Node) {
		switch n := (*at).(type) {
		case *ast.IdentifierNode:
			if nameOf(n.Value)&^nameFunctions != 0 || slices.Contains(w.locals, n.Value) {
				found = append(found, n)
			}
			return
		case *ast.CallNode:
			if callee, ok := n.Callee.(*ast.IdentifierNode); ok && nameOf(callee.Value) == nameNow {
				found = append(found, n)
			}
		case *ast.MemberNode:
			if i := slices.Index(found, n.Node); i >= 0 && pathOf("", n) != nil {
				found = slices.Delete(found, i, i+1)
				found = append(found, n)
			}
		case *ast.ChainNode:
			if i := slices.Index(found, n.Node); i >= 0 {
				found[i] = n
			}
		}
	}))
	var reads []Read
	for _, n := range found {
		r := Read{Text: n.String()}
		if slices.ContainsFunc(reads, func(known Read) bool { return known.Text == r.Text }) {
			continue
		}
		v, err := w.eval(n)
		if err != nil {
			continue
		}
		r.Value = v
		reads = append(reads, r)
	}
	return reads
}
