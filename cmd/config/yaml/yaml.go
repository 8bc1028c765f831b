// Package yaml reads a YAML text into a tree whose values know their places in the text.
//
// go.yaml.in/yaml/v4 does the reading. This package adds what a checked configuration needs: byte offsets, also of a place inside a scalar; syntax
// errors in plain words with a hint; and the refusal of constructs that would be ignored or misread: duplicate keys, tags, directives, a second
// document, and keys that are not texts. Anchors, aliases and merge keys are resolved: an alias becomes the node of its anchor, so a fault in the
// value is reported where the value is written.
//
//	root, faults := yaml.Parse(yaml.NewText(src))
//	for i := 0; i < len(root.Content); i += 2 {
//		key, value := root.Content[i], root.Content[i+1]
//	}
package yaml

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"evrun/tasks/fault"
)

// Kind is the kind of a [Node].
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
	// Broken marks a refused value; a fault says why.
	Broken bool
	// Value is a scalar's text without quotes, escapes and indentation; also empty for a missing value.
	Value string
	// Start is the byte offset of the node in its text plus [Text.Base], after its anchor; for a missing value, where it could be.
	Start int
	// Content is a sequence's items, or a mapping's keys and values in turn. Keys are scalars, each present once. Merged keys
	// follow the mapping's own.
	Content []*Node

	text *Text // that it is in
	part *part // nil: it is a node of its own
}

// Null reports whether the node is missing or written as null.
func (n *Node) Null() bool {
	if n.Kind != Scalar || n.IsText() {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// Parse reads a text. The root is nil for one without content and for one with a syntax error. The offsets of the faults are
// offsets in the text, without its Base.
func Parse(text *Text) (root *Node, faults []*fault.Fault) {
	if f := badCharacter(text.Source); f != nil {
		return nil, []*fault.Fault{f}
	}
	if at := directive(text.Source); at >= 0 {
		return nil, []*fault.Fault{text.fault(at, "directives (lines that begin with %) are not supported", "leave the line out")}
	}
	tree, f := load(text)
	if f != nil {
		return nil, []*fault.Fault{f}
	}
	if tree == nil || len(tree.Content) == 0 {
		return nil, nil
	}
	b := builder{Text: text, anchored: map[*yaml.Node]anchored{}}
	root = b.node(tree.Content[0])
	if b.stopped {
		root = nil
	}
	if root != nil && root.Kind == Scalar && root.Style == Plain && root.Value == "" && !root.Broken {
		root = nil
	}
	return root, b.faults
}

// maxDepth is how many levels of lists and mappings a file may have: no more than the data of an event, which could not be published otherwise.
const maxDepth = 500

// load parses a text of one document. It gives the document, nil for an empty text.
func load(text *Text) (document *yaml.Node, f *fault.Fault) {
	limits := &depthLimit{LoaderLimitsPlugin: loaderlimits.New(loaderlimits.DepthValue(maxDepth))}
	defer func() {
		if f != nil && limits.exceeded {
			f.Message, f.Hint = fmt.Sprintf("lists and mappings are nested over %d levels deep here", maxDepth), ""
		}
	}()
	loader, err := yaml.NewLoader(strings.NewReader(text.Source), yaml.WithPlugin(limits))
	if err != nil {
		return nil, &fault.Fault{Message: err.Error(), Err: err}
	}
	document, next := new(yaml.Node), new(yaml.Node)
	switch err = loader.Load(document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, text.syntax(err)
	}
	switch err = loader.Load(next); {
	case errors.Is(err, io.EOF):
		return document, nil
	case err != nil:
		return nil, text.syntax(err)
	}
	at := text.offset(next.Line, next.Column)
	if len(text.Source)-at >= 3 && text.Source[at:at+3] == "---" {
		return nil, text.fault(at, "a second document begins here; only one is read", "leave out the line with ---, or use two files")
	}
	return nil, text.fault(at, "text after the document's end (...)", "leave out the line with ...")
}

// depthLimit is the library's limit of depth. It records whether it was exceeded.
type depthLimit struct {
	yaml.LoaderLimitsPlugin
	exceeded bool
}

func (l *depthLimit) CheckDepth(depth int, at *yaml.DepthContext) error {
	err := l.LoaderLimitsPlugin.CheckDepth(depth, at)
	l.exceeded = err != nil
	return err
}

// badCharacter finds a character that YAML forbids. It refuses U+2028, U+2029 and U+0085 as well: they are plain characters in
// YAML 1.2, but the library reads them as line ends.
func badCharacter(src string) *fault.Fault {
	control := func(i int, format string, r rune) *fault.Fault {
		f := fault.New("a control character (U+%04X)", r).Hinting(format, r)
		f.Offset = i
		return f
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c >= ' ' && c < 0x7f, c == '\t', c == '\n', c == '\r' && i+1 < len(src) && src[i+1] == '\n':
			i++
			continue
		case c == '\r':
			return (&fault.Fault{Offset: i, Message: "a carriage return without a line feed"}).Hinting("save the file with LF or CRLF line ends")
		case c < utf8.RuneSelf:
			return control(i, `in double quotes it can be written as "\x%02x"`, rune(c))
		}
		r, n := utf8.DecodeRuneInString(src[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return (&fault.Fault{Offset: i, Message: fmt.Sprintf("byte 0x%02X is not UTF-8", c)}).Hinting("save the file as UTF-8")
		case r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
			return control(i, `in double quotes it can be written as "\u%04x"`, r)
		}
		i += n
	}
	return nil
}

// builder makes our tree from the library's.
type builder struct {
	*Text
	faults   []*fault.Fault
	room     []Node // for the next nodes: one allocation for many
	anchored map[*yaml.Node]anchored
	// values counts the nodes as if each alias were a copy of its value; aliased counts the copies alone.
	values, aliased int
	stopped         bool // aliased is over the library's limit
}

// anchored is a node with an anchor.
type anchored struct {
	node *Node // nil while it is being built
	size int   // in nodes
}

func (b *builder) refuse(at int, msg, hint string) {
	b.faults = append(b.faults, b.fault(at, msg, hint))
}

func (b *builder) node(n *yaml.Node) *Node {
	if n.Kind == yaml.AliasNode {
		return b.alias(n)
	}
	if len(b.room) == 0 {
		b.room = make([]Node, 128)
	}
	made := &b.room[0]
	b.room = b.room[1:]
	made.Start, made.text = b.Base+b.offset(n.Line, n.Column), b.Text
	before := b.values
	b.values++
	if n.Anchor != "" {
		b.anchored[n] = anchored{}
	}
	leftOut := n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == "" && n.Tag == "!!null" && n.Anchor == ""
	if !leftOut {
		value, tag := b.properties(made.start())
		if made.Start = b.Base + value; tag >= 0 {
			b.refuse(tag, "tags (!name) are not supported", "leave it out; quote a text that begins with !")
			made.Broken = true
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		made.Kind = Mapping
		b.mapping(made, n)
	case yaml.SequenceNode:
		made.Kind = Sequence
		made.Content = make([]*Node, len(n.Content))
		for i, item := range n.Content {
			made.Content[i] = b.node(item)
		}
	default:
		made.Value, made.Style = n.Value, styleOf(n.Style)
	}
	if n.Anchor != "" {
		b.anchored[n] = anchored{made, b.values - before}
	}
	return made
}

func styleOf(s yaml.Style) Style {
	switch {
	case s&yaml.SingleQuotedStyle != 0:
		return SingleQuoted
	case s&yaml.DoubleQuotedStyle != 0:
		return DoubleQuoted
	case s&yaml.LiteralStyle != 0:
		return Literal
	case s&yaml.FoldedStyle != 0:
		return Folded
	}
	return Plain
}

var limits = loaderlimits.New()

// alias gives the node of the anchor.
func (b *builder) alias(n *yaml.Node) *Node {
	at := b.offset(n.Line, n.Column)
	target := b.anchored[n.Alias]
	if target.node == nil {
		b.refuse(at, "the alias *"+n.Value+" stands inside the value that it stands for", "a value can't contain itself")
		return &Node{Broken: true, Start: b.Base + at, text: b.Text}
	}
	b.values += target.size
	b.aliased += target.size
	if err := limits.CheckAlias(b.aliased, b.values); err != nil && !b.stopped {
		b.stopped = true
		b.refuse(at, fmt.Sprintf("too many aliases: with this one they stand for %d of the file's %d values", b.aliased, b.values), "write fewer aliases of aliases")
	}
	if b.stopped { // so that the sizes stop growing
		return &Node{Broken: true, Start: b.Base + at, text: b.Text}
	}
	return target.node
}

// mapping reads the keys and values of n into made: first its own, then the merged ones that it doesn't have.
func (b *builder) mapping(made *Node, n *yaml.Node) {
	made.Content = make([]*Node, 0, len(n.Content))
	seen := make(map[string]*Node, len(n.Content)/2)
	var merge, mergeKey *Node
	for i := 0; i < len(n.Content); i += 2 {
		key, value := b.node(n.Content[i]), b.node(n.Content[i+1])
		switch first := seen[key.Value]; {
		case key.Broken:
			made.Broken = true
		case key.Kind != Scalar:
			b.refuse(key.start(), "a list or a mapping can't be a key", "")
			made.Broken = true
		case first != nil:
			b.refuse(key.start(), "the key "+fault.Quote(key.Value)+" is here twice", fmt.Sprintf("the first is on line %d", b.Line(first.start())+1))
		case key.Style == Plain && key.Value == "":
			b.refuse(key.start(), "a colon without a key before it", "quote a text that begins with a colon")
			made.Broken = true
		case key.Style == Plain && oddity(key.Value) != nil:
			odd := oddity(key.Value)
			b.refuse(key.Source(odd.Offset)-b.Base, odd.Message, odd.Hint)
			made.Broken = true
		case b.noColon(key, value):
			hint := "write {key: value}"
			if at := made.start(); at > 0 && b.Source[at-1] == '{' {
				hint = fmt.Sprintf(`evrun's expressions are ${ … }: write "${ %s }"`, fault.Clip(key.Value, 60))
			}
			if name, rest, ok := cutColon(key.Value); ok && key.Style == Plain {
				hint = "write a space after the colon: " + name + ": " + fault.Clip(rest, 60)
			}
			b.refuse(key.start(), "the key "+fault.Quote(key.Value)+" has no value", hint)
			made.Broken = true
		default:
			if seen[key.Value] = key; key.Value == "<<" && key.Style == Plain {
				mergeKey, merge = key, value
				continue
			}
			made.Content = append(made.Content, key, value)
		}
	}
	if merge != nil {
		b.merge(made, mergeKey, merge, seen)
	}
}

// merge adds the keys of a merge key's value that are not in seen. The first of several mappings wins.
func (b *builder) merge(made, key, value *Node, seen map[string]*Node) {
	from := []*Node{value}
	if value.Kind == Sequence {
		from = value.Content
	}
	for _, m := range from {
		if m.Kind != Mapping || m.Broken {
			if !m.Broken {
				b.refuse(key.start(), "a merge key (<<) takes a mapping, or a list of mappings", "write <<: *name, where &name stands before the mapping")
			}
			made.Broken = true
			continue
		}
		for i := 0; i < len(m.Content); i += 2 {
			if name := m.Content[i]; seen[name.Value] == nil {
				seen[name.Value] = name
				made.Content = append(made.Content, name, m.Content[i+1])
			}
		}
	}
}
