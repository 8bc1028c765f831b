package yaml

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scalar reads a quoted or plain text, in a block or inside of brackets. Its further lines must be indented by more than
// parent.
func (p *parser) scalar(parent int, flow bool) *Node {
	switch c := p.src[p.i]; {
	case c == '"' || c == '\'':
		return p.quotedScalar(parent, c)
	case c == '&':
		return p.fault(p.i, "anchors (&name) are not supported", "write the value out where it is needed; quote a text that begins with &")
	case c == '*':
		return p.fault(p.i, "a text that begins with * must be quoted", `write "`+p.rest(flow)+`"; in YAML, *name would stand for an anchor, and those are not supported`)
	case c == '!':
		return p.fault(p.i, "tags (!name) are not supported", "leave it out; quote a text that begins with !")
	case c == '%' || c == '@' || c == '`':
		return p.fault(p.i, "a text that begins with "+string(c)+" must be quoted", `write "`+p.rest(flow)+`"`)
	case c == ',' || c == ']' || c == '}':
		return p.fault(p.i, "a value is expected here, not "+string(c), "quote a text that begins with it")
	case c == '?' && (p.blankAt(p.i+1) || flow):
		return p.fault(p.i, "complex keys (? key) are not supported", "write key: value; quote a text that begins with a question mark")
	case c == ':' && (p.blankAt(p.i+1) || flow && p.flowEndAt(p.i+1)):
		return p.fault(p.i, "a colon without a key before it", "quote a text that begins with a colon")
	case c == '-' && (p.blankAt(p.i+1) || flow && p.flowEndAt(p.i+1)):
		return p.fault(p.i, "a dash with nothing to list", `quote a text that is a dash: "-"`)
	case c == '#':
		return p.fault(p.i, "a text that begins with # must be quoted", `write "`+p.rest(flow)+`"`)
	}
	return p.plain(parent, flow)
}

// rest is what is left of the text on this line, for a hint.
func (p *parser) rest(flow bool) string {
	s, _, _ := strings.Cut(string(p.src[p.i:p.eol(p.i)]), " #")
	if i := strings.IndexAny(s, ",[]{}"); flow && i >= 0 {
		s = s[:i]
	}
	s = strings.TrimRight(s, " \t")
	if utf8.RuneCountInString(s) > 40 || strings.ContainsAny(s, `"\`) {
		return "…"
	}
	return s
}

// plain reads a text without quotes. Line ends between its lines become spaces, empty lines line feeds.
func (p *parser) plain(parent int, flow bool) *Node {
	n := p.node(Scalar, p.i)
	n.addRun(0, p.i)
	var b []byte
	for {
		from := p.i
		comment := p.plainLine(flow)
		if p.at(':') && !flow {
			return p.secondColon(n)
		}
		if p.at(':') && !p.blankAt(p.i+1) {
			return p.fault(p.i, "a space is missing after this colon", "quote a text that has it in it")
		}
		to := p.i
		for to > from && p.blankAt(to-1) {
			to--
		}
		n.End = to
		if b == nil {
			b = p.src[from:to:to]
		} else {
			b = append(b, p.src[from:to]...)
		}
		if comment || !p.eolAt(p.i) {
			break
		}
		i, line, breaks, ok := p.continues(parent)
		if !ok || flow && (strings.IndexByte(",[]{}", p.src[i]) >= 0 || p.src[i] == ':' && p.flowEndAt(i+1)) {
			break
		}
		p.i, p.line = i, line
		b = appendBreaks(b, breaks)
		if !flow && p.isKey() && !p.dash() {
			return p.secondColon(n)
		}
		n.addRun(len(b), i)
	}
	n.Value = string(b)
	return n
}

// plainLine goes to the end of a plain text's part on this line and says whether a comment ended it.
func (p *parser) plainLine(flow bool) bool {
	for ; p.i < len(p.src); p.i++ {
		switch c := p.src[p.i]; c {
		case '\n', '\r':
			return false
		case '#':
			if p.commentAt(p.i) {
				return true
			}
		case ':':
			if p.blankAt(p.i+1) || flow && p.flowEndAt(p.i+1) {
				return false
			}
		case ',', '[', ']', '{', '}':
			if flow {
				return false
			}
		}
	}
	return false
}

// secondColon notes a key and a colon inside of the text n.
func (p *parser) secondColon(n *Node) *Node {
	if p.line > n.Start {
		i := p.line
		for p.src[i] == ' ' || p.src[i] == '\t' {
			i++
		}
		return p.fault(i, "this looks like a key, but is indented as if the text above went on", "give it the indentation of the key that it belongs beside, or quote the text")
	}
	return p.fault(p.i, "a colon and a space inside of a text without quotes", "quote the text; or write the mapping on the lines below, or in braces")
}

// continues looks for the line on which a text over several lines goes on: past empty lines, indented by more than parent,
// and neither a comment nor a document's marker.
func (p *parser) continues(parent int) (i, line, breaks int, ok bool) {
	for i = p.i; i < len(p.src); {
		if p.src[i] == '\r' {
			i++
		}
		i++
		line, breaks = i, breaks+1
		for i < len(p.src) && p.src[i] == ' ' {
			i++
		}
		spaces := i - line
		for i < len(p.src) && (p.src[i] == ' ' || p.src[i] == '\t') {
			i++
		}
		if i < len(p.src) && p.eolAt(i) {
			continue
		}
		if i == len(p.src) || spaces <= parent || p.src[i] == '#' || spaces == 0 && p.anyMarkerAt(i) {
			return 0, 0, 0, false
		}
		return i, line, breaks, true
	}
	return 0, 0, 0, false
}

// appendBreaks folds line ends: one is a space, each further one a line feed.
func appendBreaks(b []byte, breaks int) []byte {
	if breaks == 1 {
		return append(b, ' ')
	}
	for ; breaks > 1; breaks-- {
		b = append(b, '\n')
	}
	return b
}

// quotedScalar reads a text in quotes, which may go over several lines.
func (p *parser) quotedScalar(parent int, quote byte) *Node {
	n := p.node(Scalar, p.i)
	n.Style = SingleQuoted
	if quote == '"' {
		n.Style = DoubleQuoted
	}
	p.i++
	n.addRun(0, p.i)
	var b []byte
	solid := 0 // what a line's end may not trim: blanks that were written as escapes
	for p.i < len(p.src) {
		switch c := p.src[p.i]; {
		case c == quote && quote == '\'' && p.i+1 < len(p.src) && p.src[p.i+1] == quote:
			b = append(b, quote)
			p.i += 2
			n.addRun(len(b), p.i)
		case c == quote:
			p.i++
			n.End = p.i
			n.Value = string(b)
			return n
		case c == '\\' && quote == '"' && !p.eolAt(p.i+1):
			n.addRun(len(b), p.i)
			var ok bool
			if b, ok = p.escape(b); !ok {
				return nil
			}
			solid = len(b)
			n.addRun(len(b), p.i)
		case p.eolAt(p.i) || c == '\\' && quote == '"':
			joined := c == '\\'
			if joined {
				p.i++
			} else {
				for len(b) > solid && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
					b = b[:len(b)-1]
				}
			}
			i, line, breaks, ok := p.continuesQuoted(parent)
			if !ok {
				return p.unclosedQuote(n)
			}
			p.i, p.line = i, line
			if joined {
				breaks--
				for ; breaks > 0; breaks-- {
					b = append(b, '\n')
				}
			} else {
				b = appendBreaks(b, breaks)
			}
			solid = len(b)
			n.addRun(len(b), i)
		default:
			b = append(b, c)
			p.i++
		}
	}
	return p.unclosedQuote(n)
}

// continuesQuoted is continues for a quoted text, in which # is no comment.
func (p *parser) continuesQuoted(parent int) (i, line, breaks int, ok bool) {
	for i = p.i; i < len(p.src); {
		if p.src[i] == '\r' {
			i++
		}
		i++
		line, breaks = i, breaks+1
		for i < len(p.src) && p.src[i] == ' ' {
			i++
		}
		spaces := i - line
		for i < len(p.src) && (p.src[i] == ' ' || p.src[i] == '\t') {
			i++
		}
		if i < len(p.src) && p.eolAt(i) {
			continue
		}
		return i, line, breaks, i < len(p.src) && spaces > parent && (spaces > 0 || !p.anyMarkerAt(i))
	}
	return 0, 0, 0, false
}

func (p *parser) unclosedQuote(n *Node) *Node {
	return p.fault(n.Start, "this quote is never closed", "end the text with "+string(p.src[n.Start])+"; lines that go on inside of it are indented further than its key")
}

// escape reads what a backslash begins.
func (p *parser) escape(b []byte) ([]byte, bool) {
	c := p.src[p.i+1]
	const letters, values = "0abtnvfre \"/\\\t", "\x00\a\b\t\n\v\f\r\x1b \"/\\\t"
	if i := strings.IndexByte(letters, c); i >= 0 {
		p.i += 2
		return append(b, values[i]), true
	}
	var r rune
	digits := 0
	switch c {
	case 'N':
		r = 0x85
	case '_':
		r = 0xa0
	case 'L':
		r = 0x2028
	case 'P':
		r = 0x2029
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		char, _ := utf8.DecodeRune(p.src[p.i+1:])
		p.fault(p.i, `\`+string(char)+" means nothing in double quotes", `write a backslash as \\, or put the text in single quotes, where it is a letter like any other`)
		return b, false
	}
	end := p.i + 2 + digits
	if digits > 0 {
		v, err := strconv.ParseUint(string(p.src[min(p.i+2, len(p.src)):min(end, len(p.src))]), 16, 32)
		if end > len(p.src) || err != nil || !utf8.ValidRune(rune(v)) || v > utf8.MaxRune {
			p.fault(p.i, `\`+string(c)+" wants "+strconv.Itoa(digits)+" hexadecimal digits of a character", "")
			return b, false
		}
		r = rune(v)
	}
	p.i = end
	return utf8.AppendRune(b, r), true
}

// blockScalar reads a text after | or >.
func (p *parser) blockScalar(parent int) *Node {
	n := p.node(Scalar, p.i)
	n.Style = Literal
	if p.src[p.i] == '>' {
		n.Style = Folded
	}
	var chomp byte
	indent, header := 0, p.i
	for p.i++; !p.blankAt(p.i); p.i++ {
		switch c := p.src[p.i]; {
		case (c == '+' || c == '-') && chomp == 0:
			chomp = c
		case c >= '1' && c <= '9' && indent == 0:
			indent = max(parent, 0) + int(c-'0')
		default:
			return p.fault(header, "a text that begins with "+string(p.src[header])+" must be quoted", "alone, | and > begin a text on the lines below")
		}
	}
	if p.blanks(); !p.lineDone() {
		return p.fault(header, "a text that begins with "+string(p.src[header])+" must be quoted", "alone, | and > begin a text on the lines below")
	}
	p.i = p.eol(p.i)
	n.End = p.i
	t := blockText{folded: n.Style == Folded}
	for p.i < len(p.src) {
		line := p.i + 1
		if p.src[p.i] == '\r' {
			line++
		}
		i := line
		for i < len(p.src) && p.src[i] == ' ' && (indent == 0 || i-line < indent) {
			i++
		}
		end := p.eol(i)
		switch {
		case i == end && i == len(p.src): // no line: the last line feed ended the one before
			t.ended = true
		case i == end: // an empty line
			if indent == 0 {
				t.widest = max(t.widest, i-line)
			}
			t.pending++
		default:
			if i == line && p.anyMarkerAt(i) || indent > 0 && i-line < indent || indent == 0 && i-line <= max(parent, 0) {
				if p.src[i] == '\t' && i-line <= parent {
					p.i, p.line = i, line
					return p.tab(i)
				}
				return t.finish(n, chomp)
			}
			if indent == 0 {
				if indent = i - line; t.widest > indent {
					return p.fault(header, "an empty line before this text has more spaces than the text itself", "take the spaces out of it")
				}
			}
			t.line(p.src[i:end])
			n.addRun(len(t.b)-(end-i), i)
			n.End = end
		}
		p.i, p.line = end, line
	}
	t.ended = t.ended || len(p.src) > 0 && p.src[len(p.src)-1] == '\n'
	t.eof = true
	return t.finish(n, chomp)
}

// blockText puts a block scalar's lines together.
type blockText struct {
	b       []byte
	folded  bool
	pending int  // empty lines since the last one with text
	widest  int  // spaces of the widest empty line before the first with text
	spaced  bool // the last line began with a blank, and is not folded
	began   bool
	ended   bool // the last line had a line feed
	eof     bool
}

func (t *blockText) line(text []byte) {
	spaced := text[0] == ' ' || text[0] == '\t'
	switch {
	case !t.began:
	case t.folded && !spaced && !t.spaced:
		if t.pending == 0 {
			t.b = append(t.b, ' ')
		}
	default:
		t.b = append(t.b, '\n')
	}
	for ; t.pending > 0; t.pending-- {
		t.b = append(t.b, '\n')
	}
	t.b = append(t.b, text...)
	t.began, t.spaced = true, spaced
}

func (t *blockText) finish(n *Node, chomp byte) *Node {
	final := !t.eof || t.ended || t.pending > 0
	if t.began && final && chomp != '-' {
		t.b = append(t.b, '\n')
	}
	if chomp == '+' {
		t.b = append(t.b, bytes.Repeat([]byte{'\n'}, t.pending)...)
	}
	n.Value = string(t.b)
	if len(n.runs) == 0 {
		n.addRun(0, n.Start)
	}
	return n
}

func (p *parser) lineNumber(offset int) string {
	return strconv.Itoa(1 + bytes.Count(p.src[:offset], []byte{'\n'}))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
