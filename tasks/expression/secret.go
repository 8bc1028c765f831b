package expression

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"evrun/tasks/expression/secrets"
)

// Secrets is the set that records what env() and file() give: see [secrets.Set].
type Secrets = secrets.Set

// Masked replaces a secret, and a whole input that uses one.
const Masked = secrets.Masked

// secret describes an expression that uses env() or file().
type secret struct {
	scope    Scope
	files    []string        // the names in calls of file()
	literals map[string]bool // the literal texts in the expression
}

func newSecret(s Scope, files []string, root *ast.Node) *secret {
	x := &secret{scope: s, files: files, literals: map[string]bool{}}
	ast.Walk(root, visitFunc(func(node *ast.Node) {
		if text, ok := (*node).(*ast.StringNode); ok {
			x.literals[text.Value] = true
		}
	}))
	return x
}

// gave records the value of an expression that only uses secrets: such a value is a secret, too, however it was computed. A literal text in the
// expression, as in `env("MODE") == "live" ? "a" : "b"`, is not.
func (x *secret) gave(v any) {
	if s, ok := v.(string); ok && !x.literals[s] {
		x.scope.secrets.Add(s)
	}
}

// hide removes from an error what may be made of a secret: Redact would not recognize a changed value in the message.
func (x *secret) hide(e *Error, src string) {
	if x != nil {
		e.Msg, e.Err = brief(src)+": it can't be evaluated", nil
		e.Hint = "the reason is left out, since it may show a secret of env() or file()"
	}
}

// UsesSecret reports whether the text uses env() or file().
func (t *Template) UsesSecret() bool {
	return t != nil && slices.ContainsFunc(t.parts, func(p part) bool { return p.expr != nil && p.expr.secret != nil })
}

// Shown is Text for people: [Masked] if a secret is used.
func (t *Template) Shown(env *Env) (string, error) {
	text, err := t.Text(env)
	if err == nil && t.UsesSecret() {
		text = Masked
	}
	return text, err
}

// Shown is Eval for people: [Masked] replaces each text that uses a secret.
func (v *Value) Shown(env *Env) (any, error) {
	if _, err := v.Eval(env); err != nil {
		return nil, err
	}
	shown := v.root.masked()
	return shown.eval(env)
}

// masked returns the tree with [Masked] in place of secrets.
func (n *node) masked() node {
	switch {
	case n.template.UsesSecret():
		return node{constant: Masked}
	case n.list != nil:
		list := make([]node, len(n.list))
		for i := range n.list {
			list[i] = n.list[i].masked()
		}
		return node{list: list}
	case n.entries != nil:
		entries := make([]entry, len(n.entries))
		for i, e := range n.entries {
			entries[i] = entry{e.key, e.node.masked()}
		}
		return node{entries: entries}
	}
	return *n
}
