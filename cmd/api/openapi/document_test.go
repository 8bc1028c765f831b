package openapi_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/cmd/api"
	"evrun/events"
)

type object = map[string]any

// document is the description of the API, as a client reads it.
func document(t testing.TB) object {
	t.Helper()
	text, err := events.MarshalJSON(api.Document("1.2.3", api.Operations()))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(object)
}

// kinds are the objects of OpenAPI 3.1 that the document has, with their fixed fields: "name:kind", "!" for a required one. A kind is one of these, text,
// yes (true/false), any, schema, list of…, map of…. Names that begin with x- are extensions. A reference may be in the place of what has "ref" in its fields.
var kinds = map[string][]string{
	"document":    {"openapi!:text", "info!:info", "tags:list of tag", "paths!:map of path", "components:components"},
	"info":        {"title!:text", "version!:text", "description:text"},
	"tag":         {"name!:text", "description:text"},
	"path":        {"get:operation", "post:operation", "options:operation", "delete:operation"},
	"operation":   {"operationId!:text", "tags:list of text", "summary:text", "description:text", "parameters:list of parameter", "requestBody:body", "responses!:map of response", "security:list of security"},
	"parameter":   {"name!:text", "in!:text", "description:text", "required:yes", "schema!:schema", "example:any"},
	"body":        {"description:text", "content!:map of media", "required:yes"},
	"media":       {"schema:schema"},
	"response":    {"$ref:text", "description!:text", "headers:map of header", "content:map of media"},
	"header":      {"description:text", "schema!:schema"},
	"components":  {"schemas:map of schema", "responses:map of response", "securitySchemes:map of scheme"},
	"scheme":      {"type!:text", "scheme!:text", "description:text"},
	"security":    {"token:list of text"},
	"description": {},
}

// checker checks the structure of a document.
type checker struct {
	t   *testing.T
	doc object
}

func (c *checker) value(at, kind string, v any) {
	if of, ok := strings.CutPrefix(kind, "list of "); ok {
		list, ok := v.([]any)
		if !ok {
			c.t.Errorf("%s is not a list: %v", at, v)
		}
		for i, item := range list {
			c.value(fmt.Sprint(at, "/", i), of, item)
		}
		return
	}
	if of, ok := strings.CutPrefix(kind, "map of "); ok {
		m, ok := v.(object)
		if !ok {
			c.t.Errorf("%s is not a map: %v", at, v)
		}
		for name, item := range m {
			c.value(at+"/"+name, of, item)
		}
		return
	}
	ok := true
	switch kind {
	case "text":
		var text string
		text, ok = v.(string)
		ok = ok && text != ""
	case "yes":
		_, ok = v.(bool)
	case "any":
	case "schema":
		_, ok = v.(object)
	default:
		c.object(at, kind, v)
	}
	if !ok {
		c.t.Errorf("%s must be a %s, and is %v", at, kind, v)
	}
}

func (c *checker) object(at, kind string, v any) {
	o, ok := v.(object)
	if !ok {
		c.t.Errorf("%s must be an object, and is %v", at, v)
		return
	}
	_, reference := o["$ref"]
	known := map[string]string{}
	for _, field := range kinds[kind] {
		name, of, _ := strings.Cut(field, ":")
		name, required := strings.CutSuffix(name, "!")
		known[name] = of
		if required && o[name] == nil && !reference {
			c.t.Errorf("%s has no %s", at, name)
		}
	}
	for name, item := range o {
		switch of := known[name]; {
		case strings.HasPrefix(name, "x-"):
		case of == "":
			c.t.Errorf("%s: OpenAPI has no %q in a %s", at, name, kind)
		default:
			c.value(at+"/"+name, of, item)
		}
	}
}

// references are all places that a value refers to.
func references(v any) (list []string) {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			list = append(list, ref)
		}
		for _, item := range v {
			list = append(list, references(item)...)
		}
	case []any:
		for _, item := range v {
			list = append(list, references(item)...)
		}
	}
	return list
}

// operations calls each with all operations of a document, in the order of their paths.
func operations(doc object, each func(method, path string, o object)) {
	paths := doc["paths"].(object)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := paths[path].(object)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			each(strings.ToUpper(method), path, item[method].(object))
		}
	}
}

func parametersOf(o object) (list []object) {
	all, _ := o["parameters"].([]any)
	for _, p := range all {
		list = append(list, p.(object))
	}
	return list
}

// The document has the structure that OpenAPI 3.1 asks for, its references lead somewhere, and its schemas are schemas of JSON Schema 2020-12.
func TestTheDocumentIsOpenAPI(t *testing.T) {
	doc := document(t)
	c := checker{t, doc}
	c.value("#", "document", doc)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("version %v", doc["openapi"])
	}
	for _, ref := range references(doc) {
		at := any(doc)
		for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at, _ = at.(object)[step]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	tags, ids := map[string]bool{}, map[string]bool{}
	for _, tag := range doc["tags"].([]any) {
		tags[tag.(object)["name"].(string)] = true
	}
	status, parts := regexp.MustCompile(`^([1-5][0-9][0-9]|default)$`), regexp.MustCompile(`\{(\w+)\}`)
	operations(doc, func(method, path string, o object) {
		id := o["operationId"].(string)
		if ids[id] {
			t.Errorf("two operations have the id %s", id)
		}
		ids[id] = true
		for _, tag := range o["tags"].([]any) {
			if !tags[tag.(string)] {
				t.Errorf("%s: the tag %v is not listed", id, tag)
			}
		}
		for code := range o["responses"].(object) {
			if !status.MatchString(code) {
				t.Errorf("%s: status %s", id, code)
			}
		}
		named, seen := map[string]bool{}, map[string]bool{}
		for _, part := range parts.FindAllStringSubmatch(path, -1) {
			named[part[1]] = true
		}
		for _, p := range parametersOf(o) {
			name, in := p["name"].(string), p["in"].(string)
			if seen[in+" "+name] {
				t.Errorf("%s: the %s %s is listed twice", id, in, name)
			}
			seen[in+" "+name] = true
			if !slices.Contains([]string{"query", "path", "header"}, in) || p["description"] == nil || p["description"] == "" {
				t.Errorf("%s: the parameter %s: %v", id, name, p)
			}
			if in == "path" {
				if !named[name] || p["required"] != true {
					t.Errorf("%s: %s is not in the path %s, or not required", id, name, path)
				}
				delete(named, name)
			}
		}
		if len(named) > 0 {
			t.Errorf("%s: %v of the path is not described", id, named)
		}
		if o["requestBody"] != nil && method == "GET" {
			t.Errorf("%s: GET has a body", id)
		}
	})
	compiler := compilerOf(t, doc)
	for name := range doc["components"].(object)["schemas"].(object) {
		if _, err := compiler.Compile(base + "#/components/schemas/" + name); err != nil {
			t.Errorf("the schema %s: %v", name, err)
		}
	}
}

const base = "evrun:///openapi.json"

// compilerOf compiles the schemas of a document. Objects in it may have only the members that it lists.
func compilerOf(t testing.TB, doc object) *jsonschema.Compiler {
	t.Helper()
	for _, s := range doc["components"].(object)["schemas"].(object) {
		if s := s.(object); s["properties"] != nil && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(base, doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// Where a step of a list has no value, its place has null, and the document says so.
func TestValuesOfAListMayBeMissing(t *testing.T) {
	schemas := document(t)["components"].(object)["schemas"].(object)
	list := schemas["Activity"].(object)["properties"].(object)["oldest_seconds"].(object)
	if got := fmt.Sprint(list["items"]); got != "map[anyOf:[map[type:number] map[type:null]]]" {
		t.Error(got)
	}
	list = schemas["Activity"].(object)["properties"].(object)["handlers"].(object)
	if got := fmt.Sprint(list["items"]); strings.Contains(got, "null") {
		t.Error(got)
	}
}
