package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/users"
)

// userInsert is the kind user.insert. Its result is the user: id, name, email, attributes, created_at, event_id.
type userInsert struct {
	Name       *expression.Template `key:"name" default:"${ data.name }" doc:"The user's name."`
	Email      *expression.Template `key:"email" default:"${ data.email }" doc:"The user's e-mail address. No two users have the same, whatever the case of its letters."`
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
	if wrong := users.CheckEmail(email); wrong != "" {
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

// Value implements emission.Result.
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

// AppendJSON implements emission.Result.
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
