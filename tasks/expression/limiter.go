package expression

import (
	"reflect"

	"github.com/expr-lang/expr/ast"
)

// limiter rewrites an expression so that it can't take all memory or time, whatever a payload has in it: each turn of a
// loop calls $step, and each text, list or map that is made goes through $charge. expr-lang's own budget counts the
// elements of lists only, so that `let a = x + x; let b = a + a; …` would be free.
type limiter struct{}

const (
	stepFunction   = "$step"
	chargeFunction = "$charge"
)

// Visit sees children before their parents.
func (limiter) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		n.Node = at(n.Node, &ast.SequenceNode{Nodes: []ast.Node{call(n.Node, stepFunction), n.Node}})
	case *ast.ArrayNode:
		if !constant(n) {
			*node = call(n, chargeFunction, n)
		}
	case *ast.MapNode:
		*node = call(n, chargeFunction, n)
	case *ast.BinaryNode:
		if n.Operator == "+" && !isNumber(n.Type()) && !isNumber(n.Left.Type()) && !isNumber(n.Right.Type()) {
			*node = call(n, chargeFunction, n)
		}
	case *ast.BuiltinNode:
		if makes[n.Name] {
			*node = call(n, chargeFunction, n)
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && makes[callee.Value] {
			*node = call(n, chargeFunction, n)
		}
	}
}

// makes has the functions whose results take memory of their own.
var makes = map[string]bool{
	"filter": true, "map": true, "groupBy": true, "sortBy": true, "reduce": true, "concat": true, "flatten": true, "sort": true,
	"reverse": true, "uniq": true, "keys": true, "values": true, "toPairs": true, "fromPairs": true, "split": true,
	"splitAfter": true, "join": true, "replace": true, "repeat": true, "upper": true, "lower": true, "toJSON": true, "fromJSON": true,
	"toBase64": true, "fromBase64": true, "string": true, "file": true,
}

// call makes `function($limits, arguments…)`, in the place of node.
func call(node ast.Node, function string, arguments ...ast.Node) ast.Node {
	return at(node, &ast.CallNode{
		Callee:    at(node, &ast.IdentifierNode{Value: function}),
		Arguments: append([]ast.Node{at(node, &ast.IdentifierNode{Value: "$limits"})}, arguments...),
	})
}

func at(place, node ast.Node) ast.Node {
	node.SetLocation(place.Location())
	return node
}

// constant says whether a list is made of literals: `x in ["a", "b"]` is worth to stay as the optimizer knows it.
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

func isNumber(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}
