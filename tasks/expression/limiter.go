package expression

import (
	"fmt"
	"math/bits"
	"reflect"

	"github.com/expr-lang/expr/ast"

	"evrun/tasks/expression/functions"
	"evrun/tasks/expression/regex"
)

// limiter rewrites an expression so that all it does is counted, whatever a payload has in it ([Budget]): each turn of a loop calls $stepN by the
// size of the loop's body, each text, list or map that is made goes through $charge, and operations whose work exceeds the length of their operands
// are replaced by our functions. expr-lang's own budget counts the elements of lists only, so that `let a = x + x; let b = a + a; …` would be free.
//
// Operators and functions that read a whole operand, such as `contains`, are counted in loops, by $read around the operand; outside of loops each
// runs only once. In a scope that is counted, they are counted everywhere: in the writer's transaction even a single one matters.
type limiter struct {
	scope Scope
	seen  map[ast.Node]bool // operators that are counted already
}

// stepFunction returns the name of the function that counts this work, rounded up to a power of two. With the number as an argument, each turn of a
// loop would allocate.
func stepFunction(work int) string { return steps[min(bits.Len(uint(work-1)), len(steps)-1)].name }

// steps counts 1, 2, 4, … : the size of a loop's body, which is no larger than its source.
var steps = func() (list [16]function) {
	for i := range list {
		list[i] = function{fmt.Sprintf("$step%d", i), func(b functions.Budget, _ []any) (any, error) { return nil, b.Take(1 << i) }, nil}
	}
	return list
}()

const (
	chargeFunction = "$charge"
	readFunction   = "$read"
	rangeFunction  = "$range"
	inFunction     = "$in"
	matchFunction  = "$matches"
)

// Visit sees children before their parents.
func (l *limiter) Visit(node *ast.Node) {
	if l.scope.counted {
		l.read(node)
	}
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		if !l.scope.counted {
			ast.Walk(&n.Node, visitFunc(l.read))
		}
		n.Node = at(n.Node, &ast.SequenceNode{Nodes: []ast.Node{call(n.Node, stepFunction(sizeOfTree(&n.Node))), n.Node}})
	case *ast.ArrayNode:
		if !constant(n) {
			*node = call(n, chargeFunction, n)
		}
	case *ast.MapNode:
		*node = call(n, chargeFunction, n)
	case *ast.BinaryNode:
		switch {
		case n.Operator == "+" && !isNumber(n.Type()) && !isNumber(n.Left.Type()) && !isNumber(n.Right.Type()):
			*node = call(n, chargeFunction, n)
		case n.Operator == "matches":
			*node = matchCall(n)
		}
	case *ast.BuiltinNode:
		switch n.Name {
		case "sort", "sortBy": // n log n
			n.Arguments[0] = times(n.Arguments[0], 20)
		case "date", "timezone": // they try several layouts, or read a file
			n.Arguments[0] = call(n, readFunction, n.Arguments[0], &ast.ConstantNode{Value: 200})
		}
		if makes[n.Name] {
			*node = call(n, chargeFunction, n)
		}
	case *ast.CallNode:
		l.call(node, n)
	}
}

func (l *limiter) call(node *ast.Node, n *ast.CallNode) {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		switch {
		case callee.Value == "now":
			*node = at(n, &ast.IdentifierNode{Value: "$now"})
			return
		case callee.Value == "uuid":
			*node = call(n, ours("uuid"), at(n, &ast.IdentifierNode{Value: "$identities"}))
			return
		case nameOf(callee.Value)&nameParts != 0:
			*node = call(n, ours(callee.Value), append([]ast.Node{at(n, &ast.IdentifierNode{Value: "$request"})}, n.Arguments...)...)
			return
		case !public[callee.Value] || len(n.Arguments) == 0:
			return
		}
		arguments := n.Arguments
		if name, ok := arguments[0].(*ast.StringNode); ok && nameOf(callee.Value)&nameSources != 0 { // nothing else passes nameCheck
			arguments = []ast.Node{at(name, &ast.ConstantNode{Value: &source{l.scope, name.Value}})}
		}
		made := call(n, ours(callee.Value), arguments...)
		if *node = made; makes[callee.Value] {
			*node = call(n, chargeFunction, made)
		}
	case *ast.MemberNode: // a method of a time or a duration; its layout may come from the payload
		for i := range n.Arguments {
			n.Arguments[i] = times(n.Arguments[i], 10)
		}
	}
}

// read adds the counting of operands that an operator or a function reads whole.
func (l *limiter) read(node *ast.Node) {
	if l.seen[*node] {
		return
	}
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		l.seen[n] = true
		switch n.Operator {
		case "==", "!=", "<", ">", "<=", ">=":
			if !small(n.Left) && !small(n.Right) {
				n.Left = times(n.Left, 1)
			}
		case "contains":
			n.Left = times(n.Left, 1)
		case "startsWith", "endsWith":
			if !small(n.Right) {
				n.Right = times(n.Right, 1)
			}
		case "..":
			*node = call(n, rangeFunction, n.Left, n.Right)
		case "in":
			switch list := n.Right.(type) {
			case *ast.ArrayNode:
				if constant(list) {
					n.Left = times(n.Left, 1)
					return
				}
			case *ast.BinaryNode:
				if list.Operator == ".." {
					return
				}
			}
			*node = call(n, inFunction, n.Left, n.Right)
		}
	case *ast.BuiltinNode:
		l.seen[n] = true
		if looks[n.Name] && len(n.Arguments) > 0 {
			n.Arguments[0] = times(n.Arguments[0], 1)
		}
	}
}

// makes has the functions whose results take additional memory.
var makes = map[string]bool{
	"filter": true, "map": true, "groupBy": true, "sortBy": true, "reduce": true, "concat": true, "flatten": true, "sort": true,
	"reverse": true, "uniq": true, "keys": true, "values": true, "toPairs": true, "fromPairs": true, "split": true,
	"splitAfter": true, "join": true, "replace": true, "repeat": true, "upper": true, "lower": true, "toJSON": true, "fromJSON": true,
	"toBase64": true, "fromBase64": true, "string": true, "file": true, "sprintf": true, "strftime": true, "urlencode": true,
}

// looks has expr-lang's functions, other than loops, that read all of their first argument.
var looks = map[string]bool{
	"len": true, "int": true, "float": true, "string": true, "trimPrefix": true, "trimSuffix": true, "upper": true, "lower": true, "split": true,
	"splitAfter": true, "indexOf": true, "lastIndexOf": true, "hasPrefix": true, "hasSuffix": true, "max": true, "min": true, "mean": true,
	"sum": true, "toBase64": true, "fromBase64": true, "duration": true,
	"reverse": true, "concat": true,
}

// call replaces node by `function($limits, arguments…)`.
func call(node ast.Node, function string, arguments ...ast.Node) ast.Node {
	return at(node, &ast.CallNode{
		Callee:    at(node, &ast.IdentifierNode{Value: function}),
		Arguments: append([]ast.Node{at(node, &ast.IdentifierNode{Value: "$limits"})}, arguments...),
	})
}

// times adds the counting of n readings of an operand.
func times(operand ast.Node, n int) ast.Node {
	if small(operand) {
		return operand
	}
	return call(operand, readFunction, operand, &ast.ConstantNode{Value: n})
}

// matchCall makes a call of `a matches b`, with b compiled if it is a literal.
func matchCall(n *ast.BinaryNode) ast.Node {
	right := n.Right
	if text, ok := right.(*ast.StringNode); ok {
		if p, err := regex.Compile(text.Value, maxSource); err == nil { // otherwise nameCheck has reported it
			right = at(right, &ast.ConstantNode{Value: p})
		}
	}
	return call(n, matchFunction, n.Left, right)
}

func at(place, node ast.Node) ast.Node {
	node.SetLocation(place.Location())
	return node
}

func sizeOfTree(root *ast.Node) int {
	n := 0
	ast.Walk(root, visitFunc(func(*ast.Node) { n++ }))
	return n
}

// constant reports whether a list consists of literals: the optimizer knows `x in ["a", "b"]`, so it is left unchanged.
func constant(list *ast.ArrayNode) bool {
	for _, n := range list.Nodes {
		switch n.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		default:
			return false
		}
	}
	return true
}

// small reports whether reading a value, or comparing it with any other, costs almost nothing.
func small(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode, *ast.StringNode, *ast.ConstantNode:
		return true
	default:
		t := n.Type()
		return isNumber(t) || t.Kind() == reflect.Bool
	}
}

func isNumber(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}
