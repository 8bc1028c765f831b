package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"evrun/cmd/config/settings"
	"evrun/cmd/config/warnings"
	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
)

// maxFaults is how many faults are reported. In a file with more, most have the same cause.
const maxFaults = 100

// document is a wiring file and the faults found in it so far. It can have several texts: an offset counts through all of them, so that it names a
// text and a place in it.
type document struct {
	name   string // the wiring file's name in messages
	texts  []text // in the order of their offsets; the first is the wiring file's own
	faults []Fault
}

// text is one text of a document.
type text struct {
	name string // the file's name in messages
	dir  string // the file's directory, absolute
	*yaml.Text
}

// newDocument returns a document with the text of the wiring file.
func newDocument(name, dir string, src []byte) *document {
	d := &document{name: name}
	d.add(name, dir, src)
	return d
}

// add adds the text of a file.
func (d *document) add(name, dir string, src []byte) text {
	t := text{name, dir, yaml.NewText(string(src))}
	if len(d.texts) > 0 {
		last := d.texts[len(d.texts)-1]
		t.Base = last.Base + len(last.Source) + 1 // a missing value can stand at the end
	}
	d.texts = append(d.texts, t)
	return t
}

// textAt returns the text that an offset is in.
func (d *document) textAt(offset int) text {
	i, found := slices.BinarySearchFunc(d.texts, offset, func(t text, offset int) int { return cmp.Compare(t.Base, offset) })
	if !found {
		i--
	}
	return d.texts[max(i, 0)]
}

// dirOf returns the directory of the file that a node is in. Relative paths in the node are relative to it.
func (d *document) dirOf(n *yaml.Node) string { return d.textAt(n.Start).dir }

// line returns the line number of a node.
func (d *document) line(n *yaml.Node) int {
	t := d.textAt(n.Start)
	return t.Line(n.Start-t.Base) + 1
}

// placeOf returns the place of a node, file:line.
func (d *document) placeOf(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d", d.textAt(n.Start).name, d.line(n))
}

// lineFrom says on which line a node is, for a message about another node: "on line 3", or "on line 3 of FILE" in another file.
func (d *document) lineFrom(other, n *yaml.Node) string {
	line := fmt.Sprintf("on line %d", d.line(n))
	if t := d.textAt(n.Start); t.Base != d.textAt(other.Start).Base {
		line += " of " + t.name
	}
	return line
}

// root parses the text of the wiring file and returns its mapping; nil after a fault.
func (d *document) root(t text) *yaml.Node {
	root := d.mapping(t)
	const needs = "a wiring file has handlers, schedules, or both"
	switch {
	case root != nil || len(d.faults) > 0:
	case strings.TrimSpace(t.Source) == "":
		d.beside(t.name, "the file is empty", needs)
	default:
		d.fault(t.Base, t.Base+1, "the file has nothing but comments in it", needs)
	}
	return root
}

// mapping parses a text and returns its mapping; nil after a fault, and for a text without content.
func (d *document) mapping(t text) *yaml.Node {
	if strings.HasPrefix(t.Source, "\xff\xfe") || strings.HasPrefix(t.Source, "\xfe\xff") {
		d.fault(t.Base, t.Base+2, "the file is UTF-16", "save it as UTF-8")
		return nil
	}
	root, faults := yaml.Parse(t.Text)
	for _, f := range faults {
		d.fault(t.Base+f.Offset, t.Base+f.Offset+1, f.Message, f.Hint)
	}
	switch {
	case root == nil:
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
	t := d.textAt(start)
	line := t.Line(start - t.Base)
	source, from := t.LineText(line)
	d.faults = append(d.faults, Fault{
		File: t.name, Line: line + 1, Column: 1 + utf8.RuneCountInString(t.Source[from:start-t.Base]), Message: msg, Hint: hint, SourceLine: settings.Redact(source),
		Offset: start, Width: end - start,
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
	d.fault(n.Start, n.HeadEnd(), msg, hint)
}

// inside records a fault at a word in a scalar's text, by its byte offset; -1: the whole text.
func (d *document) inside(n *yaml.Node, offset int, msg, hint string) {
	if offset < 0 {
		d.at(n, msg, hint)
		return
	}
	start := n.Source(offset)
	end := start + 1
	if t := d.textAt(start); isWord(t.Source[start-t.Base]) {
		for end-t.Base < len(t.Source) && isWord(t.Source[end-t.Base]) {
			end++
		}
	}
	d.fault(start, end, msg, hint)
}

func isWord(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// beside records a fault without a line: of a variable, a flag, or the whole file.
func (d *document) beside(what, msg, hint string) {
	d.faults = append(d.faults, Fault{File: what, Message: msg, Hint: hint, Offset: math.MaxInt})
}

// placed records the faults of settings, and what is probably a mistake in them.
type placed struct {
	d      *document
	doubts *[]warnings.Warning
}

func (p placed) At(n *yaml.Node, msg, hint string) { p.d.at(n, msg, hint) }
func (p placed) Beside(what, msg, hint string)     { p.d.beside(what, msg, hint) }
func (p placed) Doubt(n *yaml.Node, msg, hint string) {
	*p.doubts = append(*p.doubts, warnings.Warning{Start: n.Start, End: n.HeadEnd(), Message: msg, Hint: hint})
}
func (p placed) Whole(msg, hint string) { p.d.fault(0, 1, msg, hint) }

// err returns the faults as an error, in the order of the file; nil for none.
func (d *document) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	return &Errors{Path: d.name, Faults: d.sorted()}
}

// sorted returns the faults in the order of the file, without duplicates: an aliased value is read once for each alias.
func (d *document) sorted() []Fault {
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return cmp.Compare(a.Offset, b.Offset) })
	return slices.CompactFunc(d.faults, func(a, b Fault) bool { return a.Offset == b.Offset && a.Message == b.Message })
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
