package webhook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"evrun/cmd/foreign"
)

// argument is a reference to a value of the request.
type argument struct {
	line                  int
	source, name, envName string
	base64                bool
}

// values are the names under which expressions have the parts of a request.
type values struct {
	body          string
	header, query func(name string) string
	method, raw   string
	parsed        []argument // texts that are JSON
}

// ofHook are the names in a hook.
func ofHook(h *hook) *values {
	v := &values{
		body: "body", method: "method", raw: "raw", parsed: h.parsed,
		header: func(name string) string { return "header(" + foreign.Quoted(name) + ")" }, query: func(name string) string { return "query(" + foreign.Quoted(name) + ")" },
	}
	if h.json {
		v.body = "fromJSON(raw)"
	}
	return v
}

// ofHandler are the names in the hook's handler. Parts that are not of the body are in the event's data only if they are needed: see [hook.data].
func ofHandler(h *hook) *values {
	if !h.whole() {
		return &values{body: "data", parsed: h.parsed}
	}
	return &values{
		body: "data.body", method: "data.method", raw: "data.raw", parsed: h.parsed,
		header: func(name string) string { return "data.header[" + foreign.Quoted(name) + "]" }, query: func(name string) string { return "data.query[" + foreign.Quoted(name) + "]" },
	}
}

// needs reports whether a value is not of the body.
func (a *argument) needs() bool {
	switch a.source {
	case "header", "url", "query", "request", "raw-request-body":
		return true
	}
	return false
}

// expression returns the expression of a value, which is nil if the request doesn't have it.
func (v *values) expression(a *argument) (string, error) {
	if _, err := plain(a.name); err != nil && a.source != "string" {
		return "", err
	}
	switch a.source {
	case "payload":
		return v.path(v.body, a)
	case "header":
		return v.of(a, v.header)
	case "url", "query":
		return v.of(a, v.query)
	case "raw-request-body":
		return v.raw, nil
	case "entire-payload":
		return v.body, nil
	case "request":
		if strings.EqualFold(a.name, "method") {
			return v.method, nil
		}
		return "", fmt.Errorf("evrun's events don't have the request's %s", a.name)
	case "entire-headers", "entire-query":
		return "", fmt.Errorf("evrun's expressions name each value, and have no %s", a.source)
	}
	return "", fmt.Errorf("unknown source %q", a.source)
}

// of returns a header or a parameter of the query, or a value in one that is JSON.
func (v *values) of(a *argument, part func(name string) string) (string, error) {
	if a.name == "" {
		return "", fmt.Errorf("the %s has no name", a.source)
	}
	for _, p := range v.parsed {
		if rest, below := strings.CutPrefix(a.name, p.name+"."); below && sameSource(p.source, a.source) {
			return steps("fromJSON("+part(p.name)+` ?? "null")`, strings.Split(rest, "."))
		}
	}
	return part(a.name), nil
}

func sameSource(a, b string) bool {
	return a == b || a != "header" && b != "header" && a != "payload" && b != "payload"
}

// path returns a value of the body.
func (v *values) path(body string, a *argument) (string, error) {
	if a.name == "" {
		return "", fmt.Errorf("the value of the payload has no name")
	}
	names := strings.Split(a.name, ".")
	if len(names) > 1 && names[0] == "root" && isPlace(names[1]) { // webhook's name for a body that is a list
		names = names[1:]
	}
	for _, p := range v.parsed {
		of := strings.Split(p.name, ".")
		if p.source == "payload" && len(names) > len(of) && slices.Equal(names[:len(of)], of) {
			text, err := steps(body, of)
			if err != nil {
				return "", err
			}
			return steps("fromJSON("+text+` ?? "null")`, names[len(of):])
		}
	}
	return steps(body, names)
}

// steps follows names and places from a value.
func steps(from string, names []string) (string, error) {
	for _, name := range names {
		switch {
		case name == "":
			return "", fmt.Errorf("there is an empty name in the path")
		case name[0] == '-' || name[0] == '#':
			return "", fmt.Errorf("evrun reads no XML: %s", name)
		case isPlace(name):
			from = "get(" + from + ", " + name + ")"
		case isWord().MatchString(name) && !slices.Contains(reserved, name):
			from += "?." + name
		default:
			from = "get(" + from + ", " + foreign.Quoted(name) + ")"
		}
	}
	return from, nil
}

func isPlace(name string) bool {
	n, err := strconv.Atoi(name)
	return err == nil && n >= 0 && strconv.Itoa(n) == name
}

var isWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// reserved are the words of the language.
var reserved = []string{"not", "in", "and", "or", "let", "if", "else", "matches", "contains", "startsWith", "endsWith", "true", "false", "nil"}

// text returns the value for an input of a handler: empty if the request doesn't have it.
func (v *values) text(a *argument) (string, error) {
	if a.source == "string" {
		if isTemplate(a.name) {
			return "", errTemplate
		}
		return wired(a.name), nil
	}
	x, err := v.expression(a)
	if err != nil {
		return "", err
	}
	return "${ " + x + ` ?? "" }`, nil
}
