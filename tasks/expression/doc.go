// Package expression is the one language of the wiring file: conditions and keys (`when`, `order_by`, `by`), and the `${ … }` parts of
// strings. It is expr-lang/expr with a fixed set of names, checked when the file is loaded:
//
//	x, err := expression.Compile(`data.email contains "@"`, expression.HandlerWhen)
//	ok, err := x.Bool(expression.NewEnv(event))
//
//	t, err := expression.CompileTemplate("New user ${ data.name }", expression.HandlerWith)
//	text, err := t.Text(expression.NewEnv(event))
//
// Compiled expressions and templates are safe for concurrent use. An [Env] is not: make one for each run.
//
// If the data's type is known ([Scope.WithData]), Compile refuses an expression that can't be right, with a key that the data can't have, or an
// operator that can't take the value. The types are only for this check and never change a value.
//
// # Values
//
// Whole numbers of a payload stay exact: int where they fit, json.Number beyond. A field that is absent is nil; a field of
// nil is an error that names what was nil, unless `?.` asks for it. What an evaluation returns may share memory with the
// event's decoded data: don't change it.
//
// # Runs
//
// The same run always gives the same values, at each attempt: now() is when the event was accepted, and uuid() follows from the run's id and the place of the
// text ([Scope.At], [Env.In]). [Functions] has all functions.
//
// # Requests
//
// A hook's expressions see a request ([NewRequestEnv]), of which body, raw, method and name are values, and header() and query() functions. All other scopes
// leave these words to their users.
//
// # Limits
//
// An evaluation that would take more than about 64 MiB, or more than 20 million steps (a few seconds), ends with an error;
// where it shares a [Budget] with others, when that is spent. Steps are counted, and no clock is read, neither for this nor
// anywhere in the language: the same event always gives the same value, or the same error, however busy the machine is. A
// loop counts the size of its body at each turn; what looks at a whole list or text counts its length; a regular expression
// counts the length of the text times its own, and one that isn't written out has at most 1,000 bytes.
//
// # Secrets
//
// What env() and file() give is taken for a secret, and so is a text that an expression makes of nothing else. Their names
// are written out: a computed one doesn't compile. A file must be there when the expression is compiled, relative to the
// directory of [Scope.In]; it is read at each evaluation. See [Secrets]. A hash of a secret and of data of the event is not a secret: a signature is sent to others.
package expression

import "evrun/tasks/expression/guide"

// Functions returns all functions that an expression can call, by subject.
func Functions() []guide.Function { return guide.Functions() }
