package expression

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"

	"evrun/tasks/expression/functions"
	"evrun/tasks/expression/guide"
	"evrun/tasks/expression/regex"
	"evrun/tasks/fault"
)

// Scope says which names an expression may use; Compile checks it.
type Scope struct {
	names     nameSet
	dir       string
	secrets   *Secrets
	data      *Data // nil: nothing is known of it
	condition bool  // the value must be true or false
	list      bool  // the value must be a list
	place     string
	counted   bool // it may be evaluated in the writer's transaction, so all its work is counted
}

// The scopes of the wiring file.
var (
	HandlerWhen   = Scope{names: nameEvent | nameData | nameNow}                                                        // when, order_by, debounce
	HandlerWith   = Scope{names: nameAttempt}                                                                           // with
	HandlerEmit   = Scope{names: nameAttempt | nameResult, counted: true}                                               // a handler's emit
	HandlerOnDead = Scope{names: nameAttempt | nameFailure, counted: true}                                              // a handler's on_dead
	Environment   = Scope{names: nameSources}                                                                           // the file's env
	ScheduleData  = Scope{names: nameSlot | namePrevious | nameSources | nameUUID}                                      // a schedule's data
	HookRequest   = Scope{names: nameRequest, counted: true}                                                            // a hook's type, id, when, …
	HookChallenge = Scope{names: nameRequest | nameSources, counted: true}                                              // a hook's challenge
	HookHandshake = Scope{names: nameRequest&^(nameBody|nameRaw) | nameSources, counted: true}                          // one that is answered without a signature
	allNames      = []nameSet{nameEvent, nameData, nameItem, nameIndex, nameEvents, nameResult, nameSlot, namePrevious, // in order of suggestion
		nameError, nameAttempts, nameHandler, nameRunID, nameRun, nameBody, nameRaw, nameMethod, nameName, nameHeader, nameQuery, nameEnv, nameFile, nameNow, nameUUID}
)

// The scopes of --where.
var (
	SelectEvents = Scope{names: nameEvent | nameData}
	SelectRuns   = Scope{names: nameEvent | nameData | nameRun}
)

// WithEvents returns the scope for a handler with a debounce, which also has the events of its burst.
func (s Scope) WithEvents() Scope {
	s.names |= nameEvents
	return s
}

// WithItem returns the scope for an event that is emitted for each element of a list, which also has the element and its index.
func (s Scope) WithItem() Scope {
	s.names |= nameItem | nameIndex
	return s
}

// In returns the scope with a base directory for file(), and a set that records the values of env() and file(). Without In, file() is relative to the
// working directory, and nothing is recorded; secrets may be nil.
func (s Scope) In(dir string, secrets *Secrets) Scope {
	s.dir, s.secrets = dir, secrets
	return s
}

// where returns a hint to the fields of the file in which a name is known that this scope doesn't have.
func (n nameSet) where(s Scope) string {
	switch {
	case n&nameParts != 0:
		return fmt.Sprintf("%s() is known in hooks only; what is needed later must be in the hook's data", n)
	case s.ofRequest():
		return n.inHook(s)
	}
	switch n {
	case nameEvents:
		return `"events" is known in with, emit and on_dead of a handler with a debounce only`
	case nameError, nameAttempts, nameHandler, nameRunID:
		if member := guide.OfDeadRun[n.String()]; s.names&nameData != 0 {
			return fmt.Sprintf("%q is known in a handler's on_dead only; in a handler on evrun.run.dead it is data.%s", n, member)
		}
		return fmt.Sprintf("%q is known in a handler's on_dead only", n)
	case nameRun:
		return `"run" is known in with, emit and on_dead, and where runs are selected`
	case nameUUID:
		return "uuid() is known in with, emit, on_dead and a schedule's data only"
	case nameNow:
		switch {
		case s.names&nameSlot != 0:
			return "the same slot must always give the same event: use slot.time"
		case s.names&nameEvent != 0:
			return "--since and --until select by time, as in --since 1h"
		}
		return "now() is known in handlers only: there is no event here"
	case nameItem, nameIndex:
		return fmt.Sprintf("%q is known in an event with for_each only", n)
	case nameResult:
		return `"result" is known in a handler's emit only`
	case nameSlot, namePrevious:
		return fmt.Sprintf("%q is known in a schedule's data only", n)
	case nameEvent, nameData:
		return fmt.Sprintf("%q is known in handlers only: there is no event here", n)
	default:
		return fmt.Sprintf("%s() is known in env, with, emit and a schedule's data only", n)
	}
}

// nameCheck walks an expression first: it refuses names that the scope doesn't have, and collects the names that are used.
type nameCheck struct {
	src     string
	scope   Scope
	locals  []string          // declared with let
	called  map[ast.Node]bool // identifiers in the place of a function
	used    nameSet
	files   []string // the names that file() is called with
	headers []string // and header()
	err     *Error
}

func checkNames(src string, root *ast.Node, scope Scope) (*nameCheck, *Error) {
	c := &nameCheck{src: src, scope: scope, called: map[ast.Node]bool{}}
	ast.Walk(root, visitFunc(func(node *ast.Node) {
		switch n := (*node).(type) {
		case *ast.VariableDeclaratorNode:
			c.locals = append(c.locals, n.Name)
		case *ast.CallNode:
			c.called[n.Callee] = true
		}
	}))
	ast.Walk(root, c)
	return c, c.err
}

type visitFunc func(node *ast.Node)

func (f visitFunc) Visit(node *ast.Node) { f(node) }

// Visit keeps the first fault.
func (c *nameCheck) Visit(node *ast.Node) {
	if c.err != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		c.identifier(n)
	case *ast.MemberNode:
		c.member(n)
	case *ast.CallNode:
		c.call(n)
	case *ast.BinaryNode:
		c.pattern(n)
	}
}

// pattern refuses a literal regular expression that doesn't compile.
func (c *nameCheck) pattern(n *ast.BinaryNode) {
	text, ok := n.Right.(*ast.StringNode)
	if !ok || n.Operator != "matches" {
		return
	}
	if _, err := regex.Compile(text.Value, maxSource); err != nil {
		hint := ""
		if strings.Contains(err.Error(), "invalid or unsupported Perl syntax") {
			hint = "patterns are Go's (RE2): they have no look-ahead and no look-behind"
		}
		c.fault(text, err.Error(), hint)
	}
}

// call accepts only literal names in env() and file(): the payload could choose a computed name, and a wrong one would only be found at the first
// event. A file must exist.
func (c *nameCheck) call(n *ast.CallNode) {
	if m, ok := n.Callee.(*ast.MemberNode); ok {
		if name, ok := m.Property.(*ast.StringNode); ok && !guide.IsMethod(name.Value) {
			c.fault(m.Property, fmt.Sprintf("texts, numbers, lists and maps have no methods, so there is no %s()", name.Value),
				"functions take the value, as in upper(data.name); only times and durations have methods")
		}
		return
	}
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || slices.Contains(c.locals, callee.Value) {
		return
	}
	c.literals(callee.Value, n)
	if c.part(callee.Value, n) || nameOf(callee.Value)&nameSources == 0 {
		return
	}
	if len(n.Arguments) != 1 {
		c.fault(n, fmt.Sprintf("%s() takes one name", callee.Value), fmt.Sprintf(`write %s("…")`, callee.Value))
		return
	}
	name, ok := n.Arguments[0].(*ast.StringNode)
	switch {
	case !ok:
		hint := `write it out, as in env("API_TOKEN")`
		if callee.Value == "file" {
			hint = `write it out, as in file("mail.txt"); to choose among several, write each out: data.lang == "fr" ? file("fr.txt") : file("en.txt")`
		}
		c.faultAt(leftmost(n.Arguments[0]), fmt.Sprintf("the name in %s() can't be computed", callee.Value), hint)
	case name.Value == "":
		c.fault(name, fmt.Sprintf("the name in %s() is empty", callee.Value), "")
	case callee.Value == "file":
		if err := c.scope.look(name.Value); err != nil {
			c.fault(name, err.Error(), "")
		}
		c.files = append(c.files, name.Value)
	}
}

// literals checks the literal arguments of a call of a function: the payload can't choose these.
func (c *nameCheck) literals(function string, n *ast.CallNode) {
	for i := range n.Arguments {
		text, ok := n.Arguments[i].(*ast.StringNode)
		if !ok {
			continue
		}
		err := functions.Check(function, i, text.Value, len(n.Arguments))
		if e, ok := errors.AsType[*functions.Error](err); ok {
			c.fault(text, e.Msg, e.Hint)
		} else if err != nil {
			c.fault(text, err.Error(), "")
		}
	}
}

func (c *nameCheck) identifier(n *ast.IdentifierNode) {
	called := c.called[n]
	name, isBuiltin := c.scope.known(n.Value, called)
	switch {
	case slices.Contains(c.locals, n.Value):
	case name == 0 && isBuiltin && !called:
		c.fault(n, fmt.Sprintf("%q is a function", n.Value), guide.Calls(n.Value))
	case name == 0 && !isBuiltin:
		c.fault(n, fmt.Sprintf("unknown name %q", n.Value), c.suggest(n.Value, called))
	case name != 0 && c.scope.names&name == 0:
		c.fault(n, fmt.Sprintf("unknown name %q", n.Value), name.where(c.scope))
	case name&nameStable != 0 && !called:
		c.fault(n, fmt.Sprintf("%q is a function", n.Value), fmt.Sprintf("write %s()", n.Value))
	case name&nameFunctions != 0 && !called:
		c.fault(n, fmt.Sprintf("%q is a function", n.Value), fmt.Sprintf(`write %s("…")`, n.Value))
	case name != 0 && name&nameFunctions == 0 && called:
		c.fault(n, fmt.Sprintf("%q is not a function", n.Value), "")
	}
	c.used |= name
}

// known returns what a name is: one of ours, or a function of the language.
func (s Scope) known(word string, called bool) (name nameSet, isBuiltin bool) {
	name = nameOf(word)
	if name&nameRequest&^s.names != 0 && !s.ofRequest() && (name&nameParts == 0 || !called) { // a word that people use for their data
		return 0, false
	}
	_, isBuiltin = builtin.Index[word]
	return name, isBuiltin || public[word]
}

// suggest searches the scope's names first, then declared names, then a member of the data, and for what is called the language's functions.
func (c *nameCheck) suggest(word string, called bool) string {
	if c.scope.names&nameEnv != 0 && strings.ToUpper(word) == word && len(word) > 1 { // ${HOME}
		return fmt.Sprintf("a variable of the environment is env('%s')", strings.TrimPrefix(word, "$"))
	}
	var known []string
	for _, n := range allNames {
		if c.scope.names&n != 0 {
			known = append(known, n.String())
		}
	}
	known = append(known, c.locals...)
	if !called && fault.Closest(word, known) == "" && c.scope.names&nameData != 0 && word[0] != '$' && c.scope.data.mayHave(word) {
		return "write data." + word
	}
	if !called && fault.Closest(word, known) == "" && c.scope.ofRequest() && c.scope.names&nameBody != 0 && word[0] != '$' {
		return "write body." + word
	}
	for _, f := range guide.Functions() {
		if nameOf(f.Name) == 0 {
			known = append(known, f.Name)
		}
	}
	return fault.DidYouMean(word, known)
}

// member refuses attributes that no event and no slot can have.
func (c *nameCheck) member(n *ast.MemberNode) {
	root, ok := n.Node.(*ast.IdentifierNode)
	key, isText := n.Property.(*ast.StringNode)
	if !ok || !isText || slices.Contains(c.locals, root.Value) {
		return
	}
	switch nameOf(root.Value) {
	case nameEvent:
		switch {
		case key.Value == "data":
			c.fault(n.Property, `the event has no attribute "data"`, `its data is "data", without "event."`)
		case strings.Trim(key.Value, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || key.Value == "":
			c.fault(n.Property, fmt.Sprintf("the event has no attribute %q", key.Value), fault.DidYouMean(key.Value, eventAttributes))
		}
	case nameMethod, nameName, nameRaw:
		if c.scope.ofRequest() {
			c.fault(n.Property, fmt.Sprintf("%s is a text, so it has no %q", root.Value, key.Value), "")
		}
	case nameSlot:
		if !slices.Contains(slotFields, key.Value) {
			c.fault(n.Property, fmt.Sprintf("a slot has no %q", key.Value), fault.DidYouMean(key.Value, slotFields))
		}
	case nameRun:
		fields, hint := runFields, ""
		if c.scope.names&nameSources != 0 { // a handler's own run, which has not ended
			fields, hint = ownRunFields, "it has "+strings.Join(ownRunFields, ", ")
		}
		if !slices.Contains(fields, key.Value) {
			c.fault(n.Property, fmt.Sprintf("a run has no %q", key.Value), cmp.Or(fault.DidYouMean(key.Value, fields), hint))
		}
	}
}

func (c *nameCheck) fault(n ast.Node, msg, hint string) { c.faultAt(n.Location().From, msg, hint) }

func (c *nameCheck) faultAt(rune int, msg, hint string) {
	if c.err == nil {
		c.err = &Error{Offset: byteOffset(c.src, rune), Msg: msg, Hint: hint}
	}
}

// leftmost returns where a node begins: its own location may be that of an operator in its middle.
func leftmost(n ast.Node) int {
	at := n.Location().From
	ast.Walk(&n, visitFunc(func(node *ast.Node) { at = min(at, (*node).Location().From) }))
	return at
}
