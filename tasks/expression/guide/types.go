package guide

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// Mismatch explains that an operator can't take its values. message is expr-lang's, with plain names of types, about the operator at the rune at; it may be
// an error of the check, or of an evaluation. what is a clearer message, and instead an expression that is probably meant, as in [Corrected]; both may be empty.
// condition: the expression's value must be true or false.
func Mismatch(src string, at int, message string, condition bool) (what, instead string) {
	defer func() {
		if recover() != nil { // a defect of the parser must not stop the daemon
			what, instead = "", ""
		}
	}()
	left, right, ok := typesIn(message)
	if !ok {
		return "", ""
	}
	tree, err := parser.Parse(src)
	if err != nil {
		return "", ""
	}
	found := false
	ast.Walk(&tree.Node, visit(func(node *ast.Node) {
		if found || (*node).Location().From != at {
			return
		}
		switch n := (*node).(type) {
		case *ast.BinaryNode:
			found = true
			what = describe(n.Operator, left, right)
			fixed := binary(n, left, right)
			if !condition && isPath(n.Left) && (n.Operator == "or" || n.Operator == "||") { // JavaScript's default
				fixed = written("%s ?? %s", optional(n.Left), n.Right)
			}
			if fixed != nil {
				*node, instead = fixed, "fixed"
			}
		case *ast.UnaryNode:
			found = true
			what = fmt.Sprintf("%q needs true or false, not %s", n.Operator, article(left))
			if fixed := unary(n, left); fixed != nil {
				*node, instead = fixed, "fixed"
			}
		}
	}))
	if instead != "" {
		instead = tree.Node.String()
	}
	return what, instead
}

// NotBool returns what is probably meant by a condition whose value is not true or false: a comparison of its last part.
func NotBool(src, kind string) (instead string) {
	defer func() {
		if recover() != nil {
			instead = ""
		}
	}()
	tree, err := parser.Parse(src)
	if err != nil {
		return ""
	}
	node := &tree.Node
	for {
		b, ok := (*node).(*ast.BinaryNode)
		if !ok || !logical[b.Operator] {
			break
		}
		node = &b.Right
	}
	fixed := truth(*node, kind)
	if fixed == nil {
		return ""
	}
	*node = fixed
	return tree.Node.String()
}

type visit func(*ast.Node)

func (f visit) Visit(node *ast.Node) { f(node) }

var (
	mismatched = pattern(`mismatched types? (\S+?)(?: and (\S+?))?\)`)
	invalid    = pattern(`invalid operation: (\S+) \S+ (\S+)$`)
	needed     = pattern(`a bool is needed, not (\S+)$`)
	undefined  = pattern(`operator "in" not defined on (\S+)$`)
	noText     = pattern(`a string is needed, not (\S+)$`)
)

func typesIn(message string) (left, right string, ok bool) {
	if m := mismatched().FindStringSubmatch(message); m != nil {
		return m[1], m[2], true
	}
	if m := invalid().FindStringSubmatch(message); m != nil {
		return m[1], m[2], true
	}
	if m := needed().FindStringSubmatch(message); m != nil {
		return m[1], "", true
	}
	if m := undefined().FindStringSubmatch(message); m != nil {
		return "string", m[1], true
	}
	if m := noText().FindStringSubmatch(message); m != nil {
		return m[1], "string", true
	}
	return "", "", false
}

func isNumber(kind string) bool { return kind == "int" || kind == "number" }

// article is the name of a type in a sentence.
func article(kind string) string {
	switch kind {
	case "int", "number":
		return "a number"
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "time.Time":
		return "a time"
	case "nil", "":
		return "nil"
	case "unknown", "value":
		return "a value"
	}
	return "a " + kind
}

func describe(operator, left, right string) string {
	switch {
	case logical[operator]:
		return fmt.Sprintf("%q needs true or false on both sides, not %s and %s", operator, article(left), article(right))
	case operator == "==":
		return fmt.Sprintf("%s is never equal to %s", article(left), article(right))
	case operator == "!=":
		return fmt.Sprintf("%s is always unequal to %s", article(left), article(right))
	}
	return fmt.Sprintf("%q can't take %s and %s", operator, article(left), article(right))
}

var (
	logical  = map[string]bool{"and": true, "&&": true, "or": true, "||": true}
	compares = map[string]bool{"==": true, "!=": true, "<": true, ">": true, "<=": true, ">=": true}
	searches = map[string]bool{"contains": true, "startsWith": true, "endsWith": true, "matches": true}
	computes = map[string]bool{"-": true, "*": true, "/": true, "%": true, "**": true}
)

// written makes a node of a text.
func written(format string, args ...any) ast.Node {
	return &ast.IdentifierNode{Value: fmt.Sprintf(format, args...)}
}

// binary returns what is probably meant by an operator with such operands; nil: unknown.
func binary(n *ast.BinaryNode, left, right string) ast.Node {
	op := n.Operator
	switch {
	case logical[op] && isText(n.Right):
		return choice(n, left)
	case logical[op]:
		return both(n, truth(n.Left, left), truth(n.Right, right))
	case op == "in" && right == "string":
		return &ast.BinaryNode{Operator: "contains", Left: n.Right, Right: n.Left}
	case op == "contains" && left == "list":
		return &ast.BinaryNode{Operator: "in", Left: n.Right, Right: n.Left}
	case searches[op] && isNumber(left):
		return both(n, asText(n.Left, left), nil)
	case op == "+" && left == "string":
		return both(n, nil, asText(n.Right, right))
	case op == "+" && right == "string":
		return both(n, asText(n.Left, left), nil)
	case left == "nil":
		return both(n, orElse(n.Left, right), nil)
	case right == "nil":
		return both(n, nil, orElse(n.Right, left))
	}
	return comparison(n, left, right)
}

// comparison converts a text for a comparison or a computation.
func comparison(n *ast.BinaryNode, left, right string) ast.Node {
	if computes[n.Operator] {
		if left == "string" {
			right = "int"
		} else {
			left = "int"
		}
	} else if !compares[n.Operator] {
		return nil
	}
	switch {
	case left == "string":
		return both(n, converted(n.Left, right), nil)
	case right == "string":
		return both(n, nil, converted(n.Right, left))
	}
	return nil
}

func isPath(n ast.Node) bool { return plainPath().MatchString(n.String()) }

func isText(n ast.Node) bool { _, ok := n.(*ast.StringNode); return ok }

// choice is for `data.a == "x" or "y"`, and for `data.a and "x"`.
func choice(n *ast.BinaryNode, left string) ast.Node {
	if eq, ok := n.Left.(*ast.BinaryNode); ok && eq.Operator == "==" && isText(eq.Right) && (n.Operator == "or" || n.Operator == "||") {
		return written("%s in [%s, %s]", eq.Left, eq.Right, n.Right)
	}
	if left == "bool" {
		return nil
	}
	return written("%s == %s", n.Left, n.Right)
}

// both replaces operands; nil if neither is.
func both(n *ast.BinaryNode, left, right ast.Node) ast.Node {
	if left == nil && right == nil {
		return nil
	}
	if left != nil {
		n.Left = left
	}
	if right != nil {
		n.Right = right
	}
	return n
}

func unary(n *ast.UnaryNode, kind string) ast.Node {
	switch {
	case kind == "string":
		return written(`%s == ""`, n.Node)
	case isNumber(kind):
		return written("%s == 0", n.Node)
	case kind == "nil":
		n.Node = written("(%s ?? false)", optional(n.Node))
		return n
	}
	return nil
}

// truth compares an operand that must be true or false.
func truth(n ast.Node, kind string) ast.Node {
	switch {
	case kind == "string":
		return written(`%s != ""`, n)
	case isNumber(kind):
		return written("%s != 0", n)
	case kind == "nil":
		return written("(%s ?? false)", optional(n))
	case kind == "list" || kind == "map":
		return written("len(%s) > 0", n)
	}
	return nil
}

// orElse gives an operand that may be nil a default of the other one's type.
func orElse(n ast.Node, other string) ast.Node {
	switch {
	case isNumber(other):
		return written("(%s ?? 0)", optional(n))
	case other == "string":
		return written(`(%s ?? "")`, optional(n))
	}
	return nil
}

func asText(n ast.Node, kind string) ast.Node {
	if kind == "nil" {
		return written(`(%s ?? "")`, optional(n))
	}
	return written("string(%s)", n)
}

// converted makes a value of the other operand's type of a text.
func converted(n ast.Node, other string) ast.Node {
	text, literal := n.(*ast.StringNode)
	switch {
	case other == "time.Time":
		return written("date(%s)", n)
	case isNumber(other) && literal:
		if _, err := strconv.ParseFloat(text.Value, 64); err != nil {
			return nil
		}
		return written("%s", text.Value)
	case isNumber(other):
		return written("int(%s)", n)
	case other == "bool" && literal && (text.Value == "true" || text.Value == "false"):
		return written("%s", text.Value)
	}
	return nil
}

var plainPath = pattern(`^[A-Za-z_]\w*(\.\w+)+$`)

// optional reads on where there may be nothing: data?.total.
func optional(n ast.Node) string {
	text := n.String()
	if plainPath().MatchString(text) {
		return strings.ReplaceAll(text, ".", "?.")
	}
	return text
}
