// Package fields decodes plain values into structs whose tags declare the keys. A key is declared once: decoding, the JSON Schema,
// "evrun explain --kind" and the hints of messages all read the same tags.
//
//	type logMessage struct {
//		Message *expression.Template `key:"message,required" doc:"What to write."`
//		Level   string               `key:"level" enum:"debug,info,warn,error" default:"info" doc:"How urgent it is."`
//	}
//
//	faults := fields.Decode(&message, with, fields.Options{Owner: "log"})
//
// # Tags
//
//   - key: the key's name, then options. required: the key can't be left out. null: the key may have no value. one: a list of
//     structs may be written as its only item. short: a scalar in place of the mapping is the value of this key; of the inputs
//     of a kind, it is the main one. words: a text in place of the list is a line of words, which is split before it is decoded.
//     hidden: the key is known, but neither listed nor in the schema.
//   - doc: a sentence about the key. It is the hint where a required key is missing.
//   - enum: the words that a text can be, with commas between them.
//   - default: the value of a key that is left out. It is decoded as a text in the file is.
//   - min, max: the bounds of a number or of a type that decodes itself. min:"0s" lets a duration be zero; min:"1" refuses an empty list.
//   - example: a value for examples.
//   - hint: what to do about a value of the wrong shape.
//   - number: the hint for a number in place of a mapping, with %d for it.
//   - other: words that other tools use for this key, with commas between them. They become hints.
//   - scope: a word for the types that decode themselves, see [At.Scope].
//   - masked: the value is never shown to people, even where it is written out in the file.
//   - owner, on a blank field: what the struct is called in messages, such as "a handler". Without it, a message names the key.
//
// A field can be a string, a bool, an int, a [time.Duration], a struct or a pointer to one, a slice of these or a map with string
// keys, any (which keeps the value as it is), and any type that is a [Type]. The keys of an embedded struct count as keys of the
// struct around it. A list of scalars may be written as its only item.
//
// # Why no library
//
// mapstructure puts its errors into texts that can't be traced to a place in the file, and has no docs, enums or bounds.
// invopop/jsonschema makes schemas (2020-12 only) from tags of its own, so that each key would be declared twice: once to decode
// it, once to describe it. Both would need more code around them than this package has.
package fields

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Field describes a key.
type Field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // for people: "text", "true/false", "number", "duration", "list of text", "map of text", "list", "map" or a Type's own name
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Enum     []string `json:"enum,omitempty"` // the allowed words; nil: any value of the type
	Doc      string   `json:"doc"`
	Example  string   `json:"-"`                // a value for examples
	Fields   []Field  `json:"inputs,omitempty"` // of the struct, or of each item of a list of structs
	Short    bool     `json:"-"`                // a scalar in place of the mapping is its value
	Words    bool     `json:"-"`                // a text in place of the list is split into words
}

// Type is a type that decodes itself and describes its values. The methods have pointer receivers. A field has the type, or a pointer to it that
// stays nil if the key is missing or wrong.
type Type interface {
	// DecodeField sets the receiver from a value, or reports faults.
	DecodeField(value any, at *At)
	// FieldShape describes the values. It is called on a zero value.
	FieldShape() Shape
}

// Shape describes the values of a [Type].
type Shape struct {
	Words  string         // for people: "text"
	Schema map[string]any // a JSON Schema, valid in draft-07 and in 2020-12
	Enum   []string       // the allowed words
	Null   bool           // null is an allowed value
	Fields []Field        // the keys of a mapping, for people
	Tree   bool           // lists and maps are values, so a list of them can't be written as its only item
	// Details returns Schema and Fields, if making them is much work; nil: they are here. Decoding needs neither.
	Details func() (schema map[string]any, fields []Field)
}

func (s *Shape) schema() map[string]any {
	if s.Details == nil {
		return s.Schema
	}
	schema, _ := s.Details()
	return schema
}

func (s *Shape) fields() []Field {
	if s.Details == nil {
		return s.Fields
	}
	_, fields := s.Details()
	return fields
}

// Checker is a struct with rules over several keys. Decode calls CheckFields after it has decoded the keys, even wrong ones; given has the keys that
// were written.
type Checker interface {
	CheckFields(given map[string]any, at *At)
}

// Guide is a struct that knows where a key belongs that it doesn't have. HintUnknown returns a hint, empty for none; given has the keys that were written.
type Guide interface {
	HintUnknown(name string, given map[string]any) string
}

// Scoped is a struct of which some keys decide what others may use. ScopeFor returns the scope for the keys that have no scope tag, from the scope
// around the struct and the keys that were written.
type Scoped interface {
	ScopeFor(scope string, given map[string]any) string
}

// SchemaExtender is a struct that adds rules over several keys to its JSON Schema.
type SchemaExtender interface {
	ExtendSchema(schema map[string]any)
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	selfType     = reflect.TypeFor[Type]()
	anyType      = reflect.TypeFor[any]()
)

// object holds the declarations in the tags of a struct.
type object struct {
	owner  string // "a handler"; empty: it is named after its key
	fields []*field
	short  *field
}

type field struct {
	Field
	index                    []int
	null, one, hidden, items bool
	other                    []string
	tag                      reflect.StructTag
	typ                      reflect.Type
}

// Of returns the keys of a struct, in the order of its fields.
func Of(t reflect.Type) []Field {
	var list []Field
	for _, f := range objectOf(t).fields {
		if !f.hidden {
			described := f.Field
			described.Fields = FieldsOf(f.typ)
			list = append(list, described)
		}
	}
	return list
}

var objects sync.Map // *object by the struct's reflect.Type

// objectOf reads the tags of a struct, once. It panics on a bad tag, which is a defect of the program.
func objectOf(t reflect.Type) *object {
	o, ok := objects.Load(t)
	if !ok {
		o, _ = objects.LoadOrStore(t, readObject(t))
	}
	return o.(*object)
}

func readObject(t reflect.Type) *object {
	o := &object{}
	for i := range t.NumField() {
		f := t.Field(i)
		if owner, ok := f.Tag.Lookup("owner"); ok {
			o.owner = owner
		}
		var found []*field
		if tag, ok := f.Tag.Lookup("key"); ok {
			found = []*field{readField(t, f, tag)}
		} else if f.Anonymous && f.Type.Kind() == reflect.Struct {
			found = readObject(f.Type).fields
		}
		for _, read := range found {
			read.index = append([]int{i}, read.index...)
			if read.Short {
				o.short = read
			}
			o.fields = append(o.fields, read)
		}
	}
	return o
}

func readField(t reflect.Type, f reflect.StructField, tag string) *field {
	options := strings.Split(tag, ",")
	read := &field{
		Field: Field{Name: options[0], Doc: f.Tag.Get("doc"), Default: f.Tag.Get("default"), Example: f.Tag.Get("example")},
		tag:   f.Tag, typ: f.Type, other: words(f.Tag.Get("other")), items: f.Tag.Get("min") == "1",
	}
	for _, option := range options[1:] {
		switch option {
		case "required":
			read.Required = true
		case "null":
			read.null = true
		case "one":
			read.one = true
		case "short":
			read.Short = true
		case "words":
			read.Words = true
		case "hidden":
			read.hidden = true
		default:
			panic(fmt.Sprintf("fields: key %q of %v: unknown option %q", read.Name, t, option))
		}
	}
	read.Type = Words(f.Type)
	read.Enum = words(f.Tag.Get("enum"))
	if shape, ok := shapeOf(f.Type); ok {
		read.null = read.null || shape.Null
		if shape.Enum != nil {
			read.Enum = shape.Enum
		}
	}
	if read.Name == "" || read.Type == "" || read.Doc == "" && !read.hidden {
		panic(fmt.Sprintf("fields: key %q of %v needs a name, a doc and a type that can be decoded", read.Name, t))
	}
	return read
}

// words splits a tag at its commas; nil for an empty one.
func words(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(tag, ",")
}

var shapes sync.Map // *Shape by its type, nil for a type that does not decode itself

// shapeOf gives the shape of a type that decodes itself. It is shared: nobody changes it.
func shapeOf(t reflect.Type) (Shape, bool) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	known, ok := shapes.Load(t)
	if !ok {
		var shape *Shape
		if reflect.PointerTo(t).Implements(selfType) {
			made := reflect.New(t).Interface().(Type).FieldShape()
			shape = &made
		}
		known, _ = shapes.LoadOrStore(t, shape)
	}
	if shape := known.(*Shape); shape != nil {
		return *shape, true
	}
	return Shape{}, false
}

// FieldsOf returns the keys of a struct, or of the struct in a slice or a map; nil for other types.
func FieldsOf(t reflect.Type) []Field {
	if shape, ok := shapeOf(t); ok {
		return shape.fields()
	}
	if t.Kind() == reflect.Map {
		return FieldsOf(t.Elem())
	}
	if s := structOf(t); s != nil {
		return Of(s)
	}
	if t.Kind() == reflect.Slice {
		return FieldsOf(t.Elem())
	}
	return nil
}

// structOf returns the struct type of a field, or of the items of its list; nil for none.
func structOf(t reflect.Type) reflect.Type {
	if _, ok := shapeOf(t); ok {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return t
	case reflect.Pointer, reflect.Slice:
		return structOf(t.Elem())
	}
	return nil
}

// Words names a type for people; empty for one that can't be decoded.
func Words(t reflect.Type) string {
	if shape, ok := shapeOf(t); ok {
		return shape.Words
	}
	if t == durationType {
		return "duration"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true/false"
	case reflect.Int:
		return "number"
	case reflect.Interface:
		if t == anyType {
			return "value"
		}
	case reflect.Struct:
		return "map"
	case reflect.Pointer:
		if structOf(t) != nil {
			return "map"
		}
	case reflect.Slice:
		switch inner := Words(t.Elem()); inner {
		case "":
			return ""
		case "map", "list":
			return "list"
		default:
			return "list of " + inner
		}
	case reflect.Map:
		switch inner := Words(t.Elem()); {
		case t.Key().Kind() != reflect.String || inner == "":
			return ""
		case inner == "text":
			return "map of text"
		default:
			return "map of " + inner + "s"
		}
	}
	return ""
}

// suggest returns the key that was probably meant, empty for none.
func (o *object) suggest(word string) string {
	lower := strings.ToLower(word)
	for _, f := range o.fields {
		if !f.hidden && (lower == f.Name || slices.Contains(f.other, lower)) {
			return f.Name
		}
	}
	return Closest(word, o.names())
}

// names lists the keys for messages.
func (o *object) names() []string {
	var names []string
	for _, f := range o.fields {
		if !f.hidden {
			names = append(names, f.Name)
		}
	}
	return names
}

// bound reads a number from the tag min or max.
func bound(tag reflect.StructTag, name string, without int64) int64 {
	text := tag.Get(name)
	if text == "" {
		return without
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("fields: %s:%q is not a number", name, text))
	}
	return n
}
