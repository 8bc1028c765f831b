package expression

import (
	"fmt"
	"maps"
	"slices"

	"evrun/tasks/fault"
)

// Value is a tree of YAML or JSON with templates in its strings. It is safe for concurrent use.
type Value struct {
	root node
}

// node is a constant (with all below it), a template, a list or a map.
type node struct {
	constant any
	template *Template
	list     []node
	entries  []entry
}

type entry struct {
	key  string
	node node
}

func (n *node) isConstant() bool { return n.template == nil && n.list == nil && n.entries == nil }

// CompileValue compiles the templates in v, which is made of map[string]any, []any, strings, numbers, bools and nil. Keys are not templates. It
// reports all faults, each with the path to its string and an [*Error] as its cause. The Value keeps parts of v: don't change v afterwards.
func CompileValue(v any, s Scope) (*Value, []*fault.Fault) {
	c := valueCompiler{scope: s}
	root := c.compile(v, nil)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	return &Value{root}, nil
}

type valueCompiler struct {
	scope  Scope
	faults []*fault.Fault
}

func (c *valueCompiler) compile(v any, path []any) node {
	switch v := v.(type) {
	case string:
		t, err := compileTemplate(v, c.scope.below(fmt.Sprintf("%#v", path)))
		if err != nil {
			c.faults = append(c.faults, fault.Of(err).Within(path...))
			return node{}
		}
		if text, ok := t.Constant(); ok {
			return node{constant: text}
		}
		return node{template: t}
	case []any:
		list, constant := make([]node, len(v)), true
		for i, e := range v {
			list[i] = c.compile(e, append(path, i))
			constant = constant && list[i].isConstant()
		}
		if !constant {
			return node{list: list}
		}
		values := make([]any, len(list))
		for i := range list {
			values[i] = list[i].constant
		}
		return node{constant: values}
	case map[string]any:
		entries, constant := make([]entry, 0, len(v)), true
		for _, key := range slices.Sorted(maps.Keys(v)) {
			e := entry{key, c.compile(v[key], append(path, key))}
			constant = constant && e.node.isConstant()
			entries = append(entries, e)
		}
		if !constant {
			return node{entries: entries}
		}
		values := make(map[string]any, len(entries))
		for i := range entries {
			values[entries[i].key] = entries[i].node.constant
		}
		return node{constant: values}
	}
	return node{constant: v}
}

// Constant is the tree, when there is no ${ … } in it. Don't change it.
func (v *Value) Constant() (any, bool) { return v.root.constant, v.root.isConstant() }

// Eval returns the tree with its templates evaluated. Calls share the constant parts: don't change them.
func (v *Value) Eval(env *Env) (any, error) { return v.root.eval(env) }

// Written returns the tree with its templates as they are written.
func (v *Value) Written() any { return v.root.written() }

func (n *node) written() any {
	switch {
	case n.template != nil:
		return n.template.src
	case n.list != nil:
		list := make([]any, len(n.list))
		for i := range n.list {
			list[i] = n.list[i].written()
		}
		return list
	case n.entries != nil:
		m := make(map[string]any, len(n.entries))
		for i := range n.entries {
			m[n.entries[i].key] = n.entries[i].node.written()
		}
		return m
	}
	return n.constant
}

func (n *node) eval(env *Env) (any, error) {
	switch {
	case n.template != nil:
		return n.template.Eval(env)
	case n.list != nil:
		list := make([]any, len(n.list))
		for i := range n.list {
			var err error
			if list[i], err = n.list[i].eval(env); err != nil {
				return nil, err
			}
		}
		return list, nil
	case n.entries != nil:
		m := make(map[string]any, len(n.entries))
		for i := range n.entries {
			v, err := n.entries[i].node.eval(env)
			if err != nil {
				return nil, err
			}
			m[n.entries[i].key] = v
		}
		return m, nil
	}
	return n.constant, nil
}
