package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
)

// maxFaults is how many faults are reported. In a file with more, most have the same cause.
const maxFaults = 100

// document is a wiring file and the faults found in it so far.
type document struct {
	name   string // the file's name in messages
	source *yaml.Text
	faults []Fault
}

func newDocument(name string, src []byte) *document {
	return &document{name: name, source: yaml.NewText(string(src))}
}

// root parses the file and returns its mapping; nil after a fault.
func (d *document) root() *yaml.Node {
	src := d.source.Source
	if strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff") {
		d.fault(0, 2, "the file is UTF-16", "save it as UTF-8")
		return nil
	}
	root, faults := yaml.Parse(d.source)
	for _, f := range faults {
		d.fault(f.Offset, f.Offset+1, f.Message, f.Hint)
	}
	const needs = "a wiring file has handlers, schedules, or both"
	switch {
	case root == nil && len(faults) > 0:
	case root == nil && strings.TrimSpace(src) == "":
		d.beside(d.name, "the file is empty", needs)
	case root == nil:
		d.fault(0, 1, "the file has nothing but comments in it", needs)
	case root.Kind == yaml.Mapping:
		return root
	case !root.Broken:
		hint := "it begins with keys such as handlers:"
		if word, rest, ok := strings.Cut(root.Value, ":"); ok && rest != "" && !strings.ContainsAny(word, " \n") {
			hint = fmt.Sprintf("a space is missing after the colon: %s: %s", fault.Clip(word, 60), fault.Clip(rest, 60))
		}
		d.at(root, "a wiring file is a mapping of keys, not "+describe(root), hint)
	}
	return nil
}

// full reports whether no more faults are recorded.
func (d *document) full() bool { return len(d.faults) >= maxFaults }

// fault records a fault at the bytes from start to end.
func (d *document) fault(start, end int, msg, hint string) {
	if d.full() {
		return
	}
	line := d.source.Line(start)
	text, from := d.source.LineText(line)
	d.faults = append(d.faults, Fault{
		File: d.name, Line: line + 1, Column: 1 + utf8.RuneCountInString(d.source.Source[from:start]), Message: msg, Hint: hint, SourceLine: text,
		offset: start, width: end - start,
	})
	if d.full() {
		d.faults[maxFaults-1].Message, d.faults[maxFaults-1].Hint = "too many errors: the rest isn't shown", ""
	}
}

// at records a fault at a node.
func (d *document) at(n *yaml.Node, msg, hint string) {
	d.fault(n.Start, n.End(), msg, hint)
}

// head records a fault of a whole mapping, at its first key.
func (d *document) head(n *yaml.Node, msg, hint string) {
	end := n.Start + 1
	if len(n.Content) > 0 && n.Content[0].Start == n.Start {
		end = n.Content[0].End()
	}
	d.fault(n.Start, end, msg, hint)
}

// inside records a fault at a word in a scalar's text, by its byte offset; -1: the whole text.
func (d *document) inside(n *yaml.Node, offset int, msg, hint string) {
	if offset < 0 {
		d.at(n, msg, hint)
		return
	}
	start := n.Source(offset)
	end := start + 1
	if isWord(d.source.Source[start]) {
		for end < len(d.source.Source) && isWord(d.source.Source[end]) {
			end++
		}
	}
	d.fault(start, end, msg, hint)
}

func isWord(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// beside records a fault without a line: of a variable, a flag, or the whole file.
func (d *document) beside(what, msg, hint string) {
	d.faults = append(d.faults, Fault{File: what, Message: msg, Hint: hint, offset: len(d.source.Source) + 1})
}

// err returns the faults as an error, in the order of the file; nil for none.
func (d *document) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	return &Errors{Path: d.name, Faults: d.sorted()}
}

// sorted returns the faults in the order of the file, without duplicates: an aliased value is read once for each alias.
func (d *document) sorted() []Fault {
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return cmp.Compare(a.offset, b.offset) })
	return slices.CompactFunc(d.faults, func(a, b Fault) bool { return a.offset == b.offset && a.Message == b.Message })
}

// sequence reads the items of a list. what is the list's name in messages, such as schedules.
func (d *document) sequence(n *yaml.Node, what, hint string, read func(*yaml.Node)) {
	if n.Kind != yaml.Sequence {
		if !n.Broken && !n.Null() {
			d.at(n, fmt.Sprintf("%q must be a list, not %s", what, describe(n)), hint)
		}
		return
	}
	for _, item := range n.Content {
		if d.full() {
			return
		}
		switch {
		case item.Broken && item.Kind == yaml.Scalar:
		case item.Null():
			d.fault(item.Start-1, item.Start, fmt.Sprintf("an item of %q is empty", what), "leave its dash out")
		default:
			read(item)
		}
	}
}
