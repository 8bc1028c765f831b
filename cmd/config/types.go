package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/store/files"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/schema"
)

// declaredType is a type under events, with what handlers on it know of its data.
type declaredType struct {
	schema *schema.Schema   // nil: anything goes
	known  *expression.Type // nil: nothing
	data   *expression.Data
}

// eventTypes reads the declared types.
func (r *wiringReader) eventTypes(n *yaml.Node) []tasks.EventType {
	if n.Kind != yaml.Mapping {
		if !n.Broken && !n.Null() {
			r.at(n, `"events" must be a mapping of event types, not `+describe(n), "write user.registered: {description: …}")
		}
		return nil
	}
	types := make([]tasks.EventType, 0, len(n.Content)/2)
	for i := 0; i < len(n.Content) && !r.full(); i += 2 {
		t := tasks.EventType{Type: n.Content[i].Value}
		r.checkName(n.Content[i], t.Type)
		r.types[t.Type] = &declaredType{}
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

func (r *wiringReader) eventType(n *yaml.Node, t *tasks.EventType) {
	t.Version = r.versionOf(n)
	r.mapping(n, "an event type", []key{
		{name: "description", read: func(n *yaml.Node) { t.Description, _ = r.text(n, "description") }},
		{name: "schema", read: func(n *yaml.Node) { t.Schema = r.schema(n) }},
		{name: "schema_file", read: func(n *yaml.Node) { t.Schema = r.schemaFile(n, &t.Version) }},
	})
	if k, _ := lookup(n, "schema"); k != nil {
		if file, _ := lookup(n, "schema_file"); file != nil {
			r.at(file, `"schema_file" is given as well as "schema"`, "leave one of them out")
		}
	}
}

// schema compiles a schema that is written into the file.
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
		value, name, _ := follow(n, f.Path)
		if f.Key && name != nil {
			value = name
		}
		if value.Kind == yaml.Mapping {
			r.head(value, f.Message, f.Hint)
			continue
		}
		r.at(value, f.Message, f.Hint)
	}
	return s
}

// schemaFile compiles a schema that has a file of its own, which goes into version.
func (r *wiringReader) schemaFile(n *yaml.Node, version *string) *schema.Schema {
	name, ok := r.text(n, "schema_file")
	if !ok {
		return nil
	}
	if msg, hint := badPath(name); msg != "" {
		r.at(n, about("schema_file", msg), hint)
		return nil
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	r.files = append(r.files, path)
	text, err := readSchema(path)
	if err == nil { // the schema decides which events are accepted
		var note string
		if note, err = files.Trusted(path, true); note != "" {
			r.notes = append(r.notes, note)
		}
	}
	var untrusted *files.Error
	switch {
	case errors.As(err, &untrusted):
		r.at(n, untrusted.Error(), untrusted.Hint)
		return nil
	case err != nil:
		r.at(n, fmt.Sprintf("the schema %q can't be read: %s", clip(name), cause(err)), "its path is relative to this file's folder")
		return nil
	}
	*version += fmt.Sprintf(" %x", sha256.Sum256(text))
	if msg := badJSON(text); msg != "" {
		r.at(n, fmt.Sprintf("the schema %q is not valid JSON: %s", clip(name), msg), "")
		return nil
	}
	doc, err := expression.DecodeJSON(text)
	if err != nil {
		r.at(n, fmt.Sprintf("the schema %q is not valid JSON: %v", clip(name), err), "")
		return nil
	}
	s, faults := schema.Compile(doc)
	for _, f := range faults {
		at := clip(name)
		if len(f.Path) > 0 {
			at += ", " + clip(fault.Path(f.Path))
		}
		r.at(n, at+": "+f.Message, f.Hint)
	}
	return s
}

func readSchema(path string) ([]byte, error) {
	f, err := files.OpenRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("no such file")
	case err != nil:
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("it is over 1 MiB")
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), err
}

// badJSON says what is wrong with a JSON text, and on which line.
func badJSON(text []byte) string {
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("line %d: %v", 1+bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n")), err)
	}
	return ""
}

// undeclared refuses a type that is not declared, where it must be; nil for one that may be published.
func (r *wiringReader) undeclared(typ string) *fault.Fault {
	if !r.strict || r.types[typ] != nil {
		return nil
	}
	hint := "declare it under events"
	declared := slices.DeleteFunc(slices.Sorted(maps.Keys(r.types)), r.causesItself)
	if t := fields.Closest(typ, declared); t != "" {
		hint = fault.Suggest(t)
	}
	return fault.New("the event type %s is not declared, and strict_types refuses such", fault.Quote(typ)).Hinting("%s", hint)
}

// checkDeclared notes a type that is not declared.
func (r *wiringReader) checkDeclared(n *yaml.Node, typ string) bool {
	f := r.undeclared(typ)
	if f != nil {
		r.report(n, f)
	}
	return f == nil
}

// causesItself says whether the handler that is read would run on the events of this type that it emits.
func (r *wiringReader) causesItself(typ string) bool {
	if r.entry == nil {
		return false
	}
	_, on := lookup(r.entry, "on")
	return on != nil && slices.ContainsFunc(append([]*yaml.Node{on}, on.Content...), func(n *yaml.Node) bool {
		p, err := events.ParsePattern(n.Value)
		return err == nil && p.Match(typ)
	})
}

// checkData looks at data that is written out, without expressions, for an event of a type that has a schema. What is wrong
// is wrong with every such event. The mapping at n has the data, if v is not nil, or should have it.
func (r *wiringReader) checkData(n *yaml.Node, typ string, v *expression.Value) {
	t := r.types[typ]
	if t == nil || t.schema == nil {
		return
	}
	var data any
	_, at := lookup(n, "data")
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
		value, _, _ := follow(at, violation.Path)
		msg := violation.Message
		if violation.Pointer != "" {
			msg = violation.Pointer + ": " + msg
		}
		msg = fmt.Sprintf("the data doesn't fit the schema of %s: %s", clip(typ), msg)
		if value.Kind == yaml.Mapping {
			r.head(value, msg, "")
			continue
		}
		r.at(value, msg, "")
	}
}

// emittedTypes looks at the types in the inputs of the kind emit.
func (r *wiringReader) emittedTypes(with *yaml.Node) {
	inputs := []*yaml.Node{with}
	if _, list := lookup(with, "events"); list != nil {
		inputs = append(inputs, list.Content...)
	}
	for _, n := range inputs {
		if _, typ := lookup(n, "type"); typ != nil && !strings.Contains(typ.Value, "${") {
			r.checkDeclared(typ, typ.Value)
		}
	}
}

// dataOf is what is known of the data that the handler at n sees: of patterns nothing, of several types what they share as a
// whole.
func (r *wiringReader) dataOf(n *yaml.Node) *expression.Data {
	_, on := lookup(n, "on")
	if on == nil {
		return nil
	}
	list := []*yaml.Node{on}
	if on.Kind == yaml.Sequence {
		list = on.Content
	}
	var first *declaredType
	for _, item := range list {
		t := r.types[item.Value]
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
