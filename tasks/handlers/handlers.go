// Package handlers has the kinds of handlers, which `do:` names in the wiring file: a file for each kind, and their table here.
//
// A kind is a struct whose tagged fields are its inputs and whose methods make it a [tasks.Outside], a [tasks.Inside] or
// a [tasks.Computed]:
//
//	type logMessage struct {
//		Message *expression.Template `key:"message,required,short" doc:"What to write."`
//		Level   string               `key:"level" enum:"debug,info,warn,error" default:"info" doc:"How loud."`
//	}
//
//	func (l *logMessage) Compute(d *tasks.Delivery) (any, error) { … }
//
// A new kind is one file with such a struct, its test, one line in the table, and one block in cmd/starter/full.yaml.
package handlers

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// table has all kinds, in alphabetical order. It is made when it is first used: most commands need none. The function of each makes its struct.
var table = sync.OnceValue(func() []Kind {
	return []Kind{
		describe("emit", "Emits events of your choice, in the transaction that settles the run.",
			func(Deps) tasks.Action { return &emit{} }),
		describe("exec", "Runs a program in a process group of its own, with the event on stdin and nothing of the daemon's environment but PATH, HOME and what pass_env names.",
			func(deps Deps) tasks.Action {
				return &command{dir: deps.BaseDir, secrets: deps.Secrets, note: deps.Note}
			}),
		describe("http", "Sends an HTTP request: the event, or a body of your own.",
			func(deps Deps) tasks.Action { return newHTTPRequest(deps) }),
		describe("log", "Writes a line to the daemon's log.",
			func(deps Deps) tasks.Action { return &logMessage{secrets: deps.Secrets} }),
		describe("notify", "Sends a notification: by chat, mail, push or webhook, or in the daemon's log.",
			func(deps Deps) tasks.Action { return newNotify(deps) }),
		describe("sql", "Runs one SQL statement on evrun's own database, in the transaction that settles the run: exactly once. A SELECT runs beside it. Or on another SQLite file.",
			func(deps Deps) tasks.Action {
				return &sql{dir: deps.BaseDir, parse: deps.ParseStatement, parseFiles: deps.ParseFiles}
			}),
		describe("user.insert", "Adds a user to evrun's own database, in the transaction that settles the run: exactly once.",
			func(Deps) tasks.Action { return &userInsert{} }),
	}
})

// Kind describes one kind of handler.
type Kind struct {
	Name   string
	Doc    string
	Inputs []fields.Field // in the order of explanation
	Main   string         // the input that can stand behind the kind, as in "exec ./backup.sh"; empty: none
	Prints string         // what its attempts have as output: see [tasks.Printer]; empty: none

	inputs reflect.Type // the struct that has them
	make   func(Deps) tasks.Action
}

// Schema is the JSON Schema of the inputs.
func (k Kind) Schema() map[string]any { return fields.Schema(k.inputs) }

// Deps are the things that kinds need to read their inputs. Attempts get theirs from [tasks.Opener].
type Deps struct {
	BaseDir string // the base of relative paths: the wiring file's directory
	// Secrets records the values of env() and file() in inputs; nil: nothing is recorded.
	Secrets *expression.Secrets
	// ParseStatement reads the statements of sql, in the dialect of the store that runs them, and ParseFiles those for the SQLite files of a dsn; nil: none can
	// be read.
	ParseStatement, ParseFiles store.StatementParser
	// Data is the type of the events' data, for the inputs' expressions; nil: unknown.
	Data *expression.Data
	// Events says that the inputs' expressions have the events of a burst: the handler has a debounce.
	Events bool
	// Environment is that of all programs; its names were checked.
	Environment Environment
	// Note is called for each check of a file that EVRUN_TRUST_FILES turned off. May be nil.
	Note func(text string)
}

// logged is embedded by kinds that write to the daemon's log. Without [logged.Open] they write to [slog.Default].
type logged struct{ log *slog.Logger }

// Open implements [tasks.Opener].
func (l *logged) Open(s tasks.Surroundings) { l.log = s.Log }

func (l *logged) logger() *slog.Logger { return cmp.Or(l.log, slog.Default()) }

func describe(name, doc string, construct func(Deps) tasks.Action) Kind {
	action := construct(Deps{})
	inputs := reflect.TypeOf(action).Elem()
	k := Kind{Name: name, Doc: doc, Inputs: fields.Of(inputs), inputs: inputs, make: construct}
	for _, in := range k.Inputs {
		if in.Short {
			k.Main = in.Name
		}
	}
	if p, ok := action.(tasks.Printer); ok {
		k.Prints = p.Prints()
	}
	return k
}

// Kinds returns all kinds, in alphabetical order.
func Kinds() []Kind { return slices.Clone(table()) }

// Names returns the names of all kinds, in alphabetical order.
func Names() []string {
	names := make([]string, len(table()))
	for i, k := range table() {
		names[i] = k.Name
	}
	return names
}

// StubbedNames returns the names of the kinds that a test replaces by stubs, in alphabetical order.
func StubbedNames() []string {
	var names []string
	for _, k := range table() {
		if tasks.Stubbed(k.make(Deps{})) {
			names = append(names, k.Name)
		}
	}
	return names
}

// Lookup finds a kind by its name.
func Lookup(name string) (Kind, bool) {
	i := slices.IndexFunc(table(), func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return table()[i], true
}

// Build makes the action of a kind from its decoded `with`: maps are map[string]any, lists []any, and scalars string, int64,
// uint64, float64, bool or nil. It returns all faults, in no particular order.
// An unknown kind is a fault with an empty path. Build has no side effects.
func Build(kind string, with map[string]any, deps Deps) (tasks.Action, []*fault.Fault) {
	k, ok := Lookup(kind)
	if !ok {
		return nil, []*fault.Fault{{Message: fmt.Sprintf("unknown kind %q", kind), Hint: fault.DidYouMean(kind, Names())}}
	}
	action := k.make(deps)
	scope := expression.HandlerWith.In(deps.BaseDir, deps.Secrets).WithData(deps.Data).At("with")
	if deps.Events {
		scope = scope.WithEvents()
	}
	faults := fields.Decode(action, with, fields.Options{Owner: k.Name, Context: scope})
	if c, ok := action.(checker); ok && len(faults) == 0 {
		faults = c.check()
	}
	if len(faults) > 0 {
		return nil, faults
	}
	if e, ok := action.(environed); ok {
		e.inherit(deps.Environment)
	}
	if c, ok := action.(chooser); ok {
		action = c.choose()
	}
	return action, nil
}

// chooser is a kind whose inputs decide which action it becomes. It is called after the inputs were checked.
type chooser interface {
	choose() tasks.Action
}

// chosen is an action that a chooser returned; written is the struct with the inputs.
type chosen interface {
	written() tasks.Action
}

// checker is a kind with rules about several inputs. It is called if each input is valid by itself.
type checker interface {
	check() []*fault.Fault
}

// doubtful is a kind with files that may be wrong at a time, such as certificates.
type doubtful interface {
	Doubts(at time.Time) []*fault.Fault
}

// Doubts returns what is wrong, at a time, with the files that an action's valid inputs name. Paths begin in the inputs. seen keeps the results for programs
// from one call to the next.
func Doubts(action tasks.Action, at time.Time, seen Seen) []*fault.Fault {
	if c, ok := action.(*command); ok {
		return c.doubts(seen)
	}
	if d, ok := action.(doubtful); ok {
		return d.Doubts(at)
	}
	return nil
}
