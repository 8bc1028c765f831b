package events

import (
	"encoding/json"
	"sync/atomic"
)

// payload is the result of checking an event's data. The event and its copies share it.
type payload struct {
	text    json.RawMessage // the data that was checked: valid JSON
	index   index
	decoded atomic.Pointer[decodedValue] // nil: not yet
}

type decodedValue struct {
	value any
	err   error
}

// index says where the members of a small JSON object are in its text. The scanner fills it in while it checks the text.
type index struct {
	members  [8]memberPlace
	n        int
	complete bool // else it has more members, or one that can't be noted, or it isn't an object
}

// memberPlace is where a member's key, without quotes, and its value begin and end.
type memberPlace struct{ key, keyEnd, value, end uint16 }

// add notes a member. Its key is without quotes.
func (x *index) add(key, keyEnd, value, end int) {
	if x.n < len(x.members) {
		x.members[x.n] = memberPlace{uint16(key), uint16(keyEnd), uint16(value), uint16(end)}
	}
	x.n++
}

// maxShared is the largest data, in bytes, whose decoded form stays with the event. The decoded form takes up to 50 times as much memory, so no more
// than an event of the default maximum of 1 MiB.
const maxShared = 16 << 10

// isChecked reports whether the data was found to be valid JSON and has not changed since.
func (e *Event) isChecked() bool {
	p := e.payload
	return p != nil && len(p.text) == len(e.Data) && &p.text[0] == &e.Data[0]
}

// Value decodes the data: nil when there is none, a string when it isn't JSON, else what [ParseJSON] gives. All callers share the value of a checked
// event: don't change it. It is safe for concurrent use.
func (e *Event) Value() (any, error) {
	switch {
	case len(e.Data) == 0:
		return nil, nil
	case !e.IsJSON():
		return string(e.Data), nil
	case len(e.Data) > maxShared || !e.isChecked():
		return ParseJSON(e.Data)
	}
	p := e.payload
	if p.decoded.Load() == nil {
		v, err := ParseJSON(p.text)
		p.decoded.CompareAndSwap(nil, &decodedValue{v, err})
	}
	d := p.decoded.Load()
	return d.value, d.err
}

// Member returns what Value has under a name, nil if it has nothing there, without decoding the rest. If ok is false, ask Value: the data is not an
// object of at most 8 members and 16 KiB that was checked by [Event.Validate] or at decoding, or the member is an object or an array. It is safe for
// concurrent use.
func (e *Event) Member(name string) (v any, ok bool) {
	if !e.isChecked() || !e.IsJSON() {
		return nil, false
	}
	p := e.payload
	if d := p.decoded.Load(); d != nil {
		m, ok := d.value.(map[string]any)
		return m[name], ok
	}
	if !p.index.complete {
		return nil, false
	}
	for i := p.index.n - 1; i >= 0; i-- { // of a key that is given twice, the last one counts
		m := &p.index.members[i]
		if string(p.text[m.key:m.keyEnd]) != name {
			continue
		}
		if c := p.text[m.value]; c == '{' || c == '[' {
			return nil, false
		}
		s := scanner{in: p.text[m.value:m.end]}
		return s.parse(1)
	}
	return nil, true
}
