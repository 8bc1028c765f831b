package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/config/settings"
	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// The types of this file are the values of keys that decode themselves. Their context is the *wiringReader.

// name is the name of a schedule or of a handler; empty if it is not valid.
type name string

const nameHint = "letters and digits, and after the first also . _ and -; 64 at most"

func (v *name) DecodeField(value any, at *fields.At) {
	s, ok := at.Scalar(value)
	if !ok {
		return
	}
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }
	for i := range len(s) {
		if c := s[i]; !letter(c) && (i == 0 || strings.IndexByte("_.-", c) < 0) {
			char := string([]rune(s[i:])[0])
			at.Add(&fault.Fault{Offset: i, Message: fmt.Sprintf("a name can't have %q here", char), Hint: nameHint, Err: errName})
			return
		}
	}
	switch {
	case s == "":
		at.Add(fault.New("the name is empty").Hinting(nameHint))
	case len(s) > 64:
		at.Add(fault.New("the name has %d characters", len(s)).Hinting(nameHint))
	default:
		*v = name(s)
	}
}

// errName is the cause of a fault inside a name.
var errName = errors.New("not a valid name")

func (*name) FieldShape() fields.Shape {
	s := fields.ScalarSchema()
	s["pattern"] = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
	return fields.Shape{Words: "text", Schema: s}
}

// pattern is an entry of a handler's on.
type pattern struct{ events.Pattern }

func (p *pattern) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok {
		return
	}
	var err error
	if p.Pattern, err = emitter.ParsePattern(s); err != nil {
		f := patternFault("the pattern", err)
		for _, t := range events.OwnTypes() { // the hint must not suggest another pattern of the list
			if f.Hint == fault.Suggest(t.Type) && at.Context.(*wiringReader).runsOn(t.Type) {
				f.Hint = fmt.Sprintf("leave it out: %q is in the list", t.Type)
			}
		}
		at.Add(f)
	}
}

func (*pattern) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{
		"type": "string", "minLength": 1, "if": map[string]any{"pattern": `^evrun\.[^*>]*$`}, "then": map[string]any{"enum": ownTypes()},
	}}
}

// ownTypes are the types of evrun's own events.
func ownTypes() (list []any) {
	for _, t := range events.OwnTypes() {
		list = append(list, t.Type)
	}
	return list
}

// patternFault returns the fault of a pattern or a type. Its message quotes the text.
func patternFault(what string, err error) *fault.Fault {
	e, ok := errors.AsType[*events.PatternError](err)
	if !ok {
		return fault.Of(err)
	}
	if !isWord(e.Msg[0]) { // "> is not the last token" names the culprit itself
		what += ":"
	}
	return &fault.Fault{Offset: e.Offset, Message: what + " " + e.Msg, Hint: e.Hint, Err: err}
}

// kind is the name of a kind, the value of a handler's do.
type kind string

func (k *kind) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok {
		return
	}
	if _, ok := handlers.Lookup(s); !ok {
		hint := "there are " + fault.And(handlers.Names())
		if word := fields.Closest(s, handlers.Names()); word != "" {
			hint = fault.Suggest(word)
		} else if strings.Contains(s, "/") {
			hint = "write exec " + fault.Clip(s, 60)
		}
		at.Add(fault.New("unknown kind %s", fault.Quote(s)).Hinting("%s", hint))
		return
	}
	*k = kind(s)
}

func (*kind) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string"}, Enum: handlers.Names()}
}

// condition is an expression without ${ }: when, order_by, and the key of a debounce. The scope tag says which names it may use.
type condition struct{ *expression.Expr }

func (c *condition) DecodeField(value any, at *fields.At) {
	s, ok := at.Scalar(value)
	if !ok {
		return
	}
	if strings.HasPrefix(s, "${") {
		hint := ""
		if strings.HasSuffix(s, "}") {
			hint = "write " + fault.Clip(strings.TrimSpace(s[2:len(s)-1]), 60)
		}
		at.Add(fault.New("%q is an expression as a whole, without ${ }", at.Key()).Hinting("%s", hint))
		return
	}
	var err error
	scope := at.Context.(expression.Scoper).ScopeOf(at.Scope)
	if at.Key() == "when" {
		scope = scope.Condition()
	}
	if c.Expr, err = expression.Compile(s, scope); err != nil {
		at.Add(fault.Of(err))
	}
}

func (*condition) FieldShape() fields.Shape {
	return fields.Shape{Words: "expression", Schema: fields.ScalarSchema()}
}

// computedType is the type of an event that a handler emits, a text that may contain expressions.
type computedType struct{ *expression.Template }

func (t *computedType) DecodeField(value any, at *fields.At) {
	before := at.Faults()
	t.Template = new(expression.Template)
	t.Template.DecodeField(value, at)
	if at.Failed(before) {
		t.Template = nil
		return
	}
	if text, ok := t.Constant(); ok {
		if f := at.Context.(*wiringReader).typeFault(text); f != nil {
			at.Add(f)
		}
	}
}

func (*computedType) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "minLength": 1, "not": map[string]any{"pattern": `^evrun\.`}}}
}

// eventType is a constant type of an event.
type eventType string

func (t *eventType) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok {
		return
	}
	if strings.Contains(s, "${") {
		at.Add(fault.New("the type is written out, without ${ }").Hinting("expressions can stand in data and subject"))
		return
	}
	if f := at.Context.(*wiringReader).typeFault(s); f != nil {
		at.Add(f)
		return
	}
	*t = eventType(s)
}

func (*eventType) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{
		"type": "string", "pattern": `^[^\s.*>]+(\.[^\s.*>]+)*$`, "not": map[string]any{"pattern": `^evrun\.|\$\{`},
	}}
}

// instant is a time with its offset.
type instant = settings.Instant

// runsOn reports whether the patterns of the handler that is being read include a type.
func (r *wiringReader) runsOn(typ string) bool {
	return slices.ContainsFunc(patternsOf(r.entry), func(item *yaml.Node) bool { return item.Value == typ })
}
