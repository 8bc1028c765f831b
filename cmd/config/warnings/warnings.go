// Package warnings finds probable mistakes in a wiring file without faults: what is valid, and most likely not what its author wants.
//
// Each check is one function in a table. It reports what it finds at a node of the file, in plain words and with a hint; the hint leads to no
// other fault or warning. A check is certain enough to be silent about the files that people write on purpose. The work of all checks
// together grows with the file, not with the pairs of its handlers.
//
//	for _, w := range warnings.Find(file) {
//		fmt.Println(w.Start, w.Message, w.Hint)
//	}
package warnings

import (
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/config/yaml"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/schedule"
	"evrun/tasks/schema"
)

// File is a wiring file that has been read without a fault.
type File struct {
	Events      []emitter.EventType
	Schedules   []*schedule.Entry
	Hooks       []*hook.Hook
	Handlers    []*tasks.Handler
	StrictTypes bool
	Sealed      bool // nothing of this machine is looked at
	Shared      bool // the store is in PostgreSQL
	Tokens      []access.Token

	Declared func(typ string) (s *schema.Schema, ok bool) // the schema of a declared type, nil for none
	Place    func(entry any) *yaml.Node                   // of a *schedule.Entry, a *hook.Hook or a *tasks.Handler
	Types    *yaml.Node                                   // the mapping of events; nil for none
	Env      *yaml.Node                                   // the mapping of the file's env; nil for none
	TokenOf  func(i int) *yaml.Node                       // the mapping of Tokens[i]
	Now      time.Time
}

// Warning is a probable mistake at the bytes from Start to End.
type Warning struct {
	Start, End    int
	Message, Hint string
}

// Max is how many warnings are reported. In a file with more, most have the same cause.
const Max = 100

// checks are all checks of a file.
var checks = []func(*finder){
	(*finder).unhandled, (*finder).unhandledHooks, (*finder).final, (*finder).unreachable, (*finder).cycles, (*finder).handlersAlone, (*finder).senderSequences,
	(*finder).texts, (*finder).schedulesAlone, (*finder).microseconds, (*finder).expired,
}

// finder collects the warnings of a file.
type finder struct {
	*File
	found     []Warning
	router    events.Router[events.Pattern] // all patterns that handlers have
	on        map[events.Pattern][]*tasks.Handler
	hintSteps int // see maxHintSteps

	constants map[*expression.Expr]any // the values of conditions that are always the same; nil: of the others, and of those without enough budget
	budget    *expression.Budget       // of all of them
}

// Find returns the probable mistakes of a file, Max at most, in no order. An aliased value is reported once for each alias.
func Find(file *File) []Warning {
	f := &finder{File: file, on: map[events.Pattern][]*tasks.Handler{}}
	for _, h := range f.Handlers {
		for _, p := range h.On {
			f.router.Add(p, p)
			f.on[p] = append(f.on[p], h)
		}
	}
	for _, check := range checks {
		check(f)
	}
	return f.found
}

// full reports whether no more warnings are recorded.
func (f *finder) full() bool { return len(f.found) >= Max }

// at records a warning at a node.
func (f *finder) at(n *yaml.Node, msg, hint string) { f.between(n.Start, n.End(), msg, hint) }

// between records a warning at the bytes from start to end.
func (f *finder) between(start, end int, msg, hint string) {
	if !f.full() {
		f.found = append(f.found, Warning{start, end, msg, hint})
	}
}

// warn records a warning at a key of a schedule or a handler, or at the item with this text in the key's list; without the key, at the first one.
func (f *finder) warn(entry any, field, item, msg, hint string) {
	n := f.Place(entry)
	name, value := n.Lookup(field)
	if name == nil {
		f.between(n.Start, n.HeadEnd(), msg, hint)
		return
	}
	f.at(scalarOf(value, item, name), msg, hint)
}

// declared reports whether a type is declared under events.
func (f *finder) declared(typ string) bool {
	_, ok := f.Declared(typ)
	return ok
}

// scalarOf finds the scalar with this text in a tree; without one, it returns other.
func scalarOf(n *yaml.Node, text string, other *yaml.Node) *yaml.Node {
	if n.Kind == yaml.Scalar {
		if n.Value == text {
			return n
		}
		return other
	}
	for _, c := range n.Content {
		if found := scalarOf(c, text, nil); found != nil {
			return found
		}
	}
	return other
}
