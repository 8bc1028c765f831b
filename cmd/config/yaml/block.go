package yaml

import (
	"bytes"
	"fmt"
	"strings"
)

// block reads the node that begins here, on a line of its own or after a dash, indented by more than parent.
func (p *parser) block(parent int) *Node {
	switch {
	case p.dash():
		return p.sequence(false)
	case p.isKey():
		return p.mapping()
	}
	return p.inline(parent)
}

// mapping reads the keys that begin in this column, and their values.
func (p *parser) mapping() *Node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	col := p.i - p.line
	m := p.node(Mapping, p.i)
	var seen keys
	for c := col; c >= col; c = p.next() {
		start, line := p.i, p.line
		switch {
		case c > col:
			p.deeper(start, col, m.Content)
		case p.dash():
			p.fault(start, "a list's item among keys", "indent the list by more than the key that it belongs to")
		case p.isKey():
			key := p.key()
			if key == nil {
				break
			}
			value := p.value(col, false)
			if value == nil {
				value = &Node{Broken: true, Start: p.i, End: p.i}
				p.skip(start, line, col)
			}
			if p.addKey(&seen, m, key) {
				m.Content = append(m.Content, key, value)
			}
			m.End = value.End
			continue
		default:
			p.noKey(start)
		}
		m.Broken = true
		p.skip(start, line, col)
	}
	if p.stopped {
		m.Broken = true
	}
	return m
}

// sequence reads the items whose dashes stand in this column. Where it is the value of a key in the same column (indentless),
// the next key ends it.
func (p *parser) sequence(indentless bool) *Node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	col := p.i - p.line
	s := p.node(Sequence, p.i)
	for c := col; c >= col; c = p.next() {
		start, line := p.i, p.line
		switch {
		case c > col:
			p.deeper(start, col, s.Content)
		case p.dash():
			p.i++
			item := p.value(col, true)
			if item == nil {
				item = &Node{Broken: true, Start: start, End: start}
				p.skip(start, line, col)
			}
			s.Content = append(s.Content, item)
			s.End = item.End
			continue
		case indentless:
			return s
		default:
			p.fault(start, "this stands among the items of a list", `begin it with "- ", or indent it as far as the key that it belongs beside`)
		}
		s.Broken = true
		p.skip(start, line, col)
	}
	if p.stopped {
		s.Broken = true
	}
	return s
}

// value reads what stands after a key's colon or a dash, on the line or below it; nothing is null.
func (p *parser) value(parent int, item bool) *Node {
	start := p.i
	p.blanks()
	if p.lineDone() {
		switch c := p.next(); {
		case c > parent:
			return p.block(parent)
		case !item && c == parent && p.dash():
			return p.sequence(true)
		}
		return p.node(Scalar, start)
	}
	if !item {
		if p.dash() {
			return p.fault(p.i, "a list can't begin on the line of its key", "write its items on the lines below, or as [a, b]")
		}
		return p.inline(parent)
	}
	if strings.IndexByte(string(p.src[start:p.i]), '\t') >= 0 && (p.dash() || p.isKey()) {
		return p.tab(start)
	}
	return p.block(parent)
}

// inline reads a scalar, a flow list or a flow mapping in a block, and the rest of its last line, which must be empty.
func (p *parser) inline(parent int) *Node {
	start := p.i
	var n *Node
	closed := "the closing quote"
	switch p.src[p.i] {
	case '|', '>':
		return p.blockScalar(parent)
	case '[', '{':
		closed = "the closing bracket"
		n = p.flow(parent)
	default:
		n = p.scalar(parent, false)
	}
	if n == nil {
		return nil
	}
	if n.Kind == Scalar && n.Style == Plain {
		return n
	}
	if p.blanks(); p.lineDone() {
		return n
	}
	if n.Kind != Scalar {
		if p.at(':') {
			return p.fault(start, "a list or a mapping can't be a key", "")
		}
		return p.fault(p.i, "text after "+closed, "a comment begins with \" #\"; to make all of it one text, quote it")
	}
	hint := "quote the whole text, in '…' where it has double quotes in it"
	if n.Style == SingleQuoted {
		hint = `quote the whole text, in "…" where it has single quotes in it; inside '…' a quote is written twice`
	}
	return p.fault(p.i, "text after "+closed, hint)
}

// isKey says whether a key and its colon stand here.
func (p *parser) isKey() bool {
	i := p.i
	switch c := p.src[i]; c {
	case '[', '{', '|', '>', '&', '*', '!', '%', '@', '`', ',', ']', '}', '#':
		return false
	case '"', '\'':
		for i++; !p.eolAt(i); i++ {
			if c == '"' && p.src[i] == '\\' || c == '\'' && p.src[i] == c && i+1 < len(p.src) && p.src[i+1] == c {
				if i++; p.eolAt(i) {
					return false
				}
			} else if p.src[i] == c {
				break
			}
		}
		if p.eolAt(i) {
			return false
		}
		for i++; !p.eolAt(i) && (p.src[i] == ' ' || p.src[i] == '\t'); i++ {
		}
		return !p.eolAt(i) && p.src[i] == ':' && p.blankAt(i+1)
	case '?', '-':
		if p.blankAt(i + 1) {
			return false
		}
	case ':':
		if p.blankAt(i + 1) {
			return false
		}
	}
	for ; !p.eolAt(i) && !p.commentAt(i); i++ {
		if p.src[i] == ':' && p.blankAt(i+1) {
			return true
		}
	}
	return false
}

// key reads a key and its colon.
func (p *parser) key() *Node {
	var n *Node
	if p.at('"') || p.at('\'') {
		// isKey saw the closing quote on this line.
		if n = p.scalar(-1, true); n == nil {
			return nil
		}
		p.blanks()
	} else {
		n = p.node(Scalar, p.i)
		for p.src[p.i] != ':' || !p.blankAt(p.i+1) {
			p.i++
		}
		n.End = p.i
		for n.End > n.Start && p.blankAt(n.End-1) {
			n.End--
		}
		n.Value = string(p.src[n.Start:n.End])
		n.addRun(0, n.Start)
	}
	if !p.at(':') || p.i-n.Start > maxKey {
		return p.fault(n.Start, "this is too long or too odd for a key", "keys are short texts on one line")
	}
	p.i++
	return n
}

// keys finds a mapping's duplicate keys, without a map for the few keys that most mappings have.
type keys struct{ index map[string]*Node }

// addKey notes a fault where m has the key already, or where it is no key to take.
func (p *parser) addKey(seen *keys, m, key *Node) bool {
	if key.Value == "<<" && key.Style == Plain {
		p.fault(key.Start, "merge keys (<<) are not supported", "write the keys out where they are needed")
		return false
	}
	var first *Node
	if seen.index == nil {
		for i := 0; i < len(m.Content); i += 2 {
			if m.Content[i].Value == key.Value {
				first = m.Content[i]
			}
		}
		if len(m.Content) > 16 {
			seen.index = make(map[string]*Node, len(m.Content))
			for i := 0; i < len(m.Content); i += 2 {
				seen.index[m.Content[i].Value] = m.Content[i]
			}
		}
	} else {
		first = seen.index[key.Value]
	}
	if first != nil {
		p.fault(key.Start, "the key "+quoted(key.Value)+" is here twice", "the first is on line "+p.lineNumber(first.Start))
		return false
	}
	if seen.index != nil {
		seen.index[key.Value] = key
	}
	return true
}

// deeper notes a line that is indented further than the entries that it stands among, but not as far as what is in the last.
func (p *parser) deeper(start, col int, entries []*Node) {
	hint := "indent it by " + plural(col, "space")
	if n := len(entries); n > 0 && entries[n-1].Kind != Scalar {
		last := entries[n-1]
		last.Broken = true // the line may belong to it
		if inner := last.Start - bytes.LastIndexByte(p.src[:last.Start], '\n') - 1; inner > col {
			hint = fmt.Sprintf("indent it by %d or by %s", col, plural(inner, "space"))
		}
	}
	p.fault(start, "the indentation of this line matches nothing above it", hint)
}

// noKey notes a line in a mapping that is none of its keys.
func (p *parser) noKey(start int) {
	text := string(p.src[start:p.eol(start)])
	word, rest, colon := strings.Cut(text, ":")
	switch {
	case text[0] == '?' && p.blankAt(start+1):
		p.fault(start, "complex keys (? key) are not supported", "write key: value")
	case text[0] == ':':
		p.fault(start, "a colon without a key before it", "")
	case strings.IndexByte("&*!%@`|>", text[0]) >= 0:
		if p.inline(-1) != nil {
			p.fault(start, "a key is expected here, followed by a colon", "")
		}
	case text[0] == '"' || text[0] == '\'':
		p.fault(start, "a key is expected here, followed by a colon and a space", "")
	case colon && rest != "" && !strings.ContainsAny(word, " \t\"'"):
		p.fault(start+len(word), "a space is missing after the colon", "write "+word+": "+strings.TrimSpace(rest[:min(len(rest), 40)]))
	default:
		p.fault(start, "a key is expected here, followed by a colon and a space", "text that goes on from the line above must be indented further than its key")
	}
}
