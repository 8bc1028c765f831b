package shape

import (
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// EventType is a type of event, as far as the wiring file and the journal know it.
type EventType struct {
	Type        string   `json:"type"`
	Description string   `json:"description,omitempty"`
	Schema      any      `json:"schema,omitempty"` // JSON Schema of the data; missing: any data
	Declared    bool     `json:"declared"`         // it is declared under events in the wiring file
	Final       bool     `json:"final"`            // it is declared as final: it needs no handler
	Own         bool     `json:"own"`              // it is one of evrun's own types, which nobody else can publish
	Seen        bool     `json:"seen"`             // the journal has events of it, or had some lately
	Handlers    []string `json:"handlers"`         // the handlers that are wired to it, in the order of the file
}

// TypeList is a page of the types, sorted by name.
type TypeList struct {
	Types []EventType `json:"types"`          // sorted by their bytes
	Next  string      `json:"next,omitempty"` // the value of after for the next page; missing: this is the last one
}

// Types makes the shapes of types. It knows the wiring.
type Types struct {
	declared map[string]emitter.EventType
	handlers []*tasks.Handler
}

// NewTypes returns the types of a wiring.
func NewTypes(declared []emitter.EventType, handlers []*tasks.Handler) *Types {
	t := &Types{declared: make(map[string]emitter.EventType, len(declared)), handlers: handlers}
	for _, d := range declared {
		t.declared[d.Type] = d
	}
	return t
}

// Names are the types that are declared, or that a handler names, in order.
func (t *Types) Names() (names []string) {
	for name := range t.declared {
		names = append(names, name)
	}
	for _, h := range t.handlers {
		for _, p := range h.On {
			if typ, ok := p.Literal(); ok {
				names = append(names, typ)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Of returns one type.
func (t *Types) Of(name string, seen bool) EventType {
	e := EventType{Type: name, Own: events.Reserved(name), Seen: seen, Handlers: []string{}}
	if d, ok := t.declared[name]; ok {
		e.Description, e.Declared, e.Final = d.Description, true, d.Final
		if d.Schema != nil {
			e.Schema = d.Schema.Doc()
		}
	}
	if i := slices.IndexFunc(events.OwnTypes(), func(o events.OwnType) bool { return o.Type == name }); i >= 0 {
		e.Description = events.OwnTypes()[i].Doc
	}
	for _, h := range t.handlers {
		if slices.ContainsFunc(h.On, func(p events.Pattern) bool { return p.Match(name) }) {
			e.Handlers = append(e.Handlers, h.Name)
		}
	}
	return e
}

// Page merges the names of the wiring from one on with those that were seen, which are in order, to a page of limit types. It needs one more of them.
func (t *Types) Page(seen []string, from string, limit int) TypeList {
	names := slices.DeleteFunc(t.Names(), func(name string) bool { return name < from })
	names = append(names, seen...)
	slices.Sort(names)
	names = slices.Compact(names)
	list := TypeList{Types: []EventType{}}
	if len(names) > limit {
		names, list.Next = names[:limit], names[limit]
	}
	for _, name := range names {
		_, was := slices.BinarySearch(seen, name)
		list.Types = append(list.Types, t.Of(name, was))
	}
	return list
}
