package emission

import (
	"fmt"
	"strconv"

	"evrun/events"
	"evrun/tasks/expression"
)

// The bounds of the events of a run that has a for_each, whose lists may come from a payload: they are written in one transaction.
const (
	MaxEvents = 1000    // of the run
	maxData   = 4 << 20 // bytes of data of one for_each, or as much as one event may have
)

// workPerEvent is what an event costs beside the evaluation and the encoding of its parts, in units of [expression.Budget].
const workPerEvent = 20

// maxListWork bounds the work for all events of a for_each, where nobody waits for it but the handler: about a second.
const maxListWork = 2_000_000

// ForEach evaluates a list and calls each with its elements, in order, while `item` and `index` have the element and its place. before is the number of
// the run's events so far. Unless env has a budget, the calls share one.
func ForEach(env *expression.Env, list *expression.List, before int, each func(i int, item any) error) error {
	elements, err := elementsOf(env, list)
	if err != nil {
		return err
	}
	return forEach(env, elements, before, each)
}

func elementsOf(env *expression.Env, list *expression.List) ([]any, error) {
	elements, err := list.Elements(env)
	if err != nil {
		return nil, fmt.Errorf("for_each: %w", err)
	}
	if len(elements) > MaxEvents {
		return nil, tooMany(len(elements))
	}
	return elements, nil
}

func forEach(env *expression.Env, elements []any, before int, each func(i int, item any) error) error {
	if n := before + len(elements); n > MaxEvents {
		return tooMany(n)
	}
	b := env.Budget()
	if b == nil {
		b = expression.NewBudget(maxListWork, "the events of a for_each may take together", "emit less for each element, and compute in a handler of that event")
		env.Within(b)
		defer env.Within(nil)
	}
	defer env.SetItem(nil, 0)
	for i, item := range elements {
		env.SetItem(item, i)
		err := b.Spend(workPerEvent)
		if err == nil {
			err = each(i, item)
		}
		if err != nil {
			return fmt.Errorf("for_each, element %d: %w", i, err)
		}
	}
	return nil
}

func tooMany(n int) error {
	return &RefusedError{fmt.Errorf("for_each: these are %d events, and one run emits at most %d; emit parts of the list, such as data.list[:500], and take each part apart in a second handler",
		n, MaxEvents)}
}

// foreseenList holds what is known of an entry with a for_each before the effect runs.
type foreseenList struct {
	known    bool // the list doesn't depend on the result
	elements []any
	made     []*events.Event // nil: a part of them depends on the result
}

// foreseeList evaluates the list of an entry and makes its events, as far as that does not depend on the result. b gets the files that are read later.
func (m *Maker) foreseeList(run Run, en *Entry, number int, b *expression.Budget) (*foreseenList, error) {
	if en.ForEach.UsesResult() {
		if err := en.ForEach.Ready(run.Env, b); err != nil {
			return nil, fmt.Errorf("emit: for_each: %w", err)
		}
		return &foreseenList{}, nil
	}
	elements, err := elementsOf(run.Env, en.ForEach)
	if err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	f := &foreseenList{known: true, elements: elements}
	if en.partUsesResult() {
		return f, nil
	}
	f.made, err = m.make(run, en, elements, number, make([]*events.Event, 0, len(elements)))
	return f, err
}

// list adds the events of the entry i, which has a for_each. own is the number of events that the kind has emitted.
func (m *Maker) list(run Run, f *Foreseen, i, own int, evs []*events.Event) (_ []*events.Event, err error) {
	en, elements, known := &m.Emit[i], []any(nil), false
	if f != nil {
		seen := f.emit[i].each
		if seen.made != nil && own == 0 {
			if n := len(evs) + len(seen.made); n > MaxEvents {
				return nil, tooMany(n)
			}
			return append(evs, seen.made...), nil
		}
		en, elements, known = &f.emit[i].Entry, seen.elements, seen.known
	}
	if !known {
		if elements, err = elementsOf(run.Env, en.ForEach); err != nil {
			return nil, fmt.Errorf("emit: %w", err)
		}
	}
	return m.make(run, en, elements, own+i+1, evs)
}

// make adds an event for each element. The ids of the events have the number of the entry and that of the element.
func (m *Maker) make(run Run, en *Entry, elements []any, number int, evs []*events.Event) ([]*events.Event, error) {
	before, prefix, sum := len(evs), strconv.Itoa(number)+".", bound{most: m.mostData()}
	err := forEach(run.Env, elements, before, func(i int, item any) error {
		what, err := en.draft(run.Env, item)
		if err != nil {
			return err
		}
		e, err := m.child(run, prefix+strconv.Itoa(i+1), what)
		if err != nil {
			return &RefusedError{err}
		}
		evs = append(evs, e)
		return sum.add(e)
	})
	if err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	return evs, nil
}

// bound refuses events that have too much data together. Each is added as soon as it is made: all of them could be a thousand times the most.
type bound struct{ most, sum int }

func (m *Maker) mostData() int { return max(maxData, m.Emitter.MaxData()) }

func (b *bound) add(e *events.Event) error {
	if b.sum += len(e.Data); b.sum > b.most {
		return &RefusedError{fmt.Errorf("the events have more than %d bytes of data together; emit less for each element", b.most)}
	}
	return nil
}

// Events returns how many events of for_each, with how many bytes of data, are made already; unknown says that more may come of a list that is not known.
// f may be nil.
func (f *Foreseen) Events() (n, bytes int, unknown bool) {
	if f == nil {
		return 0, 0, false
	}
	for i := range f.emit {
		list := f.emit[i].each
		if list == nil {
			continue
		}
		unknown = unknown || !list.known
		n += len(list.elements)
		for _, e := range list.made {
			bytes += len(e.Data)
		}
	}
	return n, bytes, unknown
}
