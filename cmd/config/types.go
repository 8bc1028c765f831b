package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"evrun/cmd/config/settings"
	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/store/files"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/schema"
)

// declaredType is a type under events, with the type of its data for handlers.
type declaredType struct {
	name   *yaml.Node
	schema *schema.Schema   // nil: any data
	known  *expression.Type // nil: nothing
	data   *expression.Data
}

// eventKeys are the keys of an event type.
type eventKeys struct {
	_           struct{}          `owner:"an event type"`
	Description string            `key:"description" doc:"What such an event says."`
	Schema      inlineSchema      `key:"schema" doc:"A JSON Schema (2020-12) of the data: an event that breaks it is refused."`
	SchemaFile  settings.FilePath `key:"schema_file" doc:"A file with the JSON Schema of the data; relative to this file."`
	Final       bool              `key:"final" other:"unhandled,terminal" doc:"No handler is wired to the type, and that is fine: nothing warns of it."`
}

// inlineSchema is a schema within the file. eventTypes compiles it, because faults need its place.
type inlineSchema struct{}

func (*inlineSchema) DecodeField(any, *fields.At) {}

func (*inlineSchema) FieldShape() fields.Shape {
	return fields.Shape{Words: "schema", Schema: map[string]any{"type": []any{"object", "boolean"}}}
}

// CheckFields checks that there is one schema.
func (k *eventKeys) CheckFields(given map[string]any, at *fields.At) {
	if _, schema := given["schema"]; schema && k.SchemaFile != "" {
		at.Add(&fault.Fault{Path: []any{"schema_file"}, Key: true, Message: `"schema_file" is given as well as "schema"`, Hint: "leave one of them out"})
	}
}

// ExtendSchema adds that there is one schema.
func (*eventKeys) ExtendSchema(s map[string]any) {
	s["not"] = map[string]any{"required": []any{"schema", "schema_file"}}
}

// eventTypes reads the declared types.
func (r *wiringReader) eventTypes(n *yaml.Node) []emitter.EventType {
	if n.Kind != yaml.Mapping {
		if !n.Broken && !n.Null() {
			r.at(n, `"events" must be a mapping of event types, not `+describe(n), "write user.registered: {description: …}")
		}
		return nil
	}
	types := make([]emitter.EventType, 0, len(n.Content)/2)
	for i := 0; i < len(n.Content) && !r.full(); i += 2 {
		t := emitter.EventType{Type: n.Content[i].Value}
		if f := publishable(t.Type); f != nil {
			r.report(n.Content[i], f)
		}
		if first := r.types[t.Type]; first != nil { // in another file
			r.at(n.Content[i], fmt.Sprintf("the event type %s is declared twice", fault.Quote(t.Type)), "leave one of them out: the first is "+r.lineFrom(n.Content[i], first.name))
			continue
		}
		r.types[t.Type] = &declaredType{name: n.Content[i]}
		if v := n.Content[i+1]; !v.Null() {
			r.eventType(v, &t)
		}
		if t.Schema != nil {
			r.types[t.Type].schema, r.types[t.Type].known = t.Schema, t.Schema.Type()
		}
		types = append(types, t)
	}
	return types
}

func (r *wiringReader) eventType(n *yaml.Node, t *emitter.EventType) {
	t.Version = r.versionOf(n)
	var k eventKeys
	r.decode(n, &k, r)
	t.Description, t.Final = k.Description, k.Final
	if _, schema := n.Lookup("schema"); schema != nil && !schema.Null() {
		t.Schema = r.schema(schema)
	}
	if k.SchemaFile != "" {
		_, file := n.Lookup("schema_file")
		t.Schema = r.schemaFile(file, string(k.SchemaFile), &t.Version)
	}
}

// schema compiles a schema within the wiring file.
func (r *wiringReader) schema(n *yaml.Node) *schema.Schema {
	if broken(n) {
		return nil
	}
	before := len(r.faults)
	doc := r.value(n)
	if len(r.faults) > before {
		return nil
	}
	s, faults := schema.Compile(doc)
	for _, f := range faults {
		r.report(n, f)
	}
	return s
}

// schemaFile compiles a schema in its own file, whose text becomes a part of version.
func (r *wiringReader) schemaFile(n *yaml.Node, name string, version *string) *schema.Schema {
	text, ok := r.fileBeside(n, "the schema", name)
	if !ok {
		return nil
	}
	*version += fmt.Sprintf(" %x", sha256.Sum256(text))
	doc, err := events.ParseJSON(text)
	if err != nil {
		r.at(n, fmt.Sprintf("the schema %s is not valid JSON: %v", fault.Quote(name), err), "")
		return nil
	}
	s, faults := schema.Compile(doc)
	for _, f := range faults {
		at := fault.Clip(name, 60)
		if len(f.Path) > 0 {
			at += ", " + fault.Clip(fault.Path(f.Path), 60)
		}
		r.at(n, at+": "+f.Message, f.Hint)
	}
	return s
}

// fileBeside reads a file that the value at n names, relative to the file that n is in. The reload watches it: what it says is a part of the wiring.
// After a fault it returns false. what is the file's part in messages: "the schema".
func (r *wiringReader) fileBeside(n *yaml.Node, what, name string) ([]byte, bool) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dirOf(n), path)
	}
	file, err := r.inputs.Read(path, true)
	var untrusted *files.Error
	switch {
	case errors.As(err, &untrusted):
		r.at(n, untrusted.Error(), untrusted.Hint)
	case errors.Is(err, fs.ErrNotExist):
		r.at(n, fmt.Sprintf("%s %s can't be read: no such file", what, fault.Quote(name)), "its path is relative to this file's directory")
	case err != nil:
		r.at(n, fmt.Sprintf("%s %s can't be read: %s", what, fault.Quote(name), cause(err)), "its path is relative to this file's directory")
	}
	r.note(file.Note)
	return withoutMark(file.Text), err == nil
}

// undeclared returns the fault of an undeclared type under strict_types; nil for a type that may be published.
func (r *wiringReader) undeclared(typ string) *fault.Fault {
	if !r.strict || r.types[typ] != nil || r.incomplete {
		return nil
	}
	hint := "declare it under events"
	declared := slices.DeleteFunc(slices.Sorted(maps.Keys(r.types)), r.causesItself)
	if t := fields.Closest(typ, declared); t != "" {
		hint = fault.Suggest(t)
	}
	return fault.New("the event type %s is not declared, and strict_types refuses such", fault.Quote(typ)).Hinting("%s", hint)
}

// causesItself reports whether the handler that is being read would run on the events of this type that it emits.
func (r *wiringReader) causesItself(typ string) bool {
	return slices.ContainsFunc(patternsOf(r.entry), func(n *yaml.Node) bool {
		p, err := events.ParsePattern(n.Value)
		return err == nil && p.Match(typ)
	})
}

// checkData checks constant data for an event of a type that has a schema: a fault in it would be in every such event. The mapping at n has the data
// or, if v is nil, should have it.
func (r *wiringReader) checkData(n *yaml.Node, typ string, v *expression.Value) {
	t := r.types[typ]
	if t == nil || t.schema == nil {
		return
	}
	var data any
	_, at := n.Lookup("data")
	if at == nil {
		at = n
	} else if v == nil {
		return // it is wrong in itself
	} else if constant, ok := v.Constant(); ok {
		data = constant
	} else {
		return
	}
	violations, _ := t.schema.Check(data)
	for _, violation := range violations {
		msg := violation.Message
		if violation.Pointer != "" {
			msg = violation.Pointer + ": " + msg
		}
		r.report(at, fault.At(violation.Path, "the data doesn't fit the schema of %s: %s", fault.Clip(typ, 60), msg))
	}
}

// emittedTypes checks the types in the inputs of the kind emit.
func (r *wiringReader) emittedTypes(with *yaml.Node) {
	inputs := []*yaml.Node{with}
	if _, list := with.Lookup("events"); list != nil {
		inputs = append(inputs, list.Content...)
	}
	for _, n := range inputs {
		if _, typ := n.Lookup("type"); typ != nil && !strings.Contains(typ.Value, "${") {
			if f := r.undeclared(typ.Value); f != nil {
				r.report(typ, f)
			}
		}
	}
}

// patternsOf returns the patterns of the handler, or the schedule with do, at n, wrong ones too; nil for no handler.
func patternsOf(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	switch _, on := n.Lookup("on"); {
	case on == nil && isJob(n):
		return []*yaml.Node{jobType(n)}
	case on == nil:
		return nil
	case on.Kind == yaml.Sequence:
		return on.Content
	default:
		return []*yaml.Node{on}
	}
}

// dataOf returns the type of the data for the handler at n: unknown for patterns, and for several types unless all have the same.
func (r *wiringReader) dataOf(n *yaml.Node) *expression.Data {
	var first *declaredType
	for _, item := range patternsOf(n) {
		t := r.types[item.Value]
		if t == nil {
			t = r.own(item.Value)
		}
		if t == nil || t.known == nil || events.CheckType(item.Value) != nil || first != nil && !reflect.DeepEqual(first.known, t.known) {
			return nil
		}
		if first == nil {
			first = t
		}
	}
	if first == nil || first.known.Kind == expression.KindAny {
		return nil
	}
	if first.data == nil {
		first.data = expression.NewData(first.known)
	}
	return first.data
}

// own returns the type of the data of one of evrun's own events; nil for another type.
func (r *wiringReader) own(typ string) *declaredType {
	if !events.Own(typ) {
		return nil
	}
	if r.ownTypes[typ] == nil {
		if r.ownTypes == nil {
			r.ownTypes = map[string]*declaredType{}
		}
		r.ownTypes[typ] = &declaredType{known: emitter.OwnData(typ)}
	}
	return r.ownTypes[typ]
}
