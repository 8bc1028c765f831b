package config

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"evrun/cmd/config/yaml"
)

// maxFaults is how many faults are told. A file with more has one cause for most of them.
const maxFaults = 100

// document is a wiring file that is being checked: its text, and what was found wrong with it so far.
type document struct {
	name   string // of the file, as messages have it
	source *yaml.Text
	faults []Fault
}

func newDocument(name string, src []byte) *document {
	return &document{name: name, source: yaml.NewText(string(src))}
}

// full says whether there are so many faults that looking for more is of no use.
func (d *document) full() bool { return len(d.faults) >= maxFaults }

// fault notes what is wrong with the bytes from start to end.
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

// at notes what is wrong with a node.
func (d *document) at(n *yaml.Node, msg, hint string) {
	d.fault(n.Start, n.End(), msg, hint)
}

// head notes what is wrong with a mapping as a whole, at its first key.
func (d *document) head(n *yaml.Node, msg, hint string) {
	end := n.Start + 1
	if len(n.Content) > 0 && n.Content[0].Start == n.Start {
		end = n.Content[0].End()
	}
	d.fault(n.Start, end, msg, hint)
}

// inside notes what is wrong with the word at a byte of a scalar's text; -1: with all of it.
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

// beside notes what is wrong with something that is no part of the file.
func (d *document) beside(what, msg, hint string) {
	d.faults = append(d.faults, Fault{File: what, Message: msg, Hint: hint, offset: len(d.source.Source) + 1})
}

// err gives the faults in the order of the file, nil for none.
func (d *document) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return cmp.Compare(a.offset, b.offset) })
	// An aliased value is read wherever it stands, and what is wrong with it is found as often.
	d.faults = slices.CompactFunc(d.faults, func(a, b Fault) bool { return a.offset == b.offset && a.Message == b.Message })
	return &Errors{Path: d.name, Faults: d.faults}
}

// sequence reads the items of a list, which is what: "schedules".
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
