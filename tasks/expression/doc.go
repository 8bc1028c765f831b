// Package expression is the one language of the wiring file: conditions and keys (`when`, `order_by`, `by`), and the `${ … }` parts of
// strings. It is expr-lang/expr with a fixed set of names, checked when the file is loaded:
//
//	x, err := expression.Compile(`data.email contains "@"`, expression.HandlerWhen)
//	ok, err := x.Bool(expression.NewEnv(event))
//
//	t, err := expression.CompileTemplate("New user ${ data.name }", expression.HandlerWith)
//	text, err := t.Text(expression.NewEnv(event))
//
// What is compiled is safe for concurrent use; an [Env] is not: make one for each run.
//
// Where the data's type is known ([Scope.WithData]), an expression that can't be right doesn't compile: a key that the data
// can't have, an operator that can't take the value. The types are for that check alone and change nothing of a value.
//
// # Values
//
// Whole numbers of a payload stay exact: int where they fit, json.Number beyond. A field that is absent is nil; a field of
// nil is an error that names what was nil, unless `?.` asks for it. What an evaluation returns may share memory with the
// event's decoded data: don't change it.
//
// # Limits
//
// An evaluation that would take more than about 64 MiB, or loops for longer than 5 seconds, ends with an error. Nothing in
// the language reads the clock, so that the same event always gives the same value.
package expression
