package handlers

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/outgoing"
)

// Render evaluates the inputs of a configured kind as an attempt would. Inputs that can't be evaluated are missing, and the error
// names each of them. A url is the one of the request. Inputs that the file leaves out and that have no default are missing, too.
//
// The result contains the values of env() and file(): use Show for people.
func Render(action tasks.Action, env *expression.Env) (map[string]any, error) {
	return render(action, &renderer{env: env})
}

// Show is Render with [expression.Masked] in place of each input, or part of one, that uses env() or file().
func Show(action tasks.Action, env *expression.Env) (map[string]any, error) {
	return render(action, &renderer{env: env, masked: true})
}

func render(action tasks.Action, r *renderer) (map[string]any, error) {
	if c, ok := action.(chosen); ok {
		action = c.written()
	}
	v := reflect.ValueOf(action)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return map[string]any{}, nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return map[string]any{}, nil
	}
	with := r.object(v, nil)
	if a, ok := action.(addressed); ok && with["url"] != nil {
		switch text, err := a.address(r.env); {
		case err != nil:
			r.errs = append(r.errs, fmt.Errorf("url: %w", err))
		case with["url"] != expression.Masked:
			with["url"] = text
		}
	}
	return with, errors.Join(r.errs...)
}

// addressed is a kind with an input url that it builds and checks itself.
type addressed interface {
	// address returns the url of an attempt, or the permanent error of that attempt.
	address(env *expression.Env) (string, error)
	template() *expression.Template // nil: no url
}

type renderer struct {
	env    *expression.Env
	masked bool
	errs   []error
}

// object renders the tagged fields of a struct.
func (r *renderer) object(v reflect.Value, path []any) map[string]any {
	out := map[string]any{}
	inputs := fields.Of(v.Type())
	for f, field := range v.Fields() {
		if f.Anonymous && field.Kind() == reflect.Struct { // its inputs are those of the struct around it
			maps.Copy(out, r.object(field, path))
			inputs = inputs[len(fields.Of(f.Type)):]
			continue
		}
		if _, ok := f.Tag.Lookup("key"); !ok {
			continue
		}
		in := inputs[0]
		inputs = inputs[1:]
		if field.IsZero() && in.Default == "" && field.Kind() != reflect.Bool && !in.Required {
			continue
		}
		if r.masked && f.Tag.Get("masked") != "" {
			out[in.Name] = expression.Masked
			continue
		}
		if value, ok := r.input(field, append(slices.Clip(path), in.Name)); ok {
			out[in.Name] = value
		}
	}
	return out
}

func (r *renderer) input(field reflect.Value, path []any) (any, bool) {
	switch v := field.Interface().(type) {
	case *expression.List:
		return v.String(), true
	case *expression.Template:
		if v.UsesItem() { // it has many values
			return v.String(), true
		}
		if r.masked {
			return r.keep(v.Shown(r.env))(path)
		}
		return r.keep(v.Text(r.env))(path)
	case *expression.Value:
		if v.UsesItem() {
			return v.Written(), true
		}
		if r.masked {
			return r.keep(v.Shown(r.env))(path)
		}
		return r.keep(v.Eval(r.env))(path)
	case time.Duration:
		return v.String(), true
	}
	switch field.Kind() {
	case reflect.Map:
		out := make(map[string]any, field.Len())
		keys := field.MapKeys() // in order, for the errors
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			if v, ok := r.input(field.MapIndex(key), append(slices.Clip(path), key.String())); ok {
				out[key.String()] = v
			}
		}
		return out, true
	case reflect.Slice:
		list := make([]any, 0, field.Len())
		for i := range field.Len() {
			if v, ok := r.input(field.Index(i), append(slices.Clip(path), i)); ok {
				list = append(list, v)
			}
		}
		return list, true
	case reflect.Struct:
		return r.object(field, path), true
	case reflect.Pointer:
		if field.Type().Elem().Kind() == reflect.Struct {
			return r.object(field.Elem(), path), true
		}
	}
	return field.Interface(), true
}

// keep returns a function that returns the evaluated value, or records the error with the path of the input.
func (r *renderer) keep(v any, err error) func(path []any) (any, bool) {
	return func(path []any) (any, bool) {
		if err != nil {
			r.errs = append(r.errs, fmt.Errorf("%s: %w", fault.Path(path), err))
		}
		return v, err == nil
	}
}

// emitting is a kind that emits events itself, in addition to its handler's emit.
type emitting interface {
	// drafts evaluates the events; masked as Show does.
	drafts(d *tasks.Delivery, masked bool) ([]emission.Draft, error)
	types() []*expression.Template
}

// Drafts evaluates the events that the kind itself would emit, masked as by Show; nil for most kinds.
func Drafts(action tasks.Action, d *tasks.Delivery) ([]emission.Draft, error) {
	if e, ok := action.(emitting); ok {
		return e.drafts(d, true)
	}
	return nil, nil
}

// EmittedTypes returns the types of the events that the kind itself emits, as written in the file.
func EmittedTypes(action tasks.Action) []*expression.Template {
	if e, ok := action.(emitting); ok {
		return e.types()
	}
	return nil
}

// EventLeads reports whether an event can choose the scheme, the host or the port of an action's url.
func EventLeads(action tasks.Action) bool {
	a, ok := action.(addressed)
	return ok && a.template() != nil && slices.ContainsFunc(a.template().OfEvent("x"), func(before string) bool { return outgoing.PlaceIn(before) <= outgoing.InHost })
}
