package fields

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"evrun/tasks/fault"
)

// Options are the settings of a decoding.
type Options struct {
	// Owner is the value's name in messages: "a handler", "log". A struct's own owner tag overrides it.
	Owner string
	// Context is for the types that decode themselves: see [At.Context].
	Context any
	// Written returns the source text of the scalar at a path from the value. If Written is nil or returns false, the value is printed.
	Written func(path []any) (string, bool)
	// Partial reports whether some keys of the mapping at a path could not be read: then none is reported as missing. It may be nil.
	Partial func(path []any) bool
	// Texts accepts texts as truth values and numbers, for values from the environment or from flags.
	Texts bool
	// Unnamed omits the key's name from messages, for values that are reported under another name.
	Unnamed bool
}

// Unread marks a value that could not be read. A fault has already been reported for it; Decode adds no other.
type Unread struct{}

// Decode fills the struct that into points to. The value is a map[string]any, whose values are of that type, []any, string, int64,
// uint64, float64, bool or nil. All faults are reported at once (of very many the first hundred or so), with paths from the value. The field of a wrong value stays zero.
//
// Decode is safe for concurrent use; only types that decode themselves can have side effects.
func Decode(into, value any, o Options) []*fault.Fault {
	d := &decoder{Options: o}
	at := &At{Context: o.Context, d: d}
	d.object(reflect.ValueOf(into).Elem(), value, at)
	return d.faults
}

// maxFaults is about how many faults are reported. In a value with more, most have one cause.
const maxFaults = 100

// full reports whether decoding can stop, because there are enough faults.
func (d *decoder) full() bool { return len(d.faults) >= maxFaults }

type decoder struct {
	Options
	faults []*fault.Fault
}

// At is the place of a value that is decoded.
type At struct {
	// Context is the [Options.Context] of the decoding.
	Context any
	// Scope is the scope tag of the field, or of the nearest field around it that has one.
	Scope string
	// Tag has the tags of the field.
	Tag reflect.StructTag

	d      *decoder
	path   []any // shares memory with others: faults copy it
	key    string
	hint   string // the hint in the field's tag for a value of the wrong shape
	before int    // number of faults before the present struct
}

// Key returns the name of the value's key; for an item, that of its list.
func (at *At) Key() string { return at.key }

// Place is the value's path as a text, for telling values apart.
func (at *At) Place() string { return fmt.Sprintf("%#v", at.path) }

// Add notes a fault, whose path begins at this value.
func (at *At) Add(f *fault.Fault) { at.d.faults = append(at.d.faults, f.Within(at.path...)) }

// Fail notes what is wrong with this value: "must be …". The message puts its key in front, or "it". The hint may be empty.
func (at *At) Fail(hint, format string, args ...any) {
	subject := "it"
	if at.named() {
		subject = strconv.Quote(at.key)
	}
	at.Add(&fault.Fault{Message: subject + " " + fmt.Sprintf(format, args...), Hint: hint})
}

// Refuse notes a fault whose message does not name the key of this value: it puts the key in front.
func (at *At) Refuse(f *fault.Fault) {
	if at.named() {
		named := *f
		named.Message = strconv.Quote(at.key) + ": " + f.Message
		f = &named
	}
	at.Add(f)
}

// named reports whether messages name the key of this value.
func (at *At) named() bool { return at.key != "" && !at.d.Unnamed }

// Failed reports whether there are more faults than before, a number from [At.Faults].
func (at *At) Failed(since int) bool { return len(at.d.faults) > since }

// Wrong reports, in [Checker.CheckFields], whether a key of the struct is wrong, missing or unknown.
func (at *At) Wrong() bool { return at.Failed(at.before) }

// Faults counts the faults so far.
func (at *At) Faults() int { return len(at.d.faults) }

// Written returns the source text of a scalar; false for lists, maps and null.
func (at *At) Written(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case nil, []any, map[string]any:
		return "", false
	case float64:
		if text, ok := at.source(); ok {
			return text, true
		}
		return strconv.FormatFloat(value, 'f', -1, 64), true
	}
	if text, ok := at.source(); ok {
		return text, true
	}
	return fmt.Sprint(value), true
}

func (at *At) source() (string, bool) {
	if at.d.Written == nil {
		return "", false
	}
	return at.d.Written(at.path)
}

// Text returns a text. It reports a fault for anything else: a number or a truth value might be read differently from its source text.
func (at *At) Text(value any) (string, bool) {
	if s, ok := value.(string); ok {
		return s, true
	}
	hint := ""
	if text, ok := at.Written(value); ok {
		hint = cmp.Or(at.hint, "quote it: "+fault.Quote(text))
	}
	at.Fail(hint, "must be a text, not %s", at.describe(value))
	return "", false
}

// Scalar returns the source text of any scalar, and reports a fault for anything else.
func (at *At) Scalar(value any) (string, bool) {
	s, ok := at.Written(value)
	if !ok {
		at.Fail("", "must be a text, not %s", at.describe(value))
	}
	return s, ok
}

// Decode decodes a part of this value into a struct, a slice or a map that into points to.
func (at *At) Decode(into, value any, steps ...any) {
	at.d.value(reflect.ValueOf(into).Elem(), value, at.step(steps...), &field{})
}

// describe names a value for a message, with its source text.
func (at *At) describe(value any) string {
	switch value.(type) {
	case int64, uint64, float64:
		if text, ok := at.source(); ok {
			return "the number " + fault.Clip(text, 60)
		}
	}
	return Describe(value)
}

// step is the place of a value inside this one.
func (at *At) step(steps ...any) *At {
	inner := *at
	inner.path, inner.hint = append(at.path, steps...), ""
	return &inner
}

func (d *decoder) owner(o *object, at *At) string {
	switch {
	case o.owner != "":
		return o.owner
	case at.key != "":
		return strconv.Quote(at.key)
	}
	return d.Owner
}

// object decodes a mapping into a struct.
func (d *decoder) object(v reflect.Value, value any, at *At) {
	o := objectOf(v.Type())
	owner, before := d.owner(o, at), at.Faults()
	given, ok := value.(map[string]any)
	if !ok {
		if _, scalar := at.Written(value); scalar && o.short != nil {
			inner := *at // faults still have the name of the struct's key
			inner.Tag = o.short.tag
			d.value(v.FieldByIndex(o.short.index), value, &inner, o.short)
			check(v, map[string]any{o.short.Name: value}, at, before)
			return
		}
		at.Add(fault.New("%s must be a mapping of keys, not %s", owner, at.describe(value)).Hinting("%s", cmp.Or(numbered(at.Tag, value), at.hint, listKeys(o.names()))))
		return
	}
	guide, _ := v.Addr().Interface().(Guide)
	meant := d.unknown(o, owner, given, guide, at)
	if s, ok := v.Addr().Interface().(Scoped); ok {
		scoped := *at
		scoped.Scope, at = s.ScopeFor(at.Scope, given), &scoped
	}
	for _, f := range o.fields {
		value, ok := given[f.Name]
		switch {
		case ok && value == nil && !f.null:
			hint := "give it one, or leave the key out"
			if f.Required {
				hint = "give it one: " + why(f)
			}
			at.step(f.Name).Add(&fault.Fault{Key: true, Message: fmt.Sprintf("%q has no value", f.Name), Hint: hint})
		case ok:
			d.field(v, f, value, at.step(f.Name))
		case f.Required && (slices.Contains(meant, f.Name) || d.Partial != nil && d.Partial(at.path)):
		case f.Required:
			at.Add(fault.New("%s needs %q", owner, f.Name).Hinting("%s", why(f)))
		case f.Default != "":
			texts := d.Texts
			d.Texts = true
			d.field(v, f, f.Default, at.step(f.Name))
			d.Texts = texts
		}
	}
	check(v, given, at, before)
}

// check applies the rules over several keys of a struct.
func check(v reflect.Value, given map[string]any, at *At, before int) {
	if c, ok := v.Addr().Interface().(Checker); ok {
		checked := *at
		checked.before = before
		c.CheckFields(given, &checked)
	}
}

// unknown reports the keys that the struct doesn't have. It returns the keys that were probably meant: these are not reported as missing.
func (d *decoder) unknown(o *object, owner string, given map[string]any, guide Guide, at *At) (meant []string) {
	var names []string
	for name := range given {
		if !slices.ContainsFunc(o.fields, func(f *field) bool { return f.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if d.full() {
			break
		}
		word, hint := o.suggest(name), ""
		if guide != nil {
			hint = guide.HintUnknown(name, given)
		}
		if hint = cmp.Or(hint, o.below(name)); hint == "" {
			meant = append(meant, word)
		}
		_, taken := given[word]
		switch {
		case hint != "":
		case taken:
			hint = fmt.Sprintf("leave it out: %q is given already", word)
		case word == "":
			hint = listKeys(o.names())
		default:
			hint = cmp.Or(o.reshaped(word, given[name]), fault.Suggest(word))
		}
		at.step(name).Add(&fault.Fault{Key: true, Message: fmt.Sprintf("unknown key %s in %s", fault.Quote(name), owner), Hint: hint})
	}
	return meant
}

// field decodes the value of a key into its field of the struct. The place is its own: it adds what the tags say.
func (d *decoder) field(v reflect.Value, f *field, value any, at *At) {
	if value == nil && f.null && f.typ.Kind() != reflect.Interface {
		if shape, ok := shapeOf(f.typ); !ok || !shape.Null {
			return
		}
	}
	at.Tag, at.key, at.hint = f.tag, f.Name, f.tag.Get("hint")
	if scope := f.tag.Get("scope"); scope != "" {
		at.Scope = scope
	}
	d.value(v.FieldByIndex(f.index), value, at, f)
}

// value decodes a value into anything that a field can have.
func (d *decoder) value(v reflect.Value, value any, at *At, f *field) {
	if _, ok := value.(Unread); ok {
		return
	}
	if v.Kind() == reflect.Pointer {
		target := reflect.New(v.Type().Elem())
		before := at.Faults()
		d.value(target.Elem(), value, at, f)
		if !at.Failed(before) {
			v.Set(target)
		}
		return
	}
	if self, ok := v.Addr().Interface().(Type); ok {
		self.DecodeField(value, at)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.object(v, value, at)
	case reflect.Slice:
		d.list(v, value, at, f)
	case reflect.Map:
		d.mapping(v, value, at, f)
	case reflect.Interface:
		if value != nil {
			v.Set(reflect.ValueOf(value))
		}
	default:
		d.scalar(v, value, at, f)
	}
}

// list decodes a list, or its only item.
func (d *decoder) list(v reflect.Value, value any, at *At, f *field) {
	list, ok := value.([]any)
	if !ok && !onlyItem(v.Type().Elem(), value, f) {
		what := "a list"
		if onlyItem(v.Type().Elem(), "", f) {
			what = "a text or a list"
		}
		at.Fail(at.hint, "must be %s, not %s", what, at.describe(value))
		return
	}
	if !ok {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.value(v.Index(0), value, at, &field{})
		return
	}
	if len(list) == 0 && f.items {
		hint := cmp.Or(at.hint, "leave it out, or give it an item")
		if f.Required {
			hint = cmp.Or(at.hint, "give it an item")
		}
		at.Fail(hint, "is an empty list")
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
	shape, _ := shapeOf(v.Type().Elem())
	for i, item := range list {
		if d.full() {
			return
		}
		if item == nil && !shape.Null {
			at.step(i).Add(&fault.Fault{Key: true, Message: fmt.Sprintf("an item of %q is empty", at.key), Hint: "leave its dash out"})
			continue
		}
		inner := at.step(i)
		if v.Type().Elem().Kind() == reflect.String {
			inner.hint = at.hint // it says how a text is written
		}
		d.value(v.Index(i), item, inner, &field{})
	}
}

// onlyItem reports whether a value that is not a list can be a list's only item.
func onlyItem(item reflect.Type, value any, f *field) bool {
	if structOf(item) != nil {
		return f.one
	}
	shape, _ := shapeOf(item)
	_, mapping := value.(map[string]any)
	return !shape.Tree && !mapping
}

// mapping decodes a map with string keys.
func (d *decoder) mapping(v reflect.Value, value any, at *At, f *field) {
	given, ok := value.(map[string]any)
	if !ok {
		at.Fail(at.hint, "must be a mapping, not %s", at.describe(value))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if d.full() {
			break
		}
		item, before := reflect.New(v.Type().Elem()).Elem(), at.Faults()
		d.value(item, given[key], at.step(key), &field{one: f.one, items: f.items})
		if !at.Failed(before) {
			out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
		}
	}
	v.Set(out)
}
