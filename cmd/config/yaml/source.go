package yaml

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"evrun/tasks/fault"
)

// Text is a source with the places of its lines. It must not be used by two goroutines at a time.
type Text struct {
	Source string
	// Base is added to the offsets of the text's nodes, so that one offset can name a text and a place in it, as in go/token. It is set before the
	// text is parsed.
	Base  int
	lines []int // where each begins

	// The place of the last call of offset. The next place is usually after it on the same line.
	lastLine, lastColumn, lastOffset int
}

// NewText makes a Text of a source.
func NewText(src string) *Text {
	t := &Text{Source: src, lines: make([]int, 1, 2+strings.Count(src, "\n"))}
	for i := range len(src) {
		if src[i] == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// offset gives the byte offset of a line and a column in characters, both from 1.
func (t *Text) offset(line, column int) int {
	if line < 1 || line > len(t.lines) {
		return len(t.Source)
	}
	at, col := t.lines[line-1], 1
	if line == t.lastLine && column >= t.lastColumn {
		at, col = t.lastOffset, t.lastColumn
	}
	for ; col < column && at < len(t.Source); col++ {
		_, size := utf8.DecodeRuneInString(t.Source[at:])
		at += size
	}
	t.lastLine, t.lastColumn, t.lastOffset = line, column, at
	return at
}

// Line gives the index of the line that an offset is on.
func (t *Text) Line(offset int) int { return sort.SearchInts(t.lines, offset+1) - 1 }

// LineText gives a line by its index, without its end, and the offset where it begins.
func (t *Text) LineText(line int) (text string, start int) {
	start, end := t.lines[line], len(t.Source)
	if line+1 < len(t.lines) {
		end = t.lines[line+1]
	}
	return strings.TrimRight(t.Source[start:end], "\r\n"), start
}

func (t *Text) fault(at int, msg, hint string) *fault.Fault {
	return &fault.Fault{Offset: at, Message: msg, Hint: hint}
}

// directive gives the offset of a directive before the document, -1 for none.
func directive(src string) int {
	for at := 0; at < len(src); {
		end := strings.IndexByte(src[at:], '\n') + 1
		if end == 0 {
			end = len(src) - at
		}
		switch line := strings.TrimSpace(src[at : at+end]); {
		case strings.HasPrefix(src[at:], "%"):
			return at
		case line != "" && line[0] != '#':
			return -1
		}
		at += end
	}
	return -1
}

// properties steps over an anchor and a tag, up to the value itself. It gives the offsets of the value and of the tag, -1 for no
// tag.
func (t *Text) properties(at int) (value, tag int) {
	tag = -1
	for at < len(t.Source) && (t.Source[at] == '&' || t.Source[at] == '!') {
		if t.Source[at] == '!' {
			tag = at
		}
		end := at
		for end < len(t.Source) && !strings.ContainsRune(" \t\r\n,[]{}", rune(t.Source[end])) {
			end++
		}
		next := t.space(end)
		if next == len(t.Source) || next == end { // the value is missing
			return end, tag
		}
		at = next
	}
	return at, tag
}

// space steps over blanks, line ends and comments.
func (t *Text) space(at int) int {
	for at < len(t.Source) {
		switch t.Source[at] {
		case ' ', '\t', '\r', '\n':
			at++
		case '#':
			text, start := t.LineText(t.Line(at))
			at = start + len(text)
		default:
			return at
		}
	}
	return at
}

// noColon reports whether a key in braces has neither a colon nor a value.
func (t *Text) noColon(key, value *Node) bool {
	if value.Kind != Scalar || value.Style != Plain || value.Value != "" || value.Broken {
		return false
	}
	at := t.space(key.end())
	return at < len(t.Source) && (t.Source[at] == ',' || t.Source[at] == '}')
}

// cutColon cuts a text at the first colon that is not its first byte.
func cutColon(s string) (before, after string, ok bool) {
	if i := strings.IndexByte(s, ':'); i > 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// start is Start as an offset in the text.
func (n *Node) start() int { return n.Start - n.text.Base }

// Source gives the place, counted as Start, of the byte at an offset in the Value of a scalar.
//
// Folding, indentation and line ends change only blanks. All other bytes have the same order in the source, so it counts them.
func (n *Node) Source(offset int) int {
	if n.Kind != Scalar {
		return n.Start
	}
	if n.part != nil {
		return n.part.source(offset)
	}
	return n.text.Base + min(n.place(offset), max(n.start(), n.end()-1))
}

func (n *Node) place(offset int) int {
	offset = max(0, min(offset, len(n.Value)))
	before := strings.TrimRight(n.Value[:offset], blanks)
	src, at := n.text.Source, n.body()
	for want := solid(before); want > 0; {
		next, got := n.step(at)
		if got > want || next == at { // in the middle of an escape
			return at
		}
		at, want = next, want-got
	}
	if offset < len(n.Value) && solid(n.Value[offset:offset+1]) == 1 {
		for {
			next, got := n.step(at)
			if got > 0 || next == at {
				return at
			}
			at = next
		}
	}
	for i := len(before); i < offset && at < len(src) && src[at] == n.Value[i] && src[at] != '\n'; i++ {
		at++
	}
	return at
}

// End gives the place, counted as Start, behind the last byte of a scalar, and behind the first of a list or a mapping.
func (n *Node) End() int { return n.text.Base + n.end() }

// HeadEnd gives the place, counted as Start, behind the first key of a mapping that begins with it, and otherwise behind the first byte.
func (n *Node) HeadEnd() int {
	if len(n.Content) > 0 && n.Content[0].Start == n.Start {
		return n.Content[0].End()
	}
	return n.Start + 1
}

func (n *Node) end() int {
	if n.Kind != Scalar {
		return n.start() + 1
	}
	if n.part != nil {
		return n.part.of.Source(n.part.end-1) + 1 - n.text.Base
	}
	src := n.text.Source
	at := n.place(len(strings.TrimRight(n.Value, blanks)))
	for n.Style == SingleQuoted || n.Style == DoubleQuoted {
		if at >= len(src) || src[at] == src[n.start()] {
			return min(at+1, len(src))
		}
		at, _ = n.step(at)
	}
	return max(n.start(), at)
}

// Comment returns the comment that stands behind a scalar on its last line, with its #, and where it begins; empty for none.
func (n *Node) Comment() (at int, comment string) {
	src := n.text.Source
	at = n.end()
	for at < len(src) && (src[at] == ' ' || src[at] == '\t') {
		at++
	}
	if at >= len(src) || src[at] != '#' || at > 0 && strings.IndexByte(blanks, src[at-1]) < 0 {
		return 0, ""
	}
	line, _, _ := strings.Cut(src[at:], "\n")
	return n.text.Base + at, strings.TrimRight(line, blanks)
}

const blanks = " \t\r\n"

// solid counts the bytes that are not blanks.
func solid(s string) int {
	count := 0
	for i := range len(s) {
		if strings.IndexByte(blanks, s[i]) < 0 {
			count++
		}
	}
	return count
}

// body gives where the text of a scalar begins.
func (n *Node) body() int {
	src, start := n.text.Source, n.start()
	switch n.Style {
	case SingleQuoted, DoubleQuoted:
		return start + 1
	case Literal, Folded:
		if end := strings.IndexByte(src[start:], '\n'); end >= 0 {
			return start + end + 1
		}
		return len(src)
	}
	return start
}

// step steps over the source of one character of a scalar, and returns the number of the character's bytes that are not blanks.
func (n *Node) step(at int) (next, bytes int) {
	src := n.text.Source
	switch {
	case at >= len(src):
		return at, 0
	case n.Style == SingleQuoted && src[at] == '\'' && at+1 < len(src) && src[at+1] == '\'':
		return at + 2, 1
	case n.Style == DoubleQuoted && src[at] == '\\' && at+1 < len(src):
		return escape(src, at)
	}
	return at + 1, solid(src[at : at+1])
}

// escape is step for the escapes of double quotes.
func escape(src string, at int) (next, bytes int) {
	digits := 0
	switch src[at+1] {
	case 'n', 't', 'r', ' ', '\t', '\n', '\r':
		return at + 2, 0
	case 'N', '_': // U+0085, U+00A0
		return at + 2, 2
	case 'L', 'P': // U+2028, U+2029
		return at + 2, 3
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return at + 2, 1
	}
	next = min(at+2+digits, len(src))
	r, _ := strconv.ParseUint(src[at+2:next], 16, 32)
	return next, solid(string(rune(r)))
}
