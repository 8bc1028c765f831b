package yaml

// flow reads a list in brackets or a mapping in braces. Its lines must be indented by more than parent, save one that begins
// with the closing bracket: so a bracket that was forgotten is found where it was opened, and not at the file's end.
func (p *parser) flow(parent int) *Node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	open, end := p.i, byte(']')
	n := p.node(Sequence, open)
	if p.src[open] == '{' {
		n.Kind, end = Mapping, '}'
	}
	var seen keys
	p.i++
	for p.flowSpace(parent, open) {
		switch c := p.src[p.i]; {
		case c == end:
			p.i++
			n.End = p.i
			return n
		case c == ']' || c == '}':
			return p.mismatch(open, end)
		case c == ',':
			return p.fault(p.i, "a comma with nothing before it", "")
		case n.Kind == Mapping:
			if !p.pair(parent, open, n, &seen) {
				return nil
			}
		default:
			item := p.flowNode(parent)
			if item == nil {
				return nil
			}
			n.Content = append(n.Content, item)
		}
		if !p.flowSpace(parent, open) {
			return nil
		}
		switch c := p.src[p.i]; {
		case c == ',':
			p.i++
		case c == end:
		case c == ']' || c == '}':
			return p.mismatch(open, end)
		case c == ':':
			return p.fault(p.i, "a colon among the items of a list", "write a mapping in braces, {key: value}; quote a text that has a colon in it")
		case (c == '{' || c == '[') && p.src[p.i-1] == '$':
			return p.fault(p.i-1, "a text with ${ … } must be quoted inside of [ ] and { }", `write "${ … }"`)
		default:
			return p.fault(p.i, "a comma or "+string(end)+" is expected here", "")
		}
	}
	return nil
}

// pair reads a key and its value in braces.
func (p *parser) pair(parent, open int, m *Node, seen *keys) bool {
	line := p.line
	key := p.flowNode(parent)
	if key == nil {
		return false
	}
	if key.Kind != Scalar {
		p.fault(key.Start, "a list or a mapping can't be a key", "")
		return false
	}
	p.blanks()
	if !p.at(':') || key.Style == Plain && !p.flowEndAt(p.i+1) {
		hint := "write {key: value}"
		if key.Style == Plain {
			for i := 1; i < len(key.Value); i++ {
				if key.Value[i] == ':' {
					hint = "write a space after the colon: " + key.Value[:i] + ": " + key.Value[i+1:]
					break
				}
			}
		}
		p.fault(key.Start, "the key "+quoted(key.Value)+" has no value", hint)
		return false
	}
	if p.line != line || p.i-key.Start > maxKey {
		p.fault(key.Start, "this is too long or too odd for a key", "keys are short texts on one line")
		return false
	}
	p.i++
	value := p.node(Scalar, p.i)
	if !p.flowSpace(parent, open) {
		return false
	}
	if c := p.src[p.i]; c != ',' && c != '}' && c != ']' {
		if value = p.flowNode(parent); value == nil {
			return false
		}
	}
	if p.addKey(seen, m, key) {
		m.Content = append(m.Content, key, value)
	}
	return true
}

func (p *parser) flowNode(parent int) *Node {
	switch p.src[p.i] {
	case '[', '{':
		return p.flow(parent)
	case '|', '>':
		return p.fault(p.i, "texts over several lines (| and >) can't stand inside of [ ] and { }", "quote the text")
	}
	return p.scalar(parent, true)
}

// flowSpace goes to the next content inside of the bracket at open.
func (p *parser) flowSpace(parent, open int) bool {
	for p.i < len(p.src) {
		p.blanks()
		switch {
		case p.i == len(p.src):
		case p.eolAt(p.i):
			p.newline()
			continue
		case p.commentAt(p.i):
			p.i = p.eol(p.i)
			continue
		case p.line > open && !p.indented(parent) && p.src[p.i] != ']' && p.src[p.i] != '}':
			p.unclosed(open)
			return false
		case p.line > open && p.i == p.line && p.anyMarkerAt(p.i):
			p.unclosed(open)
			return false
		default:
			return true
		}
	}
	p.unclosed(open)
	return false
}

// indented says whether the line begins with over parent spaces.
func (p *parser) indented(parent int) bool {
	for i := p.line; i <= p.line+parent; i++ {
		if i >= len(p.src) || p.src[i] != ' ' {
			return false
		}
	}
	return true
}

func (p *parser) unclosed(open int) *Node {
	closing := "]"
	if p.src[open] == '{' {
		closing = "}"
	}
	return p.fault(open, "this "+string(p.src[open])+" is never closed", "end it with "+closing+"; lines that go on inside of it are indented further than its key")
}

func (p *parser) mismatch(open int, end byte) *Node {
	return p.fault(p.i, "this closes a bracket that is not the one open here", "the "+string(p.src[open])+" on line "+p.lineNumber(open)+" wants a "+string(end))
}

// flowEndAt says whether a plain text inside of brackets ends at i when a colon stands before it.
func (p *parser) flowEndAt(i int) bool {
	if p.blankAt(i) {
		return true
	}
	switch p.src[i] {
	case ',', '[', ']', '{', '}':
		return true
	}
	return false
}
