package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"evrun/tasks/payload"
)

// Fields is an object that fields are put into. Each has a key as gh and httpie take it:
//
//	a.b    the member b of the object a, which is made if need be
//	a\.b   the member "a.b": a backslash before a dot or a backslash
//	a[]    an element of the list a
//
// A key that comes twice makes a list of its values. What was there before the first field is replaced.
type Fields struct {
	top map[string]any // json.RawMessage as it was given, branch or list
}

type (
	branch = map[string]any
	list   []json.RawMessage // of one field or more; single: not a list in JSON
)

// single is the value of a key that came once, without [].
type single struct{ json.RawMessage }

// NewFields begins with a JSON object, or an empty one. The error says that data is something else.
func NewFields(data []byte) (*Fields, error) {
	if len(data) == 0 {
		return &Fields{top: branch{}}, nil
	}
	top, err := objectOf(data)
	return &Fields{top: top}, err
}

func objectOf(data []byte) (branch, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, errors.New("not a JSON object")
	}
	b := make(branch, len(members))
	for name, value := range members {
		b[name] = value
	}
	return b, nil
}

// Set puts a value at a key.
func (f *Fields) Set(key string, value json.RawMessage) error {
	key, element := strings.CutSuffix(key, "[]")
	path := payload.SplitPath(key)
	if slices.Contains(path, "") {
		return errors.New(`a name is empty; write \. for a dot in a name`)
	}
	at := f.top
	for i, name := range path[:len(path)-1] {
		next, ok := at[name].(branch)
		if !ok {
			next = branch{}
			switch old := at[name].(type) {
			case nil:
			case json.RawMessage: // from the data
				var err error
				if next, err = objectOf(old); err != nil {
					return fmt.Errorf("%s is not an object", strings.Join(path[:i+1], "."))
				}
			default: // from another field
				return fmt.Errorf("%s has a value, and can't have members", strings.Join(path[:i+1], "."))
			}
			at[name] = next
		}
		at = next
	}
	name := path[len(path)-1]
	switch old := at[name].(type) {
	case list:
		at[name] = append(old, value)
	case single:
		at[name] = list{old.RawMessage, value}
	case branch:
		return fmt.Errorf("%s has members, and can't have a value", strings.Join(path, "."))
	default:
		at[name] = single{value}
		if element {
			at[name] = list{value}
		}
	}
	return nil
}

// Object is the object with all fields, to be written as JSON.
func (f *Fields) Object() map[string]any { return f.top }
