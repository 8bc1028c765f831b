// Package payload changes fields of JSON texts, and compares texts line by line. What is not changed keeps its bytes: the order of keys, spaces, and
// numbers that no Go type holds.
//
//	data, err := payload.Set(data, []payload.Field{{Path: "customer.currency", Value: json.RawMessage(`"EUR"`)}})
package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"evrun/events"
)

// Field is a new value of one field.
type Field struct {
	// Path names the field: keys and indexes of lists, separated by dots ("customer.name", "items.0.price"). A backslash before a dot makes it a part of
	// a key; without one, a key with dots is found where the object has it.
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// Set gives fields their values, one after the other. A missing field is added, with the objects around it; a list doesn't grow. Spaces around
// a value are left out. No data counts as an empty object.
func Set(data json.RawMessage, fields []Field) (json.RawMessage, error) {
	for _, f := range fields {
		if len(bytes.TrimSpace(data)) == 0 {
			data = json.RawMessage(`{}`)
		}
		if !utf8.ValidString(f.Path) {
			return nil, fmt.Errorf("the path %q is not valid UTF-8", f.Path)
		}
		if err := events.CheckJSON(f.Value); err != nil {
			return nil, fmt.Errorf("the value of %s %w", f.Path, err)
		}
		var err error
		if data, err = set(data, nil, SplitPath(f.Path), bytes.TrimSpace(f.Value)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// set sets the field at a path below data, which is at a path itself.
func set(data json.RawMessage, at, path []string, value json.RawMessage) (json.RawMessage, error) {
	whole := strings.Join(slices.Concat(at, path), ".")
	list, err := membersOf(data)
	if err != nil {
		return nil, fmt.Errorf("%s can't be set: %s is %w", whole, name(at), err)
	}
	key, rest := list.first(path)
	m := list.find(key)
	switch {
	case key == "":
		return nil, fmt.Errorf("%q is not the path of a field: write keys separated by dots, such as customer.name", whole)
	case m == nil && list.array:
		return nil, fmt.Errorf("%s can't be set: %s is a list of %d, and has no element %q", whole, name(at), len(list.members), key)
	case m == nil && len(rest) == 0:
		return list.add(key, value)
	case m == nil:
		inner, err := set(json.RawMessage(`{}`), append(slices.Clone(at), key), rest, value)
		if err != nil {
			return nil, err
		}
		return list.add(key, inner)
	case len(rest) > 0:
		if value, err = set(data[m.from:m.to], append(slices.Clone(at), key), rest, value); err != nil {
			return nil, err
		}
	}
	out := append(make(json.RawMessage, 0, len(data)+len(value)), data[:m.from]...)
	return append(append(out, value...), data[m.to:]...), nil
}

// SplitPath splits a path at its dots. A backslash makes a dot, or another backslash, a part of a key.
func SplitPath(path string) (parts []string) {
	var part strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == '\\'):
			i++
			part.WriteByte(path[i])
		case c == '.':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(c)
		}
	}
	return append(parts, part.String())
}

func name(path []string) string {
	if len(path) == 0 {
		return "the data"
	}
	return strings.Join(path, ".")
}

// members are the values of an object or a list, each with its place in the text.
type members struct {
	text    json.RawMessage
	array   bool
	members []member
	end     int // of the closing bracket
}

type member struct {
	key      string
	from, to int
}

// errNoMembers says of a value that it has no fields.
type errNoMembers string

func (e errNoMembers) Error() string { return string(e) }

func membersOf(text json.RawMessage) (*members, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	open, err := d.Token()
	if err != nil {
		return nil, err
	}
	list := &members{text: text, array: open == json.Delim('[')}
	if _, ok := open.(json.Delim); !ok {
		return nil, errNoMembers(kind(open) + ", not an object")
	}
	for d.More() {
		m := member{key: strconv.Itoa(len(list.members))}
		if !list.array {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			m.key, _ = key.(string)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		m.to = int(d.InputOffset())
		m.from = m.to - len(raw)
		list.members = append(list.members, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	list.end = int(d.InputOffset()) - 1
	return list, nil
}

func kind(token json.Token) string {
	switch token.(type) {
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return "null"
}

// find returns the member with a key, or nil. Of several with one key the last one counts.
func (l *members) find(key string) *member {
	for i := len(l.members) - 1; i >= 0; i-- {
		if l.members[i].key == key {
			return &l.members[i]
		}
	}
	return nil
}

// first returns the first key of a path. A longer beginning of the path is the key if there is a member with that name.
func (l *members) first(path []string) (key string, rest []string) {
	for n := len(path); n > 1; n-- {
		if key := strings.Join(path[:n], "."); l.find(key) != nil {
			return key, path[n:]
		}
	}
	return path[0], path[1:]
}

func (l *members) add(key string, value json.RawMessage) (json.RawMessage, error) {
	quoted, err := events.MarshalJSON(key)
	if err != nil {
		return nil, err
	}
	end := l.end
	if n := len(l.members); n > 0 {
		end = l.members[n-1].to
	}
	out := append(make(json.RawMessage, 0, len(l.text)+len(quoted)+len(value)+2), l.text[:end]...)
	if len(l.members) > 0 {
		out = append(out, ',')
	}
	out = append(append(append(out, quoted...), ':'), value...)
	return append(out, l.text[end:]...), nil
}
