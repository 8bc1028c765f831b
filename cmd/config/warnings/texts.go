package warnings

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
)

// text is a text of the file that is written freely: a message, an argument, a value of data.
type text struct {
	*yaml.Node
	key  string // the innermost key whose value it is in
	top  string // the input, or the key of the entry, that it is in
	use  handlers.Use
	slot bool // it belongs to a schedule: its expressions see the slot, and no event
}

// textChecks are all checks of a text.
var textChecks = []func(*finder, text){
	(*finder).comment, (*finder).number, (*finder).braces, (*finder).variable, (*finder).quotes,
}

// texts checks each text of schedules and handlers that is written freely. Names, types, times and expressions are not.
func (f *finder) texts() {
	if f.Env != nil {
		f.textsIn(f.Env, "env", handlers.Rendered)
	}
	f.descriptions()
	for _, s := range f.Schedules {
		for _, key := range [...]string{"subject", "data"} {
			if _, v := f.Place(s).Lookup(key); v != nil {
				f.textsUnder(text{v, key, key, handlers.Rendered, true})
			}
		}
	}
	for _, h := range f.Handlers {
		n := f.Place(h)
		if _, with := n.Lookup("with"); with != nil && with.Kind == yaml.Mapping {
			uses := handlers.Uses(h.Action)
			for i := 0; i < len(with.Content); i += 2 {
				key := with.Content[i].Value
				f.textsIn(with.Content[i+1], key, uses[key])
			}
		}
		for _, key := range [...]string{"emit", "on_dead"} {
			if _, v := n.Lookup(key); v != nil {
				f.emissionTexts(v)
			}
		}
	}
}

// descriptions looks for comments that cut a description.
func (f *finder) descriptions() {
	check := func(n *yaml.Node) {
		if _, v := n.Lookup("description"); v != nil && v.Kind == yaml.Scalar && !f.full() {
			f.comment(text{Node: v})
		}
	}
	for _, s := range f.Schedules {
		check(f.Place(s))
	}
	for _, h := range f.Handlers {
		check(f.Place(h))
	}
	if f.Types != nil && f.Types.Kind == yaml.Mapping {
		for i := 1; i < len(f.Types.Content); i += 2 {
			check(f.Types.Content[i])
		}
	}
}

// emissionTexts checks what an emitted event has. Its type is not such a text.
func (f *finder) emissionTexts(n *yaml.Node) {
	switch n.Kind {
	case yaml.Sequence:
		for _, item := range n.Content {
			f.emissionTexts(item)
		}
	case yaml.Mapping:
		for _, key := range [...]string{"subject", "data"} {
			if _, v := n.Lookup(key); v != nil {
				f.textsIn(v, key, handlers.Rendered)
			}
		}
	}
}

func (f *finder) textsIn(n *yaml.Node, key string, use handlers.Use) {
	f.textsUnder(text{Node: n, key: key, top: key, use: use})
}

// textsUnder checks all texts of a tree.
func (f *finder) textsUnder(t text) {
	if f.full() {
		return
	}
	n := t.Node
	switch n.Kind {
	case yaml.Scalar:
		for _, check := range textChecks {
			check(f, t)
		}
	case yaml.Mapping:
		for i := 0; i < len(n.Content); i += 2 {
			t.key, t.Node = n.Content[i].Value, n.Content[i+1]
			f.textsUnder(t)
		}
	default:
		for _, item := range n.Content {
			t.Node = item
			f.textsUnder(t)
		}
	}
}

// comment warns of a text that a comment seems to cut, as in `message: Ticket #5 is open`: one space before the #, and none behind it. People
// write comments with two spaces or a space behind the #.
func (f *finder) comment(t text) {
	if t.Style != yaml.Plain || strings.Contains(t.Value, "\n") {
		return
	}
	at, rest := t.Comment()
	if len(rest) < 2 || at != t.End()+1 || strings.ContainsAny(rest[1:2], " \t#!-=") || t.Value == "" {
		return
	}
	if v := t.Value; v[0] >= '0' && v[0] <= '9' || v == "true" || v == "false" {
		return // attempts: 3 #three
	}
	f.between(at, at+len(rest), fmt.Sprintf("the text ends before this: a space and a # begin a comment, so it is %s", fault.Quote(t.Value)),
		fmt.Sprintf("quote the whole text; if this is a comment, write a space behind its #: # %s", fault.Clip(rest[1:], 40)))
}

// quotes warns of a text behind a kind that is in quotes as a whole, as in do: notify "x is down": they are a part of it.
func (f *finder) quotes(t text) {
	v := t.Value
	if t.use != handlers.Rendered || !t.IsPart() || len(v) < 2 || v[0] != v[len(v)-1] || v[0] != '"' && v[0] != '\'' || strings.IndexByte(v[1:len(v)-1], v[0]) >= 0 {
		return
	}
	f.at(t.Node, "these quotes are a part of the text", "leave them out; quotes for YAML stand around the whole value of do")
}

// number warns of a number whose text is lost: a version 1.10 is the number 1.1, and 007 is 7. In texts, such as a command's arguments, numbers
// stay as they are written.
func (f *finder) number(t text) {
	if t.Style != yaml.Plain || len(t.Value) < 2 || t.Value[0] < '0' || t.Value[0] > '9' || !inData(t) {
		return
	}
	v := t.Value
	switch {
	case leadingZero().MatchString(v):
		f.at(t.Node, fmt.Sprintf("%s is a number, so that its zeros in front are lost", v), fmt.Sprintf("write '%s' for the text, or %s for the number", v, withoutZeros(v)))
	case version().MatchString(v) && versionKey().MatchString(t.key):
		f.at(t.Node, fmt.Sprintf("%s is a number, so that it is equal to %s", v, strings.TrimRight(strings.TrimRight(v, "0"), ".")), fmt.Sprintf("write '%s'", v))
	}
}

// inData reports whether a number stays a number where it is written. In most inputs it is a text.
func inData(t text) bool {
	switch t.top {
	case "data", "events", "params", "json", "attributes", "fields":
		return t.use == handlers.Rendered
	}
	return false
}

func withoutZeros(v string) string {
	if v = strings.TrimLeft(v, "0"); v == "" {
		return "0"
	}
	return v
}

var (
	leadingZero = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^0[0-9]+$`) })
	version     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+\.[0-9]*0$`) })
	versionKey  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)version|release|^tag$`) })
)
