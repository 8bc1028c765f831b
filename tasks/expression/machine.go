package expression

import (
	"sync"
	"time"

	"github.com/expr-lang/expr/vm"
)

// names is what the virtual machine reads our names from: a struct, since it gets at a field without hashing. Its fields
// are the language's names; Limits is for the calls that limiter adds, and can't be written by a user.
type names struct {
	Event    any     `expr:"event"`
	Data     any     `expr:"data"`
	Events   any     `expr:"events"`
	Result   any     `expr:"result"`
	Slot     any     `expr:"slot"`
	Previous any     `expr:"previous"`
	Error    any     `expr:"error"`
	Attempts any     `expr:"attempts"`
	Handler  any     `expr:"handler"`
	RunID    any     `expr:"run_id"`
	Limits   *limits `expr:"$limits"`
}

// machine is a virtual machine with what it needs for one evaluation; they are pooled, since making one costs more than
// most evaluations.
type machine struct {
	vm     vm.VM
	names  names
	limits limits
}

var machines = sync.Pool{New: func() any {
	m := &machine{}
	m.vm.MemoryBudget = maxElements
	m.names.Limits = &m.limits
	return m
}}

// run evaluates a program that uses those names.
func run(program *vm.Program, uses nameSet, env *Env) (v any, err error) {
	m := machines.Get().(*machine)
	defer func() {
		m.names = names{Limits: &m.limits}
		m.limits = limits{}
		machines.Put(m)
	}()
	for ; uses != 0; uses &= uses - 1 {
		name := uses & -uses // the lowest that is left
		if *m.names.field(name), err = env.value(name); err != nil {
			return nil, err
		}
	}
	return m.vm.Run(program, &m.names)
}

// field is where the value of a name goes.
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
	}
	return &n.Data
}

// limits is what one evaluation has used.
type limits struct {
	bytes   int
	steps   int
	started time.Time
}

const (
	maxElements = 2 << 20  // of the lists that the machine itself makes
	maxBytes    = 64 << 20 // of all texts, lists and maps that an evaluation makes
	maxTime     = 5 * time.Second
)

// step counts one turn of a loop.
func (l *limits) step() error {
	l.steps++
	if l.steps%256 != 0 {
		return nil
	}
	if l.started.IsZero() {
		l.started = time.Now()
		return nil
	}
	if time.Since(l.started) > maxTime {
		return errTooSlow
	}
	return nil
}

// charge counts what v takes, with all that it contains: a list of a list is cheap for the machine, and grows by each time
// that it is written out.
func (l *limits) charge(v any) error {
	l.bytes = weigh(v, l.bytes)
	if l.bytes > maxBytes {
		return errTooBig
	}
	return nil
}

// weigh adds v's size to sum, and stops when that is too much.
func weigh(v any, sum int) int {
	switch v := v.(type) {
	case string:
		return sum + 16 + len(v)
	case []any:
		sum += 16
		for _, e := range v {
			if sum = weigh(e, sum); sum > maxBytes {
				break
			}
		}
		return sum
	case map[string]any:
		sum += 48
		for key, e := range v {
			if sum = weigh(e, sum+16+len(key)); sum > maxBytes {
				break
			}
		}
		return sum
	case map[any][]any:
		sum += 48
		for key, e := range v {
			if sum = weigh(e, weigh(key, sum)); sum > maxBytes {
				break
			}
		}
		return sum
	case []string:
		for _, e := range v {
			sum += 16 + len(e)
		}
		return sum
	case []int:
		return sum + 8*len(v)
	case []float64:
		return sum + 8*len(v)
	case [][2]any:
		for _, e := range v {
			if sum = weigh(e[1], weigh(e[0], sum)); sum > maxBytes {
				break
			}
		}
		return sum
	}
	return sum + 16
}
