package expression

import "github.com/expr-lang/expr/ast"

// secret is what is known of an expression that uses env() or file().
type secret struct {
	scope    Scope
	files    []string        // what file() is called with
	literals map[string]bool // the texts that are written out in the expression
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

// gave records what an expression made of nothing but secrets, whatever it did to them: that is one too. A text that is
// written out in it, as in `env("MODE") == "live" ? "a" : "b"`, is not.
func (x *secret) gave(v any) {
	if s, ok := v.(string); ok && !x.literals[s] {
		x.scope.secrets.Add(s)
	}
}

// hide takes out of an error what may be made of a secret: a message may have a value in it that nobody would recognize.
func (x *secret) hide(e *Error) {
	if x != nil {
		e.Msg, e.Err = brief(e.Source)+": it can't be evaluated", nil
		e.Hint = "the reason is left out, since it may show a secret of env() or file()"
	}
}
