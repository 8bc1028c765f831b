package guard

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// node is a node of a tree in which PostgreSQL keeps a parsed statement or expression (pg_node_tree): {TYPE :field value …}. Values are nodes, lists of
// values, or words.
type node struct {
	kind   string
	fields map[string]value
}

type value struct {
	words []string // of the value itself, and of a list without nodes in it
	nodes []*node  // itself, or those in a list, at any depth
}

// oids are the numbers of a field.
func (n *node) oids(field string) (list []uint32) {
	for _, w := range n.fields[field].words {
		if oid, err := strconv.ParseUint(w, 10, 32); err == nil && oid > 0 {
			list = append(list, uint32(oid))
		}
	}
	return list
}

func (n *node) number(field string) int {
	if words := n.fields[field].words; len(words) == 1 {
		i, _ := strconv.Atoi(words[0])
		return i
	}
	return 0
}

// constant is the value of a constant that is an oid. The tree has its bytes as the server keeps them, in the order of its processor.
func (n *node) constant() (oid uint32, ok bool) {
	words := n.fields["constvalue"].words // its length, and 8 bytes in brackets
	if n.kind != "CONST" || len(words) != 11 {
		return 0, false
	}
	var b [8]byte
	for i := range b {
		x, err := strconv.Atoi(words[i+2])
		if err != nil {
			return 0, false
		}
		b[i] = byte(x)
	}
	if oid = binary.LittleEndian.Uint32(b[:]); oid == 0 {
		oid = binary.BigEndian.Uint32(b[4:])
	}
	return oid, true
}

// walk visits a node and all below it.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, v := range n.fields {
		for _, below := range v.nodes {
			below.walk(visit)
		}
	}
}

// parseTree reads a tree. An unknown shape is an error: what can't be read can't be judged.
func parseTree(text string) (*node, error) {
	r := treeReader{text: text}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.next() != "" {
		return nil, errTree
	}
	return &node{kind: "ROOT", fields: map[string]value{"": v}}, nil
}

var errTree = errors.New("the server's tree of a statement is not as expected")

type treeReader struct {
	text   string
	at     int
	peeked string
}

// maxDepth bounds the nesting of a tree.
const maxDepth = 4000

// next returns the next word or bracket; at the end an empty string. A word keeps its backslashes: so it can't be taken for a bracket or a field.
func (r *treeReader) next() string {
	if w := r.peeked; w != "" {
		r.peeked = ""
		return w
	}
	for r.at < len(r.text) && strings.IndexByte(" \n\t", r.text[r.at]) >= 0 {
		r.at++
	}
	from := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '\\':
			r.at = min(r.at+2, len(r.text))
			continue
		case strings.IndexByte(" \n\t", c) >= 0:
			return r.text[from:r.at]
		case strings.IndexByte("(){}", c) >= 0:
			if r.at == from {
				r.at++
			}
			return r.text[from:r.at]
		}
		r.at++
	}
	return r.text[from:r.at]
}

func (r *treeReader) peek() string {
	r.peeked = r.next()
	return r.peeked
}

func (r *treeReader) value(depth int) (v value, err error) {
	if depth > maxDepth {
		return v, errTree
	}
	switch w := r.next(); w {
	case "", ")", "}":
		return v, errTree
	case "{":
		n, err := r.node(depth + 1)
		return value{nodes: []*node{n}}, err
	case "(":
		for {
			switch r.peek() {
			case "":
				return v, errTree
			case ")":
				r.next()
				return v, nil
			}
			below, err := r.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.words, v.nodes = append(v.words, below.words...), append(v.nodes, below.nodes...)
		}
	default:
		return value{words: []string{w}}, nil
	}
}

// node reads a node behind its brace. Behind the first word of a value there may be more: the bytes of a constant.
func (r *treeReader) node(depth int) (*node, error) {
	n := &node{kind: r.next(), fields: map[string]value{}}
	field := ""
	for {
		w := r.peek()
		switch {
		case w == "":
			return nil, errTree
		case w == "}":
			r.next()
			return n, nil
		case strings.HasPrefix(w, ":"):
			r.next()
			field = w[1:]
			v, err := r.value(depth)
			if err != nil {
				return nil, err
			}
			n.fields[field] = v
		case field == "":
			return nil, errTree
		default:
			v, err := r.value(depth)
			if err != nil {
				return nil, err
			}
			all := n.fields[field]
			all.words, all.nodes = append(all.words, v.words...), append(all.nodes, v.nodes...)
			n.fields[field] = all
		}
	}
}
