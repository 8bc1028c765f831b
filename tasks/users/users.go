// Package users checks users that don't come from a handler: the lines of an import. A line is a JSON object as the API has users:
//
//	{"name":"Ada","email":"ada@example.com","attributes":{"team":"red"},"created_at":"2026-11-27T04:05:06Z","event_id":"…","id":7}
//
// Only the e-mail address is required. The id is the store's own, and is left out. Package tasks/handlers shares [CheckEmail]. No goroutines.
package users

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// Members are the members of a user in JSON.
var Members = []string{"id", "name", "email", "attributes", "created_at", "event_id"}

// Kind returns the kind of a column with users, or why there is no such column.
func Kind(path []string) (expression.Kind, error) {
	switch {
	case path[0] == "attributes" && len(path) == 1:
		return expression.KindMap, nil
	case path[0] == "attributes":
		return expression.KindAny, nil
	case len(path) > 1 || !slices.Contains(Members, path[0]):
		return 0, fmt.Errorf("a user has %s; attributes.%s keeps anything else", strings.Join(Members, ", "), strings.Join(path, "."))
	case path[0] == "id":
		return expression.KindNumber, nil
	}
	return expression.KindString, nil
}

// Decode reads and checks a user. The error says what is wrong.
func Decode(text []byte) (u store.User, err error) {
	if err := events.CheckJSON(text); err != nil {
		return u, err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || members == nil {
		return u, errors.New("it is not a JSON object")
	}
	for name, value := range members {
		switch name {
		case "id":
		case "name":
			err = decode(name, value, &u.Name)
		case "email":
			err = decode(name, value, &u.Email)
		case "event_id":
			err = decode(name, value, &u.EventID)
		case "created_at":
			var created *time.Time // nil: null
			if json.Unmarshal(value, &created) != nil {
				err = fmt.Errorf("created_at: %s is not a time such as 2026-11-27T04:05:06Z", fault.Quote(string(value)))
			} else if created != nil {
				u.CreatedAt = created.UTC().Truncate(time.Microsecond)
			}
		case "attributes":
			switch {
			case string(value) == "null":
			case value[0] != '{':
				err = fmt.Errorf("attributes: %s is not a map", fault.Quote(string(value)))
			default:
				u.Attributes = value
			}
		default:
			_, err = Kind([]string{name})
			err = fmt.Errorf("%q: %w", name, err)
		}
		if err != nil {
			return u, err
		}
	}
	if wrong := CheckEmail(u.Email); wrong != "" {
		return u, fmt.Errorf("email: %s is not a valid e-mail address: %s", fault.Quote(u.Email), wrong)
	}
	return u, nil
}

// decode reads a text; null is an empty one.
func decode(name string, value json.RawMessage, to *string) error {
	if json.Unmarshal(value, to) != nil {
		return fmt.Errorf("%s: %s is not a text", name, fault.Quote(string(value)))
	}
	if strings.Contains(*to, "\x00") {
		return fmt.Errorf("%s: there is a NUL in it", name)
	}
	return nil
}
