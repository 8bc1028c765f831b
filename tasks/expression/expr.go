package expression

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"evrun/tasks/expression/format"
	"evrun/tasks/expression/functions"
	"evrun/tasks/expression/guide"
)

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	src     string
	path    *path       // when it only reads
	program *vm.Program // when it computes
	uses    nameSet     // without env and file
	regroup bool        // groupBy returns maps with keys of any type
	secret  *secret     // nil: it uses neither env() nor file()
	place   string      // of [Scope.At]
	headers []string    // that it reads

	advice atomic.Pointer[advice] // the last one; nil: none
}

// maxSource bounds the length of an expression: the parser's recursion follows its nesting.
const maxSource = 16 << 10

// Compile checks and compiles an expression. Its error is an [*Error].
func Compile(src string, s Scope) (*Expr, error) {
	x, err := compile(src, s)
	if err != nil {
		return nil, err
	}
	return x, nil
}

// language is expr-lang's language with our names and functions. It has a cache of types, so that one expression at a time can
// be compiled; making a language takes longer than compiling most expressions.
var language struct {
	sync.Mutex
	config *conf.Config
}

// lockLanguage gives the language, until it is unlocked.
func lockLanguage() *conf.Config {
	language.Lock()
	if language.config == nil {
		language.config = newLanguage(&names{})
	}
	return language.config
}

// newLanguage makes a language with our now() in place of the clock, and without limits.
func newLanguage(env any) *conf.Config {
	config := conf.New(env)
	config.Disabled["now"] = false // ours takes its place
	delete(config.Builtins, "now")
	config.Functions = functionTable()
	return config
}

func compile(src string, s Scope) (*Expr, *Error) {
	x, fault := compileOnce(src, s)
	if fault != nil {
		return nil, s.explained(src, fault)
	}
	return x, nil
}

func compileOnce(src string, s Scope) (x *Expr, fault *Error) {
	defer func() {
		if r := recover(); r != nil { // a defect of the parser or the compiler must not stop the daemon
			x, fault = nil, &Error{Offset: -1, Msg: fmt.Sprintf("this expression can't be compiled: %v", r)}
		}
	}()
	switch {
	case strings.TrimSpace(src) == "":
		return nil, &Error{Msg: "the expression is empty"}
	case len(src) > maxSource:
		return nil, &Error{Offset: maxSource, Msg: fmt.Sprintf("the expression is longer than %d KiB", maxSource>>10)}
	}
	if s.ofRequest() {
		s.data = requestTypes()
	}
	config := lockLanguage()
	defer language.Unlock()
	tree, err := parser.ParseWithConfig(src, config)
	if err != nil {
		return nil, compileError(src, err)
	}
	names, fault := checkNames(src, &tree.Node, s)
	if fault != nil {
		return nil, fault
	}
	s.renameLocals(&tree.Node, names.locals)
	x = &Expr{src: src, uses: names.used &^ nameSources, place: s.place, headers: names.headers}
	if x.uses&nameUUID != 0 && s.names&nameIndex != 0 {
		x.uses |= nameIndex // a different value for each element
	}
	if names.used&nameSources != 0 {
		x.secret = newSecret(s, names.files, &tree.Node)
	}
	x.path = pathOf(src, tree.Node)
	if x.path != nil && s.data == nil {
		return x, nil
	}
	// The limiter's calls have no types, so the types are checked without them.
	if fault := s.checkTypes(src, tree, config); fault != nil {
		return nil, fault
	}
	if x.path != nil {
		return x, nil
	}
	ast.Walk(&tree.Node, visitFunc(func(node *ast.Node) {
		if b, ok := (*node).(*ast.BuiltinNode); ok && b.Name == "groupBy" {
			x.regroup = true
		}
	}))
	if x.program, err = s.program(tree, config); err != nil {
		return nil, compileError(src, err)
	}
	return x, nil
}

// program is expr.Compile for an expression that is parsed, with the limits.
func (s Scope) program(tree *parser.Tree, config *conf.Config) (*vm.Program, error) {
	config.Visitors = []ast.Visitor{&limiter{scope: s, seen: map[ast.Node]bool{}}}
	if _, err := new(checker.Checker).PatchAndCheck(tree, config); err != nil {
		return nil, err
	}
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// String is the source.
func (x *Expr) String() string { return x.src }

// Eval returns the expression's value in env. An error is an [*Error].
func (x *Expr) Eval(env *Env) (any, error) {
	if x.path != nil {
		v, err := x.path.eval(env)
		if err != nil {
			return nil, x.evalError(err)
		}
		return v, nil
	}
	v, err := run(x, env)
	if err != nil {
		return nil, x.evalError(err)
	}
	if x.regroup {
		v = format.StringKeys(v)
	}
	if x.secret != nil && x.uses == 0 {
		x.secret.gave(v)
	}
	return v, nil
}

// Bool is Eval for a condition: a value that is not a bool is an error that names the value.
func (x *Expr) Bool(env *Env) (bool, error) {
	v, err := x.Eval(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		e := &Error{Msg: fmt.Sprintf("%s is not true or false: it gave %s", brief(x.src), format.Describe(v))}
		kind := format.Kind(v)
		x.advise(e, -1, kind, func() (what, instead string) { return "", guide.NotBool(x.src, kind) })
		return false, e
	}
	return b, nil
}

// evalError makes an [*Error] of an error of an evaluation.
func (x *Expr) evalError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	e = &Error{Offset: -1, Msg: err.Error()}
	var fe *file.Error
	if !errors.As(err, &fe) {
		e.Err = err
		x.secret.hide(e, x.src)
		return e
	}
	e.Offset = byteOffset(x.src, fe.From)
	if msg, hint, ok := x.nilMember(fe); ok {
		e.Msg, e.Hint = msg, hint
		return e
	}
	// The machine also wraps Go's run-time errors, but callers need only errors of functions.
	function := (*functions.Error)(nil)
	if errors.As(fe.Prev, &function) {
		e.Msg, e.Hint, e.Err = function.Msg, function.Hint, function.Err
	} else {
		e.Msg = brief(x.src) + ": " + runMessage(fe.Message)
		x.meant(e, runMessage(fe.Message))
	}
	if function == nil || !function.Plain {
		x.secret.hide(e, x.src)
	}
	return e
}

// nilMember explains the machine's "cannot fetch name from <nil>": it finds the member, and the value that was nil.
func (x *Expr) nilMember(fe *file.Error) (msg, hint string, ok bool) {
	if !strings.HasPrefix(fe.Message, "cannot fetch ") || !strings.HasSuffix(fe.Message, " from <nil>") {
		return "", "", false
	}
	root := x.program.Node()
	ast.Walk(&root, visitFunc(func(node *ast.Node) {
		m, isMember := (*node).(*ast.MemberNode)
		if !isMember || ok || m.Location() != fe.Location && m.Property.Location() != fe.Location {
			return
		}
		s := &step{}
		switch property := m.Property.(type) {
		case *ast.StringNode:
			s.key = property.Value
		case *ast.IntegerNode:
			s.index, s.isIndex = property.Value, true
		default:
			return
		}
		_, msg, hint = member(nil, s)
		msg, ok = m.Node.String()+msg, true
	}))
	return msg, hint, ok
}

// runMessage translates the messages of the virtual machine, some of which are Go's.
func runMessage(msg string) string {
	if conversion, ok := strings.CutPrefix(msg, "interface conversion: interface {} is "); ok {
		if is, want, ok := strings.Cut(conversion, ", not "); ok {
			return fmt.Sprintf("a %s is needed, not %s", plainTypes.Replace(want), plainTypes.Replace(is))
		}
	}
	if msg == "memory budget exceeded" {
		return functions.ErrTooBig.Msg
	}
	return plainTypes.Replace(strings.TrimPrefix(msg, "runtime error: "))
}

// brief is an expression as a message names it.
func brief(src string) string {
	src = strings.TrimSpace(src)
	if len(src) > 80 {
		src = strings.ToValidUTF8(src[:77], "") + "…"
	}
	return src
}
