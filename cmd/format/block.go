package format

import (
	"strings"
	"unicode/utf8"
)

// printer reads a text line by line, and makes the lines of the formatted one.
type printer struct {
	src string // with LF as line ends
	at  int    // where the next line begins

	lines   []outLine
	gap     bool // a blank line was before the next one
	openEnd bool // the last line has no line end, because it would be a part of a value

	levels  []level // the open mappings and lists, each inside of the one before it
	pending []comment
	open    bool // the value of the last key or item has not begun
	align   int  // the column of the last comment behind a text in this paragraph, -1 for none

	cur    []byte // the line that is being made
	indent int    // of the innermost value that begins on that line
}

// level is an open mapping or list, with its column before and after.
type level struct {
	list     bool
	old, new int
}

// comment is a comment on a line of its own.
type comment struct {
	text   string
	column int
	gap    bool // a blank line is before it
}

// top is the innermost level. Outside of all levels, it is left of the first column.
func (p *printer) top() level {
	if len(p.levels) == 0 {
		return level{old: -1, new: -2}
	}
	return p.levels[len(p.levels)-1]
}

// enter steps into the mapping or the list at a column. begins reports whether it begins here.
func (p *printer) enter(column int, list bool) (begins bool) {
	p.leave(column)
	top := p.top()
	if top.old == column && top.list && !list { // a list below its key, with the key's column
		p.levels = p.levels[:len(p.levels)-1]
		top = p.top()
	}
	if top.old == column && top.list == list {
		return false
	}
	p.levels = append(p.levels, level{list, column, top.new + 2})
	return true
}

// leave leaves the levels that are further right than a column.
func (p *printer) leave(column int) {
	for len(p.levels) > 0 && p.top().old > column {
		p.levels = p.levels[:len(p.levels)-1]
	}
}

// line reads one line, and those that its value goes on with.
func (p *printer) line() {
	i := p.skip(p.at)
	switch {
	case p.ends(i):
		p.gap, p.align = true, -1
		p.at = i + 1
	case p.src[i] == '#':
		end := p.lineEnd(i)
		c := comment{strings.TrimRight(p.src[i:end], blanks), p.column(i), p.gap}
		p.at, p.gap = end+1, false
		if c.column == p.align {
			p.comments(nil)
			p.add(outLine{comment: c.text, column: c.column, aligned: true})
			return
		}
		p.pending = append(p.pending, c)
	case i == p.at && p.marker(i):
		p.comments(nil)
		p.begin(0)
		p.cur = append(p.cur, p.src[i:i+3]...)
		if i = p.skip(i + 3); p.ends(i) || p.src[i] == '#' {
			p.end(i)
			return
		}
		p.cur = append(p.cur, ' ')
		p.value(i)
	default:
		p.content(i)
	}
}

// marker reports whether the mark of a document's begin or end is at i.
func (p *printer) marker(i int) bool {
	rest := p.src[i:]
	return (strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "...")) && (len(rest) == 3 || strings.IndexByte(blanks, rest[3]) >= 0)
}

// content reads a line that has more than a comment: the marks of items, a key, a value.
func (p *printer) content(i int) {
	before := append([]level(nil), p.levels...)
	column, started := p.column(i), false
	start := func(at int, begins bool) {
		if started {
			p.cur = append(p.cur, ' ')
		} else {
			p.comments(&next{column, at, begins, before})
			p.begin(at)
		}
		started, p.indent, p.open = true, at, false
	}
	for p.mark(i) {
		begins := p.enter(p.column(i), p.src[i] == '-')
		start(p.top().new, begins)
		p.cur = append(p.cur, p.src[i])
		if i = p.skip(i + 1); p.ends(i) || p.src[i] == '#' {
			p.open = true
			p.end(i)
			return
		}
	}
	colon, key := p.key(i)
	if !key {
		p.leave(p.column(i))
		start(p.top().new+2, true)
		p.value(i)
		return
	}
	begins := p.enter(p.column(i), false)
	start(p.top().new, begins)
	p.keyText(i, colon)
	if i = p.skip(colon + 1); p.ends(i) || p.src[i] == '#' {
		p.open = true
		p.end(i)
		return
	}
	p.cur = append(p.cur, ' ')
	p.value(i)
}

// mark reports whether the mark of an item, of a key or of its value is at i: - ? or :
func (p *printer) mark(i int) bool {
	return strings.IndexByte("-?:", p.src[i]) >= 0 && (i+1 == len(p.src) || strings.IndexByte(blanks, p.src[i+1]) >= 0)
}

// keyText writes a key with its anchor, and the colon behind it.
func (p *printer) keyText(i, colon int) {
	text := strings.TrimRight(p.src[i:colon], blanks)
	for text[0] == '&' {
		end := strings.IndexAny(text, blanks)
		if end < 0 {
			break
		}
		p.cur = append(append(p.cur, text[:end]...), ' ')
		text = strings.TrimLeft(text[end:], blanks)
	}
	p.cur = append(p.cur, text...)
	if text[0] == '*' || text[0] == '&' { // a colon may be a part of these names
		p.cur = append(p.cur, ' ')
	}
	p.cur = append(p.cur, ':')
}

// value reads a value of the innermost level that begins at i, up to the end of its last line.
func (p *printer) value(i int) {
	for p.src[i] == '&' || p.src[i] == '!' {
		end := p.word(i, blanks)
		p.cur = append(p.cur, p.src[i:end]...)
		if i = p.skip(end); p.ends(i) || p.src[i] == '#' {
			p.end(i)
			return
		}
		p.cur = append(p.cur, ' ')
	}
	switch p.src[i] {
	case '|', '>':
		p.literal(i)
		return
	case '[', '{':
		i = p.flow(i)
	case '\'', '"':
		old := p.column(i)
		i = p.quoted(i, p.below(old))
	case '*':
		end := p.word(i, blanks)
		p.cur = append(p.cur, p.src[i:end]...)
		i = end
	default:
		i = p.plain(i)
	}
	p.end(i)
}

// below returns where a line goes that continues a value, by its column before. old is the value's column before.
func (p *printer) below(old int) func(column int) int {
	top, at := p.top(), utf8.RuneCount(p.cur)
	return func(column int) int {
		moved := column + top.new - top.old
		if column >= old {
			moved = column + at - old
		}
		return max(moved, top.new+1, 0)
	}
}

// begin begins a line.
func (p *printer) begin(indent int) {
	p.cur = append(p.cur[:0], strings.Repeat(" ", indent)...)
	p.indent = indent
}

// end ends the line that is being made. i is behind its last value, before its comment, if there is one.
func (p *printer) end(i int) {
	after := p.skip(i)
	l := outLine{text: strings.TrimRight(string(p.cur), " ")}
	if !p.ends(after) { // a comment: nothing else can be here
		end := p.lineEnd(after)
		l.comment, l.column = strings.TrimRight(p.src[after:end], blanks), p.column(after)
		l.gap = after - len(strings.TrimRight(p.src[:after], " \t"))
		p.align = l.column
		after = end
	} else if p.gap {
		p.align = -1
	}
	p.add(l)
	p.cur, p.at = p.cur[:0], after+1
}

// next is what follows comments on lines of their own.
type next struct {
	old, new int
	begins   bool    // it begins a mapping or a list
	before   []level // the open levels before it
}

// comments writes the comments that wait; n is nil where the text or the document ends.
func (p *printer) comments(n *next) {
	gap := p.gap
	for _, c := range p.pending {
		p.gap = c.gap
		p.add(outLine{comment: c.text, column: p.indentOf(c.column, n)})
	}
	if len(p.pending) > 0 {
		p.align = -1
	}
	p.pending, p.gap = p.pending[:0], gap
}

// indentOf decides where a comment on a line of its own goes.
func (p *printer) indentOf(column int, n *next) int {
	levels := p.levels
	if n != nil {
		if n.begins || column == n.old {
			return n.new
		}
		levels = n.before
	}
	inside := level{}
	for _, l := range levels {
		if l.old == column {
			return l.new
		}
		if l.old < column {
			inside = l
		}
	}
	column += inside.new - inside.old
	for _, l := range levels {
		if l.new <= column {
			inside = l
		}
	}
	switch { // far from the blocks, it is in a column of its own
	case column-inside.new >= 8:
		return column
	case p.open && len(levels) > 0 && inside == levels[len(levels)-1]:
		return inside.new + 2
	}
	return inside.new
}
