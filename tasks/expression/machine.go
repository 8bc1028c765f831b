package expression

import (
	"sync"
	"time"

	"github.com/expr-lang/expr/vm"

	"evrun/tasks/expression/functions"
)

// names holds the values of our names for the virtual machine. It is a struct, because a field is read without hashing. Its fields are the language's
// names; those that begin with $ are for what limiter makes of calls, and users can't name them.
type names struct {
	Event    any `expr:"event"`
	Data     any `expr:"data"`
	Events   any `expr:"events"`
	Result   any `expr:"result"`
	Slot     any `expr:"slot"`
	Previous any `expr:"previous"`
	Error    any `expr:"error"`
	Attempts any `expr:"attempts"`
	Handler  any `expr:"handler"`
	RunID    any `expr:"run_id"`
	Run      any `expr:"run"`
	Item     any `expr:"item"`
	Index    any `expr:"index"`
	Body     any `expr:"body"`
	Raw      any `expr:"raw"`
	Method   any `expr:"method"`
	Name     any `expr:"name"`

	Limits     *Budget     `expr:"$limits"`
	Now        time.Time   `expr:"$now"`
	Identities *identities `expr:"$identities"`
	Request    *Request    `expr:"$request"`
}

// machine is a virtual machine with the memory for one evaluation. Machines are pooled, because making one costs more than most evaluations.
type machine struct {
	vm    vm.VM
	names names
	own   Budget // used when the environment has none
}

var machines = sync.Pool{New: func() any {
	m := &machine{}
	m.vm.MemoryBudget = functions.MaxElements
	return m
}}

// run evaluates the program of x.
func run(x *Expr, env *Env) (v any, err error) {
	m := machines.Get().(*machine)
	defer func() {
		m.names = names{}
		machines.Put(m)
	}()
	if m.names.Limits = env.budget; env.budget == nil {
		m.own = Budget{maxWork: maxWork, tooMuch: errTooMuch}
		m.names.Limits = &m.own
	}
	if x.uses&nameNow != 0 {
		m.names.Now = env.now()
	}
	if x.uses&nameUUID != 0 {
		m.names.Identities = env.identities(x)
	}
	if x.uses&nameParts != 0 {
		m.names.Request = env.request()
	}
	for uses := x.uses &^ (nameStable | nameParts); uses != 0; uses &= uses - 1 {
		name := uses & -uses // the lowest remaining name
		if *m.names.field(name), err = env.value(name); err != nil {
			return nil, err
		}
	}
	return m.vm.Run(x.program, &m.names)
}

// field returns the field for the value of a name.
func (n *names) field(name nameSet) *any {
	switch name {
	case nameEvent:
		return &n.Event
	case nameEvents:
		return &n.Events
	case nameResult:
		return &n.Result
	case nameSlot:
		return &n.Slot
	case namePrevious:
		return &n.Previous
	case nameError:
		return &n.Error
	case nameAttempts:
		return &n.Attempts
	case nameHandler:
		return &n.Handler
	case nameRunID:
		return &n.RunID
	case nameRun:
		return &n.Run
	case nameItem:
		return &n.Item
	case nameIndex:
		return &n.Index
	case nameBody:
		return &n.Body
	case nameRaw:
		return &n.Raw
	case nameMethod:
		return &n.Method
	case nameName:
		return &n.Name
	}
	return &n.Data
}
