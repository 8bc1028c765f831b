// Package openapi describes the HTTP API as an OpenAPI 3.1 document. It is made of what the routes declare and of the Go types that their handlers
// decode and answer with, so that it can't say anything else; the texts are those of the tags of parameters and of the comments of types.
//
// # Why no library
//
// huma v2 is the best kept one. As a framework it would replace mux and handlers, and has no place for bodies of lines that are answered while
// they are read, for CloudEvents' three modes in one route, for server-sent events from shared pages, and for a server in process without a network. Its
// schema generator alone reads tags of its own (doc, minimum), so that each parameter would be declared twice, does not know json:",string", and knows no comments.
// A map of a document and a walk over types are less than the code between the two would be.
//
// Bodies of lines and of server-sent events have a schema for each line in x-itemSchema, where OpenAPI 3.2 has itemSchema.
package openapi

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"evrun/cmd/api/ndjson"
	"evrun/tasks/fields"
)

// Operation is a route.
type Operation struct {
	Pattern  string // as [http.ServeMux] takes it, with a method
	Tag      string // the group that it belongs to
	Doc      string // what it does; the first sentence is its summary
	Security []string
	Path     map[string]string // what the parts of the path in braces are
	Query    reflect.Type      // of the parameters, see package query; nil: none
	Headers  []Header          // that it reads, beside those of HTTP itself
	Bodies   []Content         // that it takes
	Optional bool              // the body may be missing
	Answers  []Answer
	Extra    map[string]any // members whose names begin with x-
}

// Header is a header of a request or an answer.
type Header struct{ Name, Doc string }

// Content is a body.
type Content struct {
	Type  string         // the media type
	Of    []reflect.Type // what its JSON decodes to, one of these; none: it is not JSON
	Lines bool           // each line, or each server-sent event, is one of these
	Doc   string         // what the body is
}

// Answer is what a request is answered with.
type Answer struct {
	Status   int
	Doc      string
	Contents []Content
	Headers  []Header
}

// The media types of bodies.
const (
	JSON    = "application/json"
	NDJSON  = ndjson.Type
	Problem = "application/problem+json"
)

// Of is a list of types, for [Content].
func Of[T any]() []reflect.Type { return []reflect.Type{reflect.TypeFor[T]()} }

// Info is the head of a document.
type Info struct {
	Title, Version, Description string
	Tags                        []string // the groups, in order
}

// object is an object of JSON.
type object = map[string]any

// Document makes the document of operations. problem is the type of all errors.
func Document(info Info, operations []Operation, problem reflect.Type) map[string]any {
	s := newSchemas(operations)
	paths := object{}
	for _, o := range operations {
		method, path, _ := strings.Cut(o.Pattern, " ")
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = s.operation(o)
	}
	var tags []any
	for _, name := range info.Tags {
		tags = append(tags, object{"name": name})
	}
	refused := object{"description": "An error, as RFC 9457 describes it.", "content": object{Problem: object{"schema": s.of(problem)}}}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": info.Title, "version": info.Version, "description": info.Description},
		"tags":    tags,
		"paths":   paths,
		"components": object{
			"schemas":         s.all(),
			"responses":       object{"Problem": refused},
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A token, by TCP. The roles are the rights that it must have. Clients of the unix socket need none."}},
		},
	}
}

func (s *schemas) operation(o Operation) object {
	summary, _, _ := strings.Cut(o.Doc, ". ")
	op := object{
		"operationId": OperationID(o.Pattern), "tags": []any{o.Tag}, "summary": strings.TrimSuffix(summary, "."), "description": o.Doc,
		"responses": s.responses(o.Answers),
	}
	if len(o.Security) > 0 {
		op["security"] = []any{object{"token": o.Security}}
	} else {
		op["security"] = []any{}
	}
	if parameters := s.parameters(o); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if len(o.Bodies) > 0 {
		op["requestBody"] = object{"required": !o.Optional, "content": s.contents(o.Bodies)}
	}
	for name, value := range o.Extra {
		op[name] = value
	}
	return op
}

// OperationID names an operation: the method, and the words of the path.
func OperationID(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	if path == "/hooks/{name}" { // is not GET /v1/hooks/{name}
		path = "/hook"
	}
	id := strings.ToLower(method)
	for _, word := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("/{}._-", r) }) {
		if word != "v1" {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

func (s *schemas) parameters(o Operation) (list []any) {
	_, path, _ := strings.Cut(o.Pattern, " ")
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			list = append(list, object{"name": name, "in": "path", "required": true, "description": o.Path[name], "schema": object{"type": "string", "minLength": 1}})
		}
	}
	if o.Query != nil {
		properties := fields.Schema(o.Query)["properties"].(map[string]any)
		for _, f := range fields.Of(o.Query) {
			schema := properties[f.Name].(map[string]any)
			delete(schema, "description")
			p := object{"name": f.Name, "in": "query", "description": f.Doc, "schema": schema}
			if either, ok := schema["anyOf"].([]any); ok { // a list may be written as its only item in a file; in a query, each item is a parameter
				p["schema"] = either[1]
			}
			if f.Required {
				p["required"] = true
			}
			if f.Example != "" {
				delete(schema, "examples")
				p["example"] = f.Example
			}
			list = append(list, p)
		}
	}
	for _, h := range o.Headers {
		list = append(list, object{"name": h.Name, "in": "header", "description": h.Doc, "schema": object{"type": "string"}})
	}
	return list
}

func (s *schemas) contents(list []Content) object {
	out := object{}
	for _, c := range list {
		var schema any = object{"type": "string"}
		var options []any
		for _, t := range c.Of {
			options = append(options, s.of(t))
		}
		one := any(object{"anyOf": options})
		if len(options) == 1 {
			one = options[0]
		}
		media := object{"schema": schema}
		switch {
		case c.Lines && len(options) > 0:
			media["x-itemSchema"] = one
		case len(options) > 0:
			media["schema"] = one
		}
		if c.Doc != "" {
			media["x-description"] = c.Doc
		}
		out[c.Type] = media
	}
	return out
}

func (s *schemas) responses(answers []Answer) object {
	out := object{"default": object{"$ref": "#/components/responses/Problem"}}
	for _, a := range answers {
		doc := cmp.Or(a.Doc, http.StatusText(a.Status))
		r := object{"description": doc}
		if len(a.Contents) > 0 {
			r["content"] = s.contents(a.Contents)
		}
		if len(a.Headers) > 0 {
			headers := object{}
			for _, h := range a.Headers {
				headers[h.Name] = object{"description": h.Doc, "schema": object{"type": "string"}}
			}
			r["headers"] = headers
		}
		out[strconv.Itoa(a.Status)] = r
	}
	return out
}

// Parameters returns the names of an operation's parameters in the query and in headers; headers are in their canonical form.
func (o *Operation) Parameters() (query, headers []string) {
	if o.Query != nil {
		for _, f := range fields.Of(o.Query) {
			query = append(query, f.Name)
		}
	}
	for _, h := range o.Headers {
		headers = append(headers, http.CanonicalHeaderKey(h.Name))
	}
	slices.Sort(query)
	return query, headers
}
