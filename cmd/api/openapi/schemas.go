package openapi

import (
	_ "embed"
	"encoding/json"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"evrun/events"
)

// schemas are the JSON Schemas of Go types. A named struct is a schema of the document, which others refer to. A member of a request may be missing, unless
// its field has the tag needed; one of an answer is always there, unless it is left out when it is empty.
type schemas struct {
	types   map[reflect.Type]object // named structs
	request map[reflect.Type]bool   // what only requests have
}

var (
	eventType    = reflect.TypeFor[events.Event]()
	newEventType = reflect.TypeFor[NewEvent]()
)

// newSchemas has the types of all bodies.
func newSchemas(operations []Operation) *schemas {
	s := &schemas{types: map[reflect.Type]object{}, request: map[reflect.Type]bool{}}
	each := func(contents []Content, request bool) {
		for _, c := range contents {
			for _, t := range c.Of {
				s.reach(t, request)
			}
		}
	}
	for _, o := range operations {
		each(o.Bodies, true)
	}
	for _, o := range operations {
		for _, a := range o.Answers {
			each(a.Contents, false)
		}
	}
	return s
}

// reach marks the types within a body.
func (s *schemas) reach(t reflect.Type, request bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		s.reach(t.Elem(), request)
	case reflect.Struct:
		if known, ok := s.request[t]; ok && known == request {
			return
		}
		s.request[t] = request
		if special(t) == nil {
			for f := range t.Fields() {
				if f.IsExported() || f.Anonymous { // others are not in JSON
					s.reach(f.Type, request)
				}
			}
		}
	}
}

// special is the schema of a type that writes itself; nil for others.
func special(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case eventType:
		return eventSchema(false)
	case newEventType:
		return eventSchema(true)
	}
	return nil
}

// SchemaName is the name of a type's schema: that of the type, with its package in front unless that is part of the API.
func SchemaName(t reflect.Type) string {
	if strings.HasPrefix(t.PkgPath(), "evrun/cmd/api") || t == eventType {
		return t.Name()
	}
	pkg := path.Base(t.PkgPath())
	return strings.ToUpper(pkg[:1]) + pkg[1:] + t.Name()
}

// of is the schema of a type.
func (s *schemas) of(t reflect.Type) object {
	schema := special(t)
	if schema != nil && t != eventType && t != newEventType {
		return schema
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice, reflect.Array:
		items := s.of(t.Elem())
		if e := t.Elem(); e.Kind() == reflect.Pointer && e.Elem().Kind() != reflect.Struct { // one of these is nil where there is no value
			items = orNull(items)
		}
		return object{"type": "array", "items": items}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if t.Name() == "" {
			return s.structure(t)
		}
		if _, ok := s.types[t]; !ok {
			s.types[t] = nil // it may contain itself
			if schema == nil {
				schema = s.structure(t)
			}
			s.types[t] = schema
		}
		return object{"$ref": "#/components/schemas/" + SchemaName(t)}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Interface:
		return object{}
	}
	return object{"type": "integer"}
}

func orNull(schema object) object { return object{"anyOf": []any{schema, object{"type": "null"}}} }

// structure is the schema of a struct.
func (s *schemas) structure(t reflect.Type) object {
	properties, required := object{}, []any{}
	s.members(t, properties, &required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if s.request[t] {
		schema["additionalProperties"] = false
	}
	if doc := docs()[t.String()][""]; doc != "" {
		schema["description"] = doc
	}
	return schema
}

func (s *schemas) members(t reflect.Type, properties object, required *[]any) {
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("json")
		if f.Anonymous && !tagged {
			s.members(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !f.IsExported() || !tagged || name == "-" {
			continue
		}
		schema := s.of(f.Type)
		if strings.Contains(options, "string") {
			schema = object{"type": "string", "pattern": "^-?[0-9]+$"}
		}
		optional := strings.Contains(options, "omit")
		if f.Type.Kind() == reflect.Pointer && !optional {
			schema = orNull(schema)
		}
		if doc := docs()[t.String()][name]; doc != "" {
			schema = maps.Clone(schema)
			schema["description"] = doc
		}
		properties[name] = schema
		if s.request[t] {
			optional = f.Tag.Get("needed") == ""
		}
		if !optional {
			*required = append(*required, name)
		}
	}
}

// all are the schemas by name.
func (s *schemas) all() object {
	out := object{}
	for t, schema := range s.types {
		out[SchemaName(t)] = schema
	}
	return out
}

// Types returns the structs that have a schema in the document of operations, sorted by name.
func Types(operations []Operation) []reflect.Type {
	s := newSchemas(operations)
	list := slices.Collect(maps.Keys(s.request))
	list = slices.DeleteFunc(list, func(t reflect.Type) bool { return t.Name() == "" || special(t) != nil })
	slices.SortFunc(list, func(a, b reflect.Type) int { return strings.Compare(SchemaName(a), SchemaName(b)) })
	return list
}

// descriptions are the comments of the types and their members, by the type ("shape.Run") and the member; that of the type itself is under "". A
// program does not know its comments: package reference reads them in a test, which compares.
//
//go:embed descriptions.json
var descriptions []byte

var docs = sync.OnceValue(func() (texts map[string]map[string]string) {
	_ = json.Unmarshal(descriptions, &texts) // a test reads it
	return texts
})
