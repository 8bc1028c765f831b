// Package query decodes the parameters of a request's URL into a struct whose tags declare them: name, type, meaning, default and bounds, as package
// fields reads them. The description of the API is made of the same tags, so it says what the decoder does.
//
//	type logs struct {
//		Attempt string `key:"attempt" doc:"A number, or all; the last one unless given."`
//		Follow  bool   `key:"follow" doc:"Go on until the run has ended."`
//	}
//
//	var q logs
//	err := query.Decode(r.URL.RawQuery, &q)
//
// A parameter that is unknown, malformed, or given twice where it has one value, is an [Error] that names it. A parameter without a value counts as
// absent. A switch is true or 1, false or 0.
package query

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/events"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// Error is what is wrong with a query.
type Error struct {
	Parameter string // empty: the query can't be read at all
	Message   string
}

// Error names the parameter.
func (e *Error) Error() string {
	if e.Parameter == "" {
		return e.Message
	}
	return e.Parameter + ": " + e.Message
}

// Decode decodes the query of a URL into the struct that into points to. The error is an *[Error].
func Decode(raw string, into any) error {
	given, err := url.ParseQuery(raw)
	if err != nil {
		return &Error{Message: "the query of the URL can't be read: " + err.Error()}
	}
	var declared []fields.Field
	if len(given) > 0 { // most requests have no parameters
		declared = fields.Of(reflect.TypeOf(into).Elem())
	}
	values := map[string]any{}
	for name, texts := range given {
		i := slices.IndexFunc(declared, func(f fields.Field) bool { return f.Name == name })
		if i < 0 {
			return unknown(name, declared)
		}
		texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
		list := strings.HasPrefix(declared[i].Type, "list")
		switch {
		case len(texts) == 0:
		case list:
			values[name] = anyList(texts)
		case len(texts) > 1:
			return &Error{name, "it is given " + strconv.Itoa(len(texts)) + " times, and has one value"}
		default:
			values[name] = switched(declared[i].Type, texts[0])
		}
	}
	faults := fields.Decode(into, values, fields.Options{Owner: "the query", Texts: true, Unnamed: true})
	if len(faults) == 0 {
		return nil
	}
	f := faults[0]
	wrong := &Error{Message: strings.TrimPrefix(f.Message, "it ")}
	if len(f.Path) > 0 {
		wrong.Parameter, _ = f.Path[0].(string)
	}
	if f.Hint != "" {
		wrong.Message += "; " + f.Hint
	}
	return wrong
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// switched makes the digits 1 and 0 of a switch words.
func switched(typ, text string) any {
	if typ == "true/false" {
		switch text {
		case "1":
			return true
		case "0":
			return false
		}
	}
	return text
}

func unknown(name string, declared []fields.Field) error {
	var names []string
	for _, f := range declared {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	wrong := &Error{Message: "unknown parameter " + fault.Quote(name)}
	switch word := fields.Closest(name, names); {
	case word != "":
		wrong.Message += "; " + fault.Suggest(word)
	case len(names) == 0:
		wrong.Message += "; this request takes none"
	default:
		wrong.Message += "; this request takes " + fault.And(names)
	}
	return wrong
}

// Time is a time as RFC 3339 writes it.
type Time struct{ time.Time }

// DecodeField implements [fields.Type].
func (t *Time) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	if t.Time, ok = events.ParseTime(text); !ok {
		at.Fail("", "must be an RFC 3339 time such as 2026-11-27T08:00:00Z, not %s", fault.Quote(text))
	}
}

// FieldShape implements [fields.Type].
func (*Time) FieldShape() fields.Shape {
	return fields.Shape{Words: "time", Schema: map[string]any{"type": "string", "format": "date-time"}}
}

// Seq is the number of an event, or none.
type Seq struct {
	Number int64
	Given  bool
}

// DecodeField implements [fields.Type].
func (s *Seq) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		at.Fail("", "must be the seq of an event, not %s", fault.Quote(text))
		return
	}
	*s = Seq{n, true}
}

// FieldShape implements [fields.Type].
func (*Seq) FieldShape() fields.Shape {
	return fields.Shape{Words: "number", Schema: map[string]any{"type": "integer", "minimum": 0}}
}
