package expression

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"

	"evrun/tasks/expression/format"
	"evrun/tasks/fault"
)

// path is an expression that only reads a member: data, event.type, data.items[0].name. Nearly all expressions of a wiring file are paths, so they
// are evaluated without the virtual machine.
type path struct {
	root  nameSet
	steps []step
}

type step struct {
	key      string
	index    int // when key is not used
	isIndex  bool
	optional bool // ?. : nil ends the path with nil
	offset   int  // in bytes of the expression
}

// pathOf returns the expression as a path, or nil if it is more than that.
func pathOf(src string, node ast.Node) *path {
	if chain, ok := node.(*ast.ChainNode); ok {
		node = chain.Node
	}
	p := &path{}
	for {
		switch n := node.(type) {
		case *ast.IdentifierNode:
			p.root = nameOf(n.Value)
			if p.root == 0 || p.root&nameFunctions != 0 {
				return nil
			}
			slices.Reverse(p.steps)
			return p
		case *ast.MemberNode:
			s := step{optional: n.Optional, offset: byteOffset(src, n.Property.Location().From)}
			switch property := n.Property.(type) {
			case *ast.StringNode:
				s.key = property.Value
			case *ast.IntegerNode:
				s.index, s.isIndex = property.Value, true
			default:
				return nil
			}
			if n.Method {
				return nil
			}
			p.steps = append(p.steps, s)
			node = n.Node
		default:
			return nil
		}
	}
}

func (p *path) eval(env *Env) (any, error) {
	cur, rest, err := p.begin(env)
	if err != nil {
		return nil, err
	}
	for i := range rest {
		s := &rest[i]
		if cur == nil && s.optional {
			return nil, nil
		}
		if m, ok := cur.(map[string]any); ok && !s.isIndex {
			cur = m[s.key]
			continue
		}
		next, msg, hint := member(cur, s)
		if msg != "" {
			return nil, &Error{Offset: s.offset, Msg: p.text(len(p.steps)-len(rest)+i) + msg, Hint: hint}
		}
		cur = next
	}
	return cur, nil
}

// begin returns the value that the steps begin at, and the steps that are left: where the first one can be taken without its root's whole value, it is.
func (p *path) begin(env *Env) (cur any, rest []step, err error) {
	if rest = p.steps; len(rest) > 0 && !rest[0].isIndex {
		switch key := rest[0].key; {
		case p.root == nameEvent && env.event != nil:
			return eventAttribute(env.event, key), rest[1:], nil
		case p.root == nameRun && env.id != "":
			return env.runField(key), rest[1:], nil
		case p.root == nameSlot && env.slot != nil:
			return slotField(env.slot, key), rest[1:], nil
		case p.root == nameData && env.event != nil && !env.decoded:
			if v, ok := env.event.Member(key); ok {
				return v, rest[1:], nil
			}
		}
	}
	cur, err = env.value(p.root)
	return cur, rest, err
}

// member takes one step into any value except a map with the key; msg says why it can't, as the end of a sentence.
func member(v any, s *step) (_ any, msg, hint string) {
	what := strconv.Quote(s.key)
	if s.isIndex {
		what = "[" + strconv.Itoa(s.index) + "]"
	}
	switch list := v.(type) {
	case nil:
		return nil, " is nil, so it has no " + what, `"?." reads on where there may be nothing`
	case []any:
		if !s.isIndex {
			break
		}
		if s.index < 0 || s.index >= len(list) {
			return nil, fmt.Sprintf(" has %s, and no %s", fault.Plural(len(list), "element"), what), ""
		}
		return list[s.index], "", ""
	}
	next, err := fetch(v, s)
	if err != nil {
		return nil, fmt.Sprintf(" is %s, so it has no %s", format.Describe(v), what), ""
	}
	return next, "", ""
}

// fetch applies the virtual machine's rules to values that don't come from JSON.
func fetch(v any, s *step) (_ any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if s.isIndex {
		return runtime.Fetch(v, s.index), nil
	}
	return runtime.Fetch(v, s.key), nil
}

// text writes the path's first n steps.
func (p *path) text(n int) string {
	var b strings.Builder
	b.WriteString(p.root.String())
	for _, s := range p.steps[:n] {
		switch {
		case s.isIndex:
			fmt.Fprintf(&b, "[%d]", s.index)
		case isIdentifier(s.key):
			b.WriteString("." + s.key)
		default:
			fmt.Fprintf(&b, "[%q]", s.key)
		}
	}
	return b.String()
}

func isIdentifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		digit := '0' <= r && r <= '9'
		if !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != ""
}
