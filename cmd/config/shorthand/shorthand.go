// Package shorthand writes out what a wiring file may have in short: "do: exec ./backup.sh" is "do: exec" with the input command, and a command that
// is a text is a list of its words.
//
// It works on the tree of the file, before anything is decoded. All that comes after it (decoding, warnings, versions) knows the long form only, and
// each part of a text keeps its place in the source.
package shorthand

import (
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// Report records a fault at the bytes from start to end.
type Report func(start, end int, msg, hint string)

// Expand returns a handler, or a schedule with do, in its long form. It doesn't change the node, and returns it as it is if nothing in it is short.
func Expand(n *yaml.Node, report Report) *yaml.Node {
	_, do := n.Lookup("do")
	if do == nil || do.Kind != yaml.Scalar || do.Broken || do.Null() {
		return n
	}
	e := &entry{Node: n, report: report}
	name, text := cut(do)
	k, known := handlers.Lookup(name.Value)
	if text != nil {
		e.set("do", name)
	}
	if !known {
		return e.Node
	}
	switch {
	case text == nil:
	case k.Main == "":
		report(text.Start, text.End(), fmt.Sprintf("%s has no main input, which could stand behind it", k.Name), "leave it out, and write its inputs under with")
	default:
		e.input(k.Main, name, text)
	}
	for _, in := range k.Inputs {
		if in.Words {
			e.split(k, in)
		}
	}
	return e.Node
}

// cut cuts the value of do into the name of the kind and the text behind it; nil for none.
func cut(do *yaml.Node) (name, text *yaml.Node) {
	trimmed := strings.TrimRight(do.Value, blanks)
	end := strings.IndexAny(trimmed, blanks)
	if end <= 0 {
		return do, nil
	}
	rest := strings.TrimLeft(trimmed[end:], blanks)
	return do.Part(0, end, nil), do.Part(len(trimmed)-len(rest), len(trimmed), nil)
}

const blanks = " \t\r\n"

// entry is a handler or a schedule that is written out.
type entry struct {
	*yaml.Node
	copied bool
	report Report
}

// set gives a key of the entry another value.
func (e *entry) set(key string, value *yaml.Node) {
	if !e.copied {
		e.Node, e.copied = clone(e.Node), true
	}
	setKey(e.Node, key, value)
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = slices.Clone(n.Content)
	return &c
}

func setKey(mapping *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = value
		}
	}
}

// input adds the text behind the kind to the inputs, if these are a mapping that doesn't have it.
func (e *entry) input(main string, kind, text *yaml.Node) {
	key, with := e.Lookup("with")
	switch {
	case with == nil:
		e.Content = append(e.Content, kind.Named("with"), text.Holding(yaml.Mapping, text.Named(main), text))
		return
	case with.Null():
		e.set("with", key.Holding(yaml.Mapping, text.Named(main), text))
		return
	case with.Kind != yaml.Mapping:
		return // it is a fault of its own
	}
	if name, _ := with.Lookup(main); name != nil {
		at, where := name, "behind "+kind.Value
		if name.Start < text.Start {
			at, where = text, "under with"
		}
		e.report(at.Start, at.End(), fmt.Sprintf("%s is here twice: it stands %s already", fault.Quote(main), where), "keep one of them")
		return
	}
	with = clone(with)
	with.Content = append(with.Content, text.Named(main), text)
	e.set("with", with)
}

// split makes a list of the words of an input that is a text.
func (e *entry) split(k handlers.Kind, in fields.Field) {
	_, with := e.Lookup("with")
	if with == nil || with.Kind != yaml.Mapping {
		return
	}
	_, text := with.Lookup(in.Name)
	if text == nil || text.Kind != yaml.Scalar || text.Broken || text.Null() {
		return
	}
	words, f := wordsOf(text.Value)
	with = clone(with)
	switch {
	case f != nil:
		start := text.Source(f.Offset)
		e.report(start, max(start, text.Source(f.end-1))+1, f.Message, f.Hint)
		wrong := *text
		wrong.Broken = true
		setKey(with, in.Name, &wrong)
	case len(words) == 0, len(words) == 1 && len(words[0].at) == len(text.Value): // it is its only word
		return
	default:
		list := text.Holding(yaml.Sequence)
		for _, w := range words {
			list.Content = append(list.Content, text.Part(w.start, w.end, w.at))
		}
		setKey(with, in.Name, list)
	}
	e.set("with", with)
}
