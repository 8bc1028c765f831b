package handlers

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// The types that an input's field can have, beside string, bool, int, time.Duration, []string, []*Template, map[string]*Template,
// map[string]*Value, and a slice of a struct of inputs.
var (
	templateType = reflect.TypeFor[*expression.Template]()
	valueType    = reflect.TypeFor[*expression.Value]()
	durationType = reflect.TypeFor[time.Duration]()
)

var known sync.Map // the inputs of a kind's struct, by its type

// inputsOf gives the inputs of a kind's struct. A file may have many handlers of one kind: the tags are read once.
func inputsOf(t reflect.Type) []Input {
	inputs, ok := known.Load(t)
	if !ok {
		inputs, _ = known.LoadOrStore(t, readInputs(t))
	}
	return inputs.([]Input)
}

// readInputs reads the tags of a kind's struct: `input:"name[,required]"`, `doc`, `enum:"a,b"` and `default`. A fault in them is
// a defect of the program, so it panics, at start.
func readInputs(t reflect.Type) []Input {
	var inputs []Input
	for f := range t.Fields() {
		tag, ok := f.Tag.Lookup("input")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		in := Input{
			Name: name, Doc: f.Tag.Get("doc"), Type: typeName(f.Type), Required: option == "required", Default: f.Tag.Get("default"),
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			in.Enum = strings.Split(enum, ",")
		}
		if in.Type == "list" {
			in.Inputs = inputsOf(f.Type.Elem())
		}
		if in.Doc == "" || in.Type == "" || option != "" && option != "required" {
			panic(fmt.Sprintf("handlers: input %q of %v is not declared well", name, t))
		}
		inputs = append(inputs, in)
	}
	return inputs
}

func typeName(t reflect.Type) string {
	switch t {
	case templateType:
		return "text"
	case valueType:
		return "value"
	case durationType:
		return "duration"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true/false"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		if t.Elem() == templateType || t.Elem().Kind() == reflect.String {
			return "list of text"
		}
		if t.Elem().Kind() == reflect.Struct {
			return "list"
		}
	case reflect.Map:
		if t.Elem() == templateType && t.Key().Kind() == reflect.String {
			return "map of text"
		}
		if t.Elem() == valueType && t.Key().Kind() == reflect.String {
			return "map of values"
		}
	}
	return ""
}

// decoder fills a kind's struct from what the wiring file has, and collects all that is wrong.
// A path that is passed along may share memory with others: fault copies it.
type decoder struct {
	scope  expression.Scope
	owner  string // what has the inputs, as a message names it
	faults []*InputError
}

// fault records one, with a hint that may be empty.
func (d *decoder) fault(path []any, hint, format string, args ...any) {
	d.faults = append(d.faults, &InputError{Path: slices.Clone(path), Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// object decodes the fields of a struct.
func (d *decoder) object(v reflect.Value, with map[string]any, path []any) {
	inputs := inputsOf(v.Type())
	known := make([]string, len(inputs))
	for i, in := range inputs {
		known[i] = in.Name
	}
	for _, key := range slices.Sorted(maps.Keys(with)) {
		if slices.Contains(known, key) {
			continue
		}
		hint := fault.DidYouMean(key, known)
		if hint == "" {
			hint = fmt.Sprintf("%s takes %s", d.owner, enumerate(known))
		}
		d.fault(append(path, key), hint, "unknown input %q", key)
		d.faults[len(d.faults)-1].Key = true
	}
	i := 0
	for f, field := range v.Fields() {
		if _, ok := f.Tag.Lookup("input"); !ok {
			continue
		}
		in := inputs[i]
		i++
		given, ok := with[in.Name]
		switch {
		case ok && (given != nil || f.Type == valueType):
			d.input(field, in, given, append(path, in.Name))
		case ok:
			d.fault(append(path, in.Name), "leave the key out, or give it a value", "it is empty")
		case in.Required:
			d.fault(path, in.Doc, "the input %q is missing", in.Name)
		case in.Default != "":
			d.input(field, in, in.Default, append(path, in.Name))
		}
	}
}

// input decodes one input into its field.
func (d *decoder) input(field reflect.Value, in Input, given any, path []any) {
	switch field.Type() {
	case templateType:
		if t := d.template(given, path); t != nil {
			field.Set(reflect.ValueOf(t))
		}
		return
	case valueType:
		if v := d.value(given, path); v != nil {
			field.Set(reflect.ValueOf(v))
		}
		return
	case durationType:
		field.SetInt(int64(d.duration(given, path)))
		return
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(d.text(given, in.Enum, path))
	case reflect.Bool:
		b, ok := given.(bool)
		if !ok {
			d.fault(path, "", "it must be true or false, not %s", describeValue(given))
		}
		field.SetBool(b)
	case reflect.Int:
		field.SetInt(d.integer(given, path))
	case reflect.Slice:
		d.list(field, given, path)
	case reflect.Map:
		if field.Type().Elem() == valueType {
			d.values(field, given, path)
		} else {
			d.templates(field, given, path)
		}
	}
}

// template takes any scalar: `message: 5` is the text "5".
func (d *decoder) template(given any, path []any) *expression.Template {
	switch v := given.(type) {
	case bool, int64, uint64:
		given = fmt.Sprint(v)
	case float64:
		given = strconv.FormatFloat(v, 'f', -1, 64)
	}
	s, ok := given.(string)
	if !ok {
		d.fault(path, "", "it must be a text, not %s", describeValue(given))
		return nil
	}
	t, err := expression.CompileTemplate(s, d.scope)
	if err != nil {
		d.expressionFault(path, err)
		return nil
	}
	return t
}

func (d *decoder) value(given any, path []any) *expression.Value {
	v, err := expression.CompileValue(given, d.scope)
	if err == nil {
		return v
	}
	var first *expression.ValueError
	if !errors.As(err, &first) {
		d.expressionFault(path, err)
		return nil
	}
	for _, e := range append([]*expression.ValueError{first}, first.Rest...) {
		d.expressionFault(append(path, e.Path...), e.Err)
	}
	return nil
}

func (d *decoder) expressionFault(path []any, err error) {
	var e *expression.Error
	if !errors.As(err, &e) {
		d.fault(path, "", "%v", err)
		return
	}
	d.fault(path, e.Hint, "%s", e.Msg)
	d.faults[len(d.faults)-1].Offset = max(e.Offset, 0)
}

func (d *decoder) text(given any, enum []string, path []any) string {
	s, ok := given.(string)
	switch {
	case !ok && enum != nil:
		d.fault(path, "", "it must be %s, not %s", alternatives(enum), describeValue(given))
	case !ok:
		hint := ""
		switch given.(type) {
		case map[string]any, []any, nil:
		default:
			hint = "put it in quotes"
		}
		d.fault(path, hint, "it must be a text, not %s", describeValue(given))
	case enum != nil && !slices.Contains(enum, s):
		d.fault(path, fault.DidYouMean(s, enum), "it must be %s, not %q", alternatives(enum), s)
	}
	return s
}

func (d *decoder) duration(given any, path []any) time.Duration {
	s, ok := given.(string)
	if !ok {
		hint := "such as 30s or 5m"
		switch given.(type) {
		case int64, uint64, float64:
			hint = fmt.Sprintf("say the unit: %vs or %vms", given, given)
		}
		d.fault(path, hint, "it must be a duration, not %s", describeValue(given))
		return 0
	}
	v, err := time.ParseDuration(s)
	switch {
	case err != nil:
		d.fault(path, "such as 30s or 5m", "%q is not a valid duration", s)
	case v < 0:
		d.fault(path, "", "a duration can't be negative")
	}
	return v
}

func (d *decoder) integer(given any, path []any) int64 {
	switch n := given.(type) {
	case int64:
		return n
	case uint64:
		if n <= math.MaxInt64 {
			return int64(n)
		}
		d.fault(path, "", "%d is too large", n)
		return 0
	}
	d.fault(path, "", "it must be a whole number, not %s", describeValue(given))
	return 0
}

// list decodes a list of texts, for which one scalar will do, or a list of maps.
func (d *decoder) list(field reflect.Value, given any, path []any) {
	elem := field.Type().Elem()
	list, ok := given.([]any)
	if _, isMap := given.(map[string]any); !ok && !isMap && elem == templateType {
		if t := d.template(given, path); t != nil {
			field.Set(reflect.Append(field, reflect.ValueOf(t)))
		}
		return
	}
	if text, isText := given.(string); isText && elem.Kind() == reflect.String {
		field.Set(reflect.Append(field, reflect.ValueOf(text)))
		return
	}
	if !ok {
		d.fault(path, "", "it must be a list, not %s", describeValue(given))
		return
	}
	out := reflect.MakeSlice(field.Type(), len(list), len(list))
	for i, e := range list {
		place := append(path, i)
		if elem == templateType {
			if t := d.template(e, place); t != nil {
				out.Index(i).Set(reflect.ValueOf(t))
			}
			continue
		}
		if elem.Kind() == reflect.String {
			out.Index(i).SetString(d.text(e, nil, place))
			continue
		}
		m, ok := e.(map[string]any)
		if !ok {
			d.fault(place, "", "it must be a map, not %s", describeValue(e))
			continue
		}
		d.object(out.Index(i), m, place)
	}
	field.Set(out)
}

func (d *decoder) templates(field reflect.Value, given any, path []any) {
	m, ok := given.(map[string]any)
	if !ok {
		d.fault(path, "", "it must be a map, not %s", describeValue(given))
		return
	}
	out := make(map[string]*expression.Template, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if t := d.template(m[key], append(path, key)); t != nil {
			out[key] = t
		}
	}
	field.Set(reflect.ValueOf(out))
}

func (d *decoder) values(field reflect.Value, given any, path []any) {
	m, ok := given.(map[string]any)
	if !ok {
		d.fault(path, "", "it must be a map, not %s", describeValue(given))
		return
	}
	out := make(map[string]*expression.Value, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if v := d.value(m[key], append(path, key)); v != nil {
			out[key] = v
		}
	}
	field.Set(reflect.ValueOf(out))
}

// describeValue names what stands in the file.
func describeValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return fmt.Sprintf("the text %q", v)
	case bool:
		return fmt.Sprint(v)
	case int64, uint64, float64:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	}
	return "a value of another kind"
}

// enumerate writes "a", "a and b", "a, b and c".
func enumerate(words []string) string { return series(words, "and") }

// alternatives writes "a, b or c".
func alternatives(words []string) string { return series(words, "or") }

func series(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
