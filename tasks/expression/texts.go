package expression

import (
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// Texts returns lists of texts: the condition can only be true of an event whose data has, for each list, a string that contains one of its texts. So
// a store can leave out most events of a search without decoding them. There are none where the condition says nothing of this kind.
//
// It reads `data.x == "text"`, `data.x in ["a", "b"]`, `"a" in data.x`, contains, startsWith and endsWith, and goes into and, or, and brackets.
func (x *Expr) Texts() [][]string {
	tree, err := parse(x.src)
	if err != nil {
		return nil
	}
	return textsOf(tree.Node)
}

func textsOf(node ast.Node) [][]string {
	n, ok := node.(*ast.BinaryNode)
	if !ok {
		return nil
	}
	switch n.Operator {
	case "and", "&&":
		return append(textsOf(n.Left), textsOf(n.Right)...)
	case "or", "||":
		left, right := textsOf(n.Left), textsOf(n.Right)
		if len(left) == 0 || len(right) == 0 {
			return nil
		}
		return [][]string{append(rarest(left), rarest(right)...)}
	case "==":
		if ofData(n.Left) {
			return literals(n.Right)
		}
		if ofData(n.Right) {
			return literals(n.Left)
		}
	case "in":
		if ofData(n.Right) {
			return literals(n.Left)
		}
		list, ok := n.Right.(*ast.ArrayNode)
		if !ok || !ofData(n.Left) {
			return nil
		}
		return literals(list.Nodes...)
	case "contains", "startsWith", "endsWith":
		if ofData(n.Left) {
			return literals(n.Right)
		}
	}
	return nil
}

// ofData reports whether a node reads a value of the data, and computes nothing.
func ofData(node ast.Node) bool {
	p := pathOf("", node)
	return p != nil && p.root == nameData
}

// literals returns one list of the texts, or none if one of the nodes is not a text that must be found in the data.
func literals(nodes ...ast.Node) [][]string {
	var texts []string
	for _, node := range nodes {
		text, ok := node.(*ast.StringNode)
		// Decoding puts U+FFFD in the place of what is not UTF-8.
		if !ok || text.Value == "" || strings.ContainsRune(text.Value, utf8.RuneError) {
			return nil
		}
		texts = append(texts, text.Value)
	}
	if texts == nil {
		return nil
	}
	return [][]string{texts}
}

// rarest chooses the list that probably leaves most out: the one whose shortest text is the longest.
func rarest(lists [][]string) (best []string) {
	longest := -1
	for _, list := range lists {
		shortest := len(list[0])
		for _, text := range list {
			shortest = min(shortest, len(text))
		}
		if shortest > longest {
			best, longest = list, shortest
		}
	}
	return best
}
