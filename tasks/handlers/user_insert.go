package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// userInsert is the kind user.insert. Its result is the user: id, name, email, attributes, created_at, event_id.
type userInsert struct {
	Name       *expression.Template `key:"name,required" doc:"The user's name."`
	Email      *expression.Template `key:"email,required" doc:"The user's e-mail address. No two users have the same, whatever the case of its letters."`
	Attributes *expression.Value    `key:"attributes" doc:"A map of anything else that is known of the user, kept as JSON."`
	OnConflict string               `key:"on_conflict" enum:"fail,ignore,update" default:"fail" doc:"What to do when the e-mail address already exists: fail makes the run dead, ignore keeps the stored user, update replaces its name and attributes."`
}

// Prepare evaluates and checks the inputs. A value that can't be stored is a permanent error.
func (u *userInsert) Prepare(d *tasks.Delivery) (tasks.Effect, error) {
	name, err := u.Name.Text(d.Env)
	if err != nil {
		return tasks.Effect{}, fmt.Errorf("name: %w", err)
	}
	email, err := u.Email.Text(d.Env)
	if err != nil {
		return tasks.Effect{}, fmt.Errorf("email: %w", err)
	}
	if wrong := checkEmail(email); wrong != "" {
		return tasks.Effect{}, tasks.Permanent(fmt.Errorf("email: %s is not a valid e-mail address: %s", fault.Quote(email), wrong))
	}
	attributes, attributesJSON, err := u.attributes(d.Env)
	if err != nil {
		return tasks.Effect{}, err
	}
	user := &store.User{Name: name, Email: email, Attributes: attributesJSON, EventID: d.Event.ID}
	return tasks.Effect{User: user, On: u.onConflict(), Stored: func(stored store.User, err error) (any, error) {
		if errors.Is(err, store.ErrConflict) {
			return nil, &conflictError{email, err}
		}
		if err != nil {
			return nil, fmt.Errorf("insert user %s: %w", fault.Quote(email), err)
		}
		result := &insertedUser{User: stored}
		if bytes.Equal(stored.Attributes, attributesJSON) { // else they are an older user's
			result.attributes, result.decoded = attributes, true
		}
		return result, nil
	}}, nil
}

// insertedUser is the kind's result. Its attributes may be as large as an event, so they are decoded and encoded only when needed.
type insertedUser struct {
	store.User
	attributes any
	decoded    bool
}

// Value implements [tasks.Result].
func (u *insertedUser) Value(b *expression.Budget) (any, error) {
	if !u.decoded && len(u.Attributes) > 0 {
		if err := b.Spend(len(u.Attributes) / 8); err != nil {
			return nil, err
		}
		var err error
		if u.attributes, err = events.ParseJSON(u.Attributes); err != nil {
			return nil, fmt.Errorf("stored attributes of user %d: %w", u.ID, err)
		}
		u.decoded = true
	}
	return map[string]any{
		"id": u.ID, "name": u.Name, "email": u.Email, "attributes": u.attributes, "created_at": u.created(), "event_id": u.EventID,
	}, nil
}

// AppendJSON implements [tasks.Result].
func (u *insertedUser) AppendJSON(dst []byte) ([]byte, error) {
	attributes := u.Attributes
	if len(attributes) == 0 {
		attributes = []byte("null")
	}
	dst = slices.Grow(dst, len(attributes)+len(u.Email)+len(u.EventID)+len(u.Name)+160)
	dst = append(append(dst, `{"attributes":`...), attributes...)
	dst = events.AppendJSONText(append(dst, `,"created_at":`...), u.created())
	dst = events.AppendJSONText(append(dst, `,"email":`...), u.Email)
	dst = events.AppendJSONText(append(dst, `,"event_id":`...), u.EventID)
	dst = strconv.AppendInt(append(dst, `,"id":`...), u.ID, 10)
	dst = events.AppendJSONText(append(dst, `,"name":`...), u.Name)
	return append(dst, '}'), nil
}

func (u *insertedUser) created() string { return u.CreatedAt.UTC().Format(time.RFC3339Nano) }

// attributes returns the attributes as a value and as JSON; nil if there are none.
func (u *userInsert) attributes(env *expression.Env) (any, []byte, error) {
	if u.Attributes == nil {
		return nil, nil, nil
	}
	v, err := u.Attributes.Eval(env)
	if err != nil {
		return nil, nil, fmt.Errorf("attributes: %w", err)
	}
	if v == nil {
		return nil, nil, nil
	}
	text, err := events.MarshalJSON(v)
	if err != nil {
		return nil, nil, tasks.Permanent(fmt.Errorf("attributes: %w", err))
	}
	if text[0] != '{' {
		return nil, nil, tasks.Permanent(fmt.Errorf("attributes: %s is not a map", fault.Quote(string(text))))
	}
	return v, text, nil
}

func (u *userInsert) onConflict() store.OnConflict {
	switch u.OnConflict {
	case "ignore":
		return store.Ignore
	case "update":
		return store.Update
	}
	return store.Fail
}

// conflictError explains a store.ErrConflict.
type conflictError struct {
	email string
	err   error
}

func (e *conflictError) Error() string {
	return fmt.Sprintf("a user with the e-mail address %s already exists (on_conflict: ignore or update would allow it)", fault.Quote(e.email))
}

func (e *conflictError) Unwrap() error { return e.err }

// maxEmail is SMTP's bound of a path (RFC 5321, 4.5.3.1.3), less its brackets.
const maxEmail = 254

// checkEmail returns what is wrong with an address; empty: nothing. It accepts the addresses that mail systems accept in practice: no
// quoted local parts, no comments, no address literals; letters beyond ASCII are fine (RFC 6531).
func checkEmail(s string) string {
	switch {
	case s == "":
		return "it is empty"
	case len(s) > maxEmail:
		return fmt.Sprintf("it is longer than %d bytes", maxEmail)
	case !utf8.ValidString(s):
		return "it is not valid UTF-8"
	}
	if wrong := checkLetters(s); wrong != "" {
		return wrong
	}
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case !ok:
		return `it has no "@"`
	case strings.Contains(domain, "@"):
		return `it has more than one "@"`
	case local == "":
		return `there is nothing before the "@"`
	case domain == "":
		return `there is nothing after the "@"`
	case len(local) > 64:
		return `it has more than 64 bytes before the "@"`
	case local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, ".."):
		return `a dot stands alone before the "@"`
	}
	for label := range strings.SplitSeq(domain, ".") {
		if fault := checkLabel(label); fault != "" {
			return fault
		}
	}
	return ""
}

// checkLetters checks that an address has only letters that one may have.
func checkLetters(s string) string {
	for _, r := range s {
		switch {
		case isPlain(r) || r == '.' || r == '@': // nearly all are
		case unicode.IsControl(r):
			return "it has a control character in it"
		case unicode.IsSpace(r):
			return "it has a space in it"
		case !unicode.IsGraphic(r):
			return "it has an invisible character in it"
		case strings.ContainsRune(`<>()[],;:\"`, r):
			return fmt.Sprintf("it has a %q in it", r)
		}
	}
	return ""
}

// checkLabel checks one label of a domain.
func checkLabel(label string) string {
	switch {
	case label == "":
		return "its domain has a dot that separates nothing"
	case len(label) > 63:
		return "a part of its domain is longer than 63 bytes"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "a part of its domain begins or ends with a hyphen"
	}
	for _, r := range label {
		if !isPlain(r) && !unicode.In(r, unicode.Letter, unicode.Digit, unicode.Mark) {
			return fmt.Sprintf("its domain has a %q in it", r)
		}
	}
	return ""
}

// isPlain reports whether a character is a letter or a digit of ASCII, or a hyphen.
func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'
}
