package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/config/yaml"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// decode fills a struct of keys from the mapping at n. It records the faults at their places and returns them.
func (d *document) decode(n *yaml.Node, into, context any) []*fault.Fault {
	return d.decodeValue(n, d.value(n), into, context)
}

// decodeValue is decode, for the value of n.
func (d *document) decodeValue(n *yaml.Node, value, into, context any) []*fault.Fault {
	faults := fields.Decode(into, value, fields.Options{
		Context: context,
		Written: func(path []any) (string, bool) {
			at, _, whole := n.Follow(path)
			return at.Value, whole && at.Kind == yaml.Scalar
		},
		Partial: func(path []any) bool {
			at, _, _ := n.Follow(path)
			return at.Broken
		},
	})
	for _, f := range faults {
		d.report(n, f)
	}
	return faults
}

// report records a fault at the place that its path leads to from n.
func (d *document) report(n *yaml.Node, f *fault.Fault) {
	at, name, whole := n.Follow(f.Path)
	switch {
	case f.Key && whole && name != nil && at.Null() && uncommented(at) != "":
		d.at(name, f.Message, uncommented(at))
	case f.Key && whole && name != nil:
		d.at(name, f.Message, f.Hint)
	case f.Key && whole: // the dash of an item
		d.fault(at.Start-1, at.Start, f.Message, f.Hint)
	case at.Kind == yaml.Mapping:
		d.head(at, f.Message, f.Hint)
	case at.Kind == yaml.Scalar && inside(f) && at.Style == yaml.SingleQuoted:
		d.inside(at, f.Offset, f.Message, envInQuotes.Replace(f.Hint))
	case at.Kind == yaml.Scalar && inside(f):
		d.inside(at, f.Offset, f.Message, f.Hint)
	default:
		d.at(at, f.Message, f.Hint)
	}
}

// envInQuotes writes the name in env('NAME') in other quotes, for a text that is in single quotes itself.
var envInQuotes = strings.NewReplacer("env('", `env("`, "')", `")`)

// uncommented is the hint for a value that is missing because it begins with a #, as in channel: #general; empty for any other.
func uncommented(n *yaml.Node) string {
	if _, text := n.Comment(); len(text) > 1 && text[1] != ' ' {
		return "a # begins a comment: quote a text that begins with it, such as '" + fault.Clip(strings.ReplaceAll(text, "'", "''"), 60) + "'"
	}
	return ""
}

// inside reports whether a fault concerns a word in a text, not the whole text.
func inside(f *fault.Fault) bool {
	if e, ok := errors.AsType[*expression.Error](f.Err); ok {
		return e.Offset >= 0
	}
	return f.Offset > 0 || f.Err != nil
}

// unique records a fault if another item of this sort has the same name. An invalid name is empty.
func (r *wiringReader) unique(n *yaml.Node, kind, name string) {
	_, at := n.Lookup("name")
	switch first := r.names[kind+" "+name]; {
	case name == "":
	case first != nil:
		hint := "the first is " + r.lineFrom(at, first)
		if kind == "handler" && r.names["schedule "+name] == first {
			hint += ", a schedule with do: it is its own handler"
		}
		r.at(at, fmt.Sprintf("two %ss are named %s", kind, fault.Quote(name)), hint)
	default:
		r.names[kind+" "+name] = at
	}
}

// onlyKnown reports whether the mapping at n was read completely and has no unknown keys: only then missing keys can be reported.
func onlyKnown(n *yaml.Node, faults []*fault.Fault) bool {
	return n.Kind == yaml.Mapping && !n.Broken && !slices.ContainsFunc(faults, func(f *fault.Fault) bool { return f.Key && len(f.Path) == 1 })
}
