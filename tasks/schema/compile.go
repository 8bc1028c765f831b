package schema

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"evrun/tasks/fault"
)

// Fault is something wrong with a schema.
type Fault struct {
	Pointer string // a JSON pointer into the schema
	Key     bool   // the key is at fault, not its value
	Msg     string
	Hint    string // may be empty
}

// Error gives the place, the message and the hint.
func (f *Fault) Error() string {
	s := f.Msg
	if f.Pointer != "" {
		s = f.Pointer + ": " + s
	}
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// base is where a schema stands, for the references in it. Nothing can be loaded from there.
const base = "evrun:///schema"

// Compile compiles a decoded schema; numbers may be of any type that Check takes. It returns all faults that it finds.
// The Schema keeps doc: don't change it afterwards.
func Compile(doc any) (s *Schema, faults []*Fault) {
	in := inspect(doc)
	if len(in.faults) > 0 {
		return nil, in.faults
	}
	defer func() {
		if r := recover(); r != nil { // a defect of the library must not stop the daemon
			s, faults = nil, []*Fault{{Msg: fmt.Sprintf("this schema can't be compiled: %v", r)}}
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(nothing{})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(base, doc); err != nil {
		return nil, []*Fault{{Msg: err.Error()}}
	}
	root, err := c.Compile(base)
	if err != nil {
		return nil, in.explain(err)
	}
	if f := endless(root); f != nil {
		return nil, []*Fault{f}
	}
	return &Schema{doc, root}, nil
}

// Size is how much work a document is to compile: 20 µs and 10 KB for each subschema, and the like of it for long patterns.
// Over [MaxSize], Compile doesn't.
func Size(doc any) int { return inspect(doc).count }

// nothing loads no references.
type nothing struct{}

var errOutside = errors.New("it is outside of the schema")

func (nothing) Load(string) (any, error) { return nil, errOutside }

var english = message.NewPrinter(language.English)

// explain makes faults of what the library says.
func (in *inspector) explain(err error) []*Fault {
	var invalid *jsonschema.SchemaValidationError
	var ve *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &ve) {
		_, prefix, _ := strings.Cut(invalid.URL, "#")
		var faults []*Fault
		in.leaves(ve, prefix, &faults)
		slices.SortStableFunc(faults, func(a, b *Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
		return slices.CompactFunc(faults, func(a, b *Fault) bool { return a.Pointer == b.Pointer })
	}
	// Of the rest, inspect has found what is common, with its place. A reference by $id is left.
	for _, r := range in.refs {
		if u, e := url.Parse(r.value); e == nil && strings.Contains(err.Error(), strings.TrimPrefix(u.Path, "/")) && u.Path != "" {
			return []*Fault{{Pointer: r.pointer, Msg: fmt.Sprintf("$ref %q leads to nothing in this schema", clip(r.value)), Hint: hintRef}}
		}
	}
	return []*Fault{{Msg: "this schema can't be used: " + clip(strings.ReplaceAll(err.Error(), base, ""))}}
}

const hintRef = "nothing outside of the schema is read: put it under $defs, and refer to it with #/$defs/name"

// leaves collects the places where a schema breaks the meta schema.
func (in *inspector) leaves(e *jsonschema.ValidationError, prefix string, faults *[]*Fault) {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			in.leaves(cause, prefix, faults)
		}
		return
	}
	pointer := prefix
	for _, t := range e.InstanceLocation {
		pointer += "/" + escape(t)
	}
	f := &Fault{Pointer: pointer, Msg: "this is not valid JSON Schema: " + e.ErrorKind.LocalizedString(english)}
	if wrong, ok := e.ErrorKind.(*kind.Enum); ok { // the name of a type
		got, _ := wrong.Got.(string)
		if f.Hint = fault.DidYouMean(got, typeWords); otherTypes[got] != "" {
			f.Hint = fmt.Sprintf("did you mean %q?", otherTypes[got])
		}
	}
	*faults = append(*faults, f)
}

var typeWords = []string{"string", "integer", "number", "boolean", "array", "object", "null"}

// otherTypes are what people call types elsewhere.
var otherTypes = map[string]string{
	"text": "string", "str": "string", "int": "integer", "int64": "integer", "float": "number", "double": "number", "decimal": "number", "bool": "boolean",
	"list": "array", "map": "object", "dict": "object", "nil": "null", "none": "null",
}

// endless finds a schema that is applied to a value while it is being applied to it, which would have no end.
func endless(root *jsonschema.Schema) *Fault {
	const under, done = 1, 2
	state := map[*jsonschema.Schema]int{}
	var visit func(*jsonschema.Schema) *Fault
	visit = func(s *jsonschema.Schema) *Fault {
		switch state[s] {
		case done:
			return nil
		case under:
			_, pointer, _ := strings.Cut(s.Location, "#")
			return &Fault{Pointer: unescapeFragment(pointer), Msg: "this schema refers to itself without end", Hint: "let it refer to itself from within a property or an item"}
		}
		state[s] = under
		for _, sub := range applied(s) {
			if f := visit(sub); f != nil {
				return f
			}
		}
		state[s] = done
		return nil
	}
	for _, s := range reachable(root) {
		if f := visit(s); f != nil {
			return f
		}
	}
	return nil
}

// reachable gives all parts of a schema.
func reachable(root *jsonschema.Schema) []*jsonschema.Schema {
	seen := map[*jsonschema.Schema]bool{root: true}
	all := []*jsonschema.Schema{root}
	for i := 0; i < len(all); i++ {
		for _, sub := range append(applied(all[i]), inner(all[i])...) {
			if !seen[sub] {
				seen[sub] = true
				all = append(all, sub)
			}
		}
	}
	return all
}

// applied are the parts that are applied to the same value as s.
func applied(s *jsonschema.Schema) []*jsonschema.Schema {
	list := slices.Concat([]*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf, slices.Collect(maps.Values(s.DependentSchemas)))
	return slices.DeleteFunc(list, func(s *jsonschema.Schema) bool { return s == nil })
}

// inner are the parts that are applied to what is in the value.
func inner(s *jsonschema.Schema) []*jsonschema.Schema {
	more, _ := s.AdditionalProperties.(*jsonschema.Schema)
	list := slices.Concat([]*jsonschema.Schema{s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems, more}, s.PrefixItems,
		slices.Collect(maps.Values(s.Properties)), slices.Collect(maps.Values(s.PatternProperties)))
	return slices.DeleteFunc(list, func(s *jsonschema.Schema) bool { return s == nil })
}
