package schema

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"evrun/tasks/fault"
)

// base is the URL of a schema, for its references. Nothing can be loaded from it.
const base = "evrun:///schema"

// Compile compiles a decoded schema; numbers may be of any type that Check takes. It returns all faults that it finds.
// The Schema keeps doc: don't change it afterwards.
func Compile(doc any) (s *Schema, faults []*fault.Fault) {
	in := inspect(doc)
	if len(in.faults) > 0 {
		return nil, in.faults
	}
	defer func() {
		if r := recover(); r != nil { // a defect of the library must not stop the daemon
			s, faults = nil, []*fault.Fault{fault.New("this schema can't be compiled: %v", r)}
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(nothing{})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(base, doc); err != nil {
		return nil, []*fault.Fault{fault.Of(err)}
	}
	root, err := c.Compile(base)
	if err != nil {
		return nil, in.explain(err)
	}
	all := parts(map[*jsonschema.Schema]bool{}, nextTo, root)
	if f := checkRecursion(all, in.place); f != nil {
		return nil, []*fault.Fault{f}
	}
	s = &Schema{doc: doc, root: root, parts: map[string]*jsonschema.Schema{}, literals: map[*jsonschema.Schema]int{}}
	s.verdict = &jsonschema.Schema{DraftVersion: root.DraftVersion, Location: base, Not: root}
	for _, part := range all {
		extend(part)
		s.parts[part.Location] = part
		if n := literalSize(part); n > 0 {
			s.literals[part] = n
		}
	}
	return s, nil
}

// literalSize counts the values of const and enum.
func literalSize(s *jsonschema.Schema) int {
	m := meter{limit: maxUnits}
	if s.Const != nil {
		m.size(*s.Const)
	}
	if s.Enum != nil {
		m.size(s.Enum.Values)
	}
	return m.units
}

// nothing is the library's loader; it refuses all references.
type nothing struct{}

var errOutside = errors.New("it is outside of the schema")

func (nothing) Load(string) (any, error) { return nil, errOutside }

var english = message.NewPrinter(language.English)

// place is the path of a part.
func (in *inspector) place(part *jsonschema.Schema) []any {
	_, fragment, _ := strings.Cut(part.Location, "#")
	return pathIn(in.doc, fragment)
}

// explain makes faults of the library's error.
func (in *inspector) explain(err error) []*fault.Fault {
	var invalid *jsonschema.SchemaValidationError
	var broken *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &broken) {
		_, fragment, _ := strings.Cut(invalid.URL, "#")
		var faults []*fault.Fault
		in.leaves(broken, pathIn(in.doc, fragment), &faults)
		slices.SortStableFunc(faults, func(a, b *fault.Fault) int { return comparePaths(a.Path, b.Path) })
		return slices.CompactFunc(faults, func(a, b *fault.Fault) bool { return comparePaths(a.Path, b.Path) == 0 })
	}
	// inspect has reported the common faults, with their places. Only references by $id remain: the library tries to load those that lead outside.
	var unknown *jsonschema.LoadURLError
	if errors.As(err, &unknown) {
		for _, r := range in.refs {
			if u, e := url.Parse(r.value); e == nil && u.Path != "" && strings.HasSuffix(unknown.URL, strings.TrimPrefix(u.Path, "/")) {
				return []*fault.Fault{fault.At(r.path, "$ref %q leads to nothing in this schema", fault.Clip(r.value, 60)).Hinting(hintRef)}
			}
		}
	}
	return []*fault.Fault{fault.New("this schema can't be used: %s", fault.Clip(strings.ReplaceAll(err.Error(), base, ""), 200))}
}

const hintRef = "nothing outside of the schema is read: put it under $defs, and refer to it with #/$defs/name"

// leaves collects the places where a schema breaks the meta schema.
func (in *inspector) leaves(e *jsonschema.ValidationError, prefix []any, faults *[]*fault.Fault) {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			in.leaves(cause, prefix, faults)
		}
		return
	}
	at, _ := lookup(in.doc, prefix)
	path := slices.Concat(prefix, pathOf(at, e.InstanceLocation))
	f := fault.At(path, "this is not valid JSON Schema: %s", e.ErrorKind.LocalizedString(english))
	if wrong, ok := e.ErrorKind.(*kind.Enum); ok { // the value of type is a name
		got, _ := wrong.Got.(string)
		if f.Hint = fault.Suggest(otherTypes[got]); f.Hint == "" {
			f.Hint = fault.DidYouMean(got, typeWords)
		}
	}
	*faults = append(*faults, f)
}

var typeWords = []string{"string", "integer", "number", "boolean", "array", "object", "null"}

// otherTypes are names of types in other languages.
var otherTypes = map[string]string{
	"text": "string", "str": "string", "int": "integer", "int64": "integer", "float": "number", "double": "number", "decimal": "number", "bool": "boolean",
	"list": "array", "map": "object", "dict": "object", "nil": "null", "none": "null",
}
