// Package yaml reads the part of YAML 1.2 that wiring files are written in, into a tree that knows where every byte of every
// value came from, and says in plain words and all at once what is wrong with a text.
//
// What it takes, it takes as any YAML parser does; a fuzz test holds it against go.yaml.in/yaml. What it refuses on purpose
// is what makes a configuration hard to read or dear to parse: anchors, aliases, merge keys, tags, directives, complex keys,
// several documents, duplicate keys, tabs as indentation, over [MaxDepth] levels and over [MaxNodes] values. That leaves
// a parser that is linear in time and memory, whatever it is given.
//
//	root, faults := yaml.Parse(src)
//	for i := 0; i < len(root.Content); i += 2 {
//		key, value := root.Content[i], root.Content[i+1]
//	}
package yaml

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"unicode/utf8"
)

const (
	MaxDepth  = 64      // levels of nested lists and mappings
	MaxNodes  = 140_000 // keys and values in all
	maxFaults = 100     // after that many the text is taken for something else than YAML
	maxKey    = 1024    // bytes of a key
)

// Kind is what a [Node] is.
type Kind uint8

// The kinds of nodes.
const (
	Scalar Kind = iota
	Mapping
	Sequence
)

// Style is how a scalar was written.
type Style uint8

// The styles of scalars.
const (
	Plain Style = iota
	SingleQuoted
	DoubleQuoted
	Literal
	Folded
)

// Node is one value of a text.
type Node struct {
	Kind  Kind
	Style Style
	// Broken marks what could not be read whole; a fault says why. Nothing can be said of what it lacks.
	Broken bool
	// Value is a scalar's text without quotes, escapes and indentation; empty too for a value that was left out.
	Value string
	// Start and End are the byte offsets of the node in the source; of a value that was left out, where it could stand.
	Start, End int
	// Content is a sequence's items, or a mapping's keys and values in turn. Keys are scalars, each there once.
	Content []*Node

	runs []run
}

// run is a part of a scalar's Value that stands in the source byte by byte.
type run struct{ value, source int32 }

// Source gives the offset in the source of the byte at offset in Value.
func (n *Node) Source(offset int) int {
	if n.Kind != Scalar || len(n.runs) == 0 {
		return n.Start
	}
	offset = max(0, min(offset, len(n.Value)))
	i := sort.Search(len(n.runs), func(i int) bool { return int(n.runs[i].value) > offset }) - 1
	if i < 0 { // an empty line before a block scalar's first with text
		return int(n.runs[0].source)
	}
	return min(int(n.runs[i].source)+offset-int(n.runs[i].value), max(n.Start, n.End-1))
}

func (n *Node) addRun(value, source int) {
	r := run{int32(value), int32(source)}
	if len(n.runs) == 0 || n.runs[len(n.runs)-1] != r {
		n.runs = append(n.runs, r)
	}
}

// Null says whether the node is a value that was left out or written as null.
func (n *Node) Null() bool {
	if n.Kind != Scalar || n.Style != Plain {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// Error is one fault of a text.
type Error struct {
	Offset int // in bytes
	Msg    string
	Hint   string // may be empty
}

func (e *Error) Error() string { return e.Msg }

// Parse reads src, which must be valid UTF-8. The tree is whatever could be read, with Broken at its gaps; it is nil for
// a text without content. The faults are in the order of their offsets.
func Parse(src []byte) (*Node, []*Error) {
	p := &parser{src: src}
	p.checkCharacters()
	var root *Node
	if !p.stopped {
		root = p.document()
	}
	sort.SliceStable(p.faults, func(i, j int) bool { return p.faults[i].Offset < p.faults[j].Offset })
	return root, p.faults
}

// parser reads src from i on. Its methods return nil where they noted a fault; whoever reads a block's entries notes the
// gap and goes on with the next entry.
type parser struct {
	src     []byte
	i       int // the next byte
	line    int // where the line of i begins
	depth   int
	nodes   int
	faults  []*Error
	stopped bool // by a fault that makes the rest senseless
}

func (p *parser) fault(offset int, msg, hint string) *Node {
	if p.stopped {
		return nil
	}
	p.faults = append(p.faults, &Error{Offset: offset, Msg: msg, Hint: hint})
	if len(p.faults) == maxFaults {
		return p.fatal(offset, "too many errors: the rest was not looked at", "")
	}
	return nil
}

func (p *parser) fatal(offset int, msg, hint string) *Node {
	if !p.stopped {
		p.faults = append(p.faults, &Error{Offset: offset, Msg: msg, Hint: hint})
		p.stopped = true
	}
	p.i = len(p.src)
	return nil
}

func (p *parser) node(kind Kind, start int) *Node {
	if p.nodes++; p.nodes > MaxNodes {
		p.fatal(start, fmt.Sprintf("the file has over %d values", MaxNodes), "split it")
	}
	return &Node{Kind: kind, Start: start, End: start}
}

func (p *parser) enter() bool {
	if p.depth++; p.depth > MaxDepth {
		p.fatal(p.i, fmt.Sprintf("lists and mappings are nested over %d levels deep here", MaxDepth), "")
		return false
	}
	return !p.stopped
}

func (p *parser) leave() { p.depth-- }

// checkCharacters refuses what no YAML text holds.
func (p *parser) checkCharacters() {
	for i := 0; i < len(p.src); {
		c := p.src[i]
		switch {
		case c >= ' ' && c < 0x7f, c == '\t', c == '\n':
			i++
			continue
		case c == '\r':
			if i+1 < len(p.src) && p.src[i+1] == '\n' {
				i += 2
				continue
			}
			p.fatal(i, "a carriage return without a line feed", "save the file with LF or CRLF line ends")
			return
		case c < utf8.RuneSelf:
			p.fatal(i, fmt.Sprintf("a control character (U+%04X)", c), fmt.Sprintf(`in double quotes it can be written as "\x%02x"`, c))
			return
		}
		r, n := utf8.DecodeRune(p.src[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			p.fatal(i, fmt.Sprintf("byte 0x%02X is not UTF-8", c), "save the file as UTF-8")
			return
		case r < 0xa0 && r != 0x85, r == 0xfeff, r == 0xfffe, r == 0xffff:
			p.fatal(i, fmt.Sprintf("a control character (U+%04X)", r), fmt.Sprintf(`in double quotes it can be written as "\u%04x"`, r))
			return
		}
		i += n
	}
}

func (p *parser) document() *Node {
	col := p.next()
	if col == 0 && p.at('%') {
		return p.fatal(p.i, "directives (lines that begin with %) are not supported", "leave the line out")
	}
	if p.marker("---") {
		p.i += 3
		if p.blanks(); !p.lineDone() {
			return p.fatal(p.i, "nothing can follow --- on its line", "go on in the next line")
		}
		col = p.next()
	}
	var root *Node
	if col >= 0 {
		if root = p.block(-1); root == nil {
			root = &Node{Broken: true, Start: p.i, End: p.i}
			p.skip(p.i, p.line, -1)
		} else if p.next() >= 0 {
			p.fatal(p.i, "this belongs to nothing", "the file is one mapping of keys, such as handlers:, and all of them begin in the same column")
		}
	}
	if p.stopped {
		if root != nil {
			root.Broken = true
		}
		return root
	}
	if p.marker("...") {
		if root == nil {
			return p.fatal(p.i, "the document ends before it begins", "leave out the line with ...")
		}
		p.i += 3
		if p.blanks(); !p.lineDone() {
			p.fatal(p.i, "nothing can follow ... on its line", "")
			return root
		}
		if p.next() >= 0 {
			p.fatal(p.i, "text after the document's end (...)", "leave out the line with ...")
			return root
		}
	}
	if p.marker("---") {
		p.fatal(p.i, "a second document begins here; only one is read", "leave out the line with ---, or use two files")
	}
	return root
}

func (p *parser) at(c byte) bool { return p.i < len(p.src) && p.src[p.i] == c }

// blankAt says whether a blank, a line's end or the end stands at i.
func (p *parser) blankAt(i int) bool {
	if i >= len(p.src) {
		return true
	}
	switch p.src[i] {
	case ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// eolAt says whether a line ends at i.
func (p *parser) eolAt(i int) bool { return i >= len(p.src) || p.src[i] == '\n' || p.src[i] == '\r' }

// commentAt says whether a comment begins at i.
func (p *parser) commentAt(i int) bool {
	return i < len(p.src) && p.src[i] == '#' && (i == 0 || p.blankAt(i-1))
}

// lineDone says whether nothing but a comment is left of the line.
func (p *parser) lineDone() bool { return p.eolAt(p.i) || p.commentAt(p.i) }

// dash says whether a list's item begins here.
func (p *parser) dash() bool { return p.at('-') && p.blankAt(p.i+1) }

// marker says whether the line is a document's begin or end. Such lines begin in the first column.
func (p *parser) marker(m string) bool { return p.i == p.line && p.markerAt(p.i, m) }

func (p *parser) markerAt(i int, m string) bool {
	return i+3 <= len(p.src) && string(p.src[i:i+3]) == m && p.blankAt(i+3)
}

func (p *parser) anyMarkerAt(i int) bool { return p.markerAt(i, "---") || p.markerAt(i, "...") }

func (p *parser) blanks() {
	for p.i < len(p.src) && (p.src[p.i] == ' ' || p.src[p.i] == '\t') {
		p.i++
	}
}

// eol gives the offset of the end of the line that i is on.
func (p *parser) eol(i int) int {
	if i >= len(p.src) {
		return len(p.src)
	}
	if n := bytes.IndexByte(p.src[i:], '\n'); n >= 0 {
		if i += n; i > 0 && p.src[i-1] == '\r' {
			i--
		}
		return i
	}
	return len(p.src)
}

// newline steps over the line end at i.
func (p *parser) newline() {
	if p.at('\r') {
		p.i++
	}
	p.i++
	p.line = p.i
}

// next goes to the next content, past blanks, comments and line ends, and gives its column, or -1 at the document's end.
func (p *parser) next() int {
	for !p.stopped && p.i < len(p.src) {
		p.blanks()
		switch {
		case p.i == len(p.src):
		case p.eolAt(p.i):
			p.newline()
		case p.commentAt(p.i):
			p.i = p.eol(p.i)
		case p.i == p.line && p.anyMarkerAt(p.i):
			return -1
		default:
			if tab := bytes.IndexByte(p.src[p.line:p.i], '\t'); tab >= 0 && blank(p.src[p.line:p.i]) {
				p.tab(p.line + tab)
				return -1
			}
			return p.i - p.line
		}
	}
	return -1
}

func (p *parser) tab(offset int) *Node {
	return p.fatal(offset, "a tab in the indentation", "YAML is indented with spaces only; the lines below were not looked at")
}

func blank(b []byte) bool { return len(bytes.TrimLeft(b, " \t")) == 0 }

// skip goes from an entry that could not be read, which began at start on the line at line, to the next line that is indented
// by no more than col.
func (p *parser) skip(start, line, col int) {
	if p.stopped {
		return
	}
	p.line = line
	for p.i = p.eol(start); ; p.i = p.eol(p.i) {
		if c := p.next(); c <= col {
			return
		}
	}
}

// quoted is a key for a message.
func quoted(s string) string {
	if r := []rune(s[:min(len(s), 200)]); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return strconv.Quote(s)
}
