package expression

import "slices"

// Parts of the events that a handler emits are known before it runs. Bind evaluates the parts that need neither its result nor its failure, nor an
// element of a list, so that the writer's transaction need not.

// nameLater are the names without a value when Bind is called.
const nameLater = nameResult | nameFailure | nameItem | nameIndex

// Bind returns a constant template if the text doesn't depend on a name of nameLater. Otherwise it prepares everything else that the template needs:
// it decodes the data, and reads the files into b, which may be nil.
func (t *Template) Bind(env *Env, b *Budget) (*Template, error) {
	if t == nil || t.text != nil {
		return t, nil
	}
	if t.uses(nameLater) {
		return t, t.ready(env, b)
	}
	text, err := t.Text(env)
	if err != nil {
		return nil, err
	}
	return &Template{src: t.src, text: text}, nil
}

// Bind does for all templates of the tree what [Template.Bind] does for one.
func (v *Value) Bind(env *Env, b *Budget) (*Value, error) {
	if v == nil || v.root.isConstant() {
		return v, nil
	}
	root, err := v.root.bind(env, b)
	if err != nil {
		return nil, err
	}
	return &Value{root}, nil
}

func (n *node) bind(env *Env, b *Budget) (node, error) {
	if !n.uses(nameLater) {
		v, err := n.eval(env)
		return node{constant: v}, err
	}
	var err error
	switch {
	case n.template != nil:
		return *n, n.template.ready(env, b)
	case n.list != nil:
		list := make([]node, len(n.list))
		for i := range n.list {
			if list[i], err = n.list[i].bind(env, b); err != nil {
				return node{}, err
			}
		}
		return node{list: list}, nil
	}
	entries := make([]entry, len(n.entries))
	for i := range n.entries {
		entries[i].key = n.entries[i].key
		if entries[i].node, err = n.entries[i].node.bind(env, b); err != nil {
			return node{}, err
		}
	}
	return node{entries: entries}, nil
}

// ready prepares the names and files that a template reads.
func (t *Template) ready(env *Env, b *Budget) error {
	for i := range t.parts {
		p := &t.parts[i]
		if p.expr == nil {
			continue
		}
		if err := p.expr.Ready(env, b); err != nil {
			return within(err, p.offset)
		}
	}
	return nil
}

// Ready prepares everything that the expression reads, except for the names of nameLater: it decodes the data, and reads the files into b, which may be
// nil.
func (x *Expr) Ready(env *Env, b *Budget) error {
	for name := x.uses &^ nameLater; name != 0; name &= name - 1 {
		_, _ = env.value(name & -name) // an error is kept until the evaluation
	}
	if x.secret == nil || b == nil {
		return nil
	}
	if err := x.secret.fetch(b); err != nil {
		return x.evalError(err)
	}
	return nil
}

// fetch reads the files of an expression before it is evaluated where no file may be read.
func (x *secret) fetch(b *Budget) error {
	for _, name := range x.files {
		v, err := x.scope.read(name)
		if err != nil {
			return err
		}
		if b.files == nil {
			b.files = map[source]string{}
		}
		b.files[source{x.scope, name}] = v
	}
	return nil
}

// UsesResult reports whether the expression uses the handler's result or its failure.
func (x *Expr) UsesResult() bool { return x.uses&(nameResult|nameFailure) != 0 }

// UsesEvent reports whether the expression reads an attribute of the event.
func (x *Expr) UsesEvent() bool { return x.uses&nameEvent != 0 }

// UsesData reports whether the expression reads the event's data.
func (x *Expr) UsesData() bool { return x.uses&nameData != 0 }

// UsesResult reports whether the text depends on the handler's result.
func (t *Template) UsesResult() bool { return t.uses(nameResult | nameFailure) }

// UsesItem reports whether the text depends on the element of a list, or its index.
func (t *Template) UsesItem() bool { return t.uses(nameItem | nameIndex) }

func (t *Template) uses(names nameSet) bool {
	return t != nil && slices.ContainsFunc(t.parts, func(p part) bool { return p.expr != nil && p.expr.uses&names != 0 })
}

// UsesResult reports whether a template of the tree depends on the handler's result.
func (v *Value) UsesResult() bool { return v != nil && v.root.uses(nameResult|nameFailure) }

// UsesItem reports whether a template of the tree depends on the element of a list, or its index.
func (v *Value) UsesItem() bool { return v != nil && v.root.uses(nameItem|nameIndex) }

func (n *node) uses(names nameSet) bool {
	return n.template.uses(names) ||
		slices.ContainsFunc(n.list, func(e node) bool { return e.uses(names) }) ||
		slices.ContainsFunc(n.entries, func(e entry) bool { return e.node.uses(names) })
}
