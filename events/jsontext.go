package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many levels of arrays and objects the data of an event may have.
const MaxDepth = 500

// scanner checks JSON text (RFC 8259) without decoding it. Its methods move pos past the text that they read. If they return false, pos is where the
// error is and msg says what is wrong. It does not check UTF-8.
type scanner struct {
	in  []byte
	pos int
	msg string

	// Of the last string:
	plain   bool // it is ASCII without escapes
	escaped bool // it has escapes

	// The index of the object that is read at depth 1, if wanted; base is where its text begins.
	index *index
	base  int
}

func (s *scanner) fail(msg string) bool {
	if s.pos >= len(s.in) {
		s.pos, msg = len(s.in), "ends in the middle"
	}
	s.msg = msg
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.in) {
		switch s.in[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// next skips white space and returns the next byte, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.pos < len(s.in) {
		return s.in[s.pos]
	}
	return 0
}

var tooDeep = fmt.Sprintf("is nested too deeply: data may have %d levels", MaxDepth)

// whole reads one value and nothing more.
func (s *scanner) whole() bool {
	if s.next(); !s.value(1) {
		return false
	}
	if s.space(); s.pos < len(s.in) {
		return s.fail("something follows the value")
	}
	return true
}

// Elements splits a JSON array, such as a batch of events, without decoding its elements. The elements, at most max of them, are slices of text. They
// may contain invalid UTF-8.
func Elements(text []byte, max int) ([]json.RawMessage, error) {
	s := scanner{in: text}
	fault := func() error { return fmt.Errorf("%s (%s)", s.msg, s.place()) }
	if s.next() != '[' {
		s.fail("must be an array: […]")
		return nil, fault()
	}
	s.pos++
	var elements []json.RawMessage
	if s.next() == ']' {
		s.pos++
	} else {
		for more := true; more; {
			s.space()
			start := s.pos
			if !s.value(0) { // an event is one level around its data
				return nil, fault()
			}
			if len(elements) == max {
				return nil, fmt.Errorf("has more than %d elements", max)
			}
			elements = append(elements, text[start:s.pos])
			var ok bool
			if more, ok = s.more(']'); !ok {
				return nil, fault()
			}
		}
	}
	if s.space(); s.pos < len(text) {
		s.fail("something follows the array")
		return nil, fault()
	}
	return elements, nil
}

// value reads the value that begins at pos. depth is the nesting depth of an array or an object there.
func (s *scanner) value(depth int) bool {
	if s.pos >= len(s.in) {
		return s.fail("")
	}
	switch c := s.in[s.pos]; c {
	case '{', '[':
		if depth > MaxDepth {
			return s.fail(tooDeep)
		}
		return s.members(c+2, depth+1) // in ASCII the closing bracket is the opening one plus two
	case '"':
		return s.text()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// members reads an array or an object, from its opening bracket.
func (s *scanner) members(closing byte, depth int) bool {
	s.pos++
	if s.next() == closing {
		s.pos++
		return true
	}
	if closing == '}' && depth == 2 && s.index != nil {
		return s.indexed(depth)
	}
	for {
		if closing == '}' {
			if _, ok := s.key(); !ok {
				return false
			}
		}
		if s.next(); !s.value(depth) {
			return false
		}
		if more, ok := s.more(closing); !more {
			return ok
		}
		s.space()
	}
}

// indexed is members of an object for the index, from its first key.
func (s *scanner) indexed(depth int) bool {
	x := s.index
	escaped := false
	for {
		s.space()
		at := s.pos - s.base
		name, ok := s.key()
		if !ok {
			return false
		}
		escaped = escaped || s.escaped // the index has the text of keys
		s.space()
		value := s.pos - s.base
		if !s.value(depth) {
			return false
		}
		x.add(at+1, at+len(name)-1, value, s.pos-s.base)
		if more, ok := s.more('}'); !more {
			x.complete = ok && !escaped && x.n <= len(x.members) && s.pos-s.base <= maxShared
			return ok
		}
	}
}

// more reads what follows a member: a comma before another one, or the closing bracket.
func (s *scanner) more(closing byte) (more, ok bool) {
	switch s.next() {
	case ',':
		s.pos++
		return true, true
	case closing:
		s.pos++
		return false, true
	}
	return false, s.fail("a comma or a closing bracket is missing")
}

// fault says what is wrong with the text.
func (s *scanner) fault() string {
	if s.msg == tooDeep { // the part up to here may be valid
		return fmt.Sprintf("%s (%s)", s.msg, s.place())
	}
	return fmt.Sprintf("is not valid JSON: %s (%s)", s.msg, s.place())
}

// place says where the scanner stopped: the byte, and of a text with several lines the line.
func (s *scanner) place() string {
	if line := 1 + bytes.Count(s.in[:s.pos], []byte("\n")); line > 1 {
		return fmt.Sprintf("at line %d, byte %d", line, s.pos)
	}
	return fmt.Sprintf("at byte %d", s.pos)
}

// key reads a member's name and the colon after it. The result includes the quotes.
func (s *scanner) key() (name []byte, ok bool) {
	if s.next() != '"' {
		return nil, s.fail("a key in double quotes is missing")
	}
	start := s.pos
	if !s.text() {
		return nil, false
	}
	name = s.in[start:s.pos]
	if s.next() != ':' {
		return nil, s.fail("a colon is missing")
	}
	s.pos++
	return name, true
}

// text reads a string, from its opening quote.
func (s *scanner) text() bool {
	s.pos++
	s.escaped = false
	all := byte(0) // the OR of all bytes
	for {
		i := s.pos // a local is faster than the field, and most bytes pass here
		for i < len(s.in) && s.in[i] != '"' && s.in[i] != '\\' && s.in[i] >= ' ' {
			all |= s.in[i]
			i++
		}
		s.pos = i
		switch {
		case i == len(s.in):
			return s.fail("")
		case s.in[i] == '"':
			s.pos++
			s.plain = all < utf8.RuneSelf && !s.escaped
			return true
		case s.in[i] != '\\':
			return s.fail("a control character in a string is not escaped")
		case !s.escape():
			return false
		}
	}
}

func (s *scanner) escape() bool {
	s.escaped = true
	s.pos++
	if s.pos >= len(s.in) {
		return s.fail("")
	}
	switch s.in[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
		s.pos++
		for range 4 {
			if s.pos >= len(s.in) || unhex(s.in[s.pos]) < 0 {
				return s.fail("\\u needs four hexadecimal digits")
			}
			s.pos++
		}
		return true
	}
	return s.fail("an unknown escape is in a string")
}

func (s *scanner) literal(word string) bool {
	for i := range len(word) {
		if s.pos >= len(s.in) || s.in[s.pos] != word[i] {
			return s.fail("a value is missing or misspelt")
		}
		s.pos++
	}
	return true
}

func (s *scanner) number() bool {
	if s.in[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.in) && s.in[s.pos] == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.pos < len(s.in) && s.in[s.pos] == '.' {
		if s.pos++; !s.digits() {
			return false
		}
	}
	if s.pos < len(s.in) && s.in[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.in) && (s.in[s.pos] == '+' || s.in[s.pos] == '-') {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.in) && s.in[s.pos]-'0' <= 9 {
		s.pos++
	}
	if s.pos == start {
		return s.fail("a value is missing or misspelt")
	}
	return true
}

// unquote decodes a string that was scanned, quotes included. Without escapes in it, the result is part of value. It
// fails on half a surrogate pair, which no UTF-8 text can hold.
func unquote(value []byte) (text []byte, ok bool) {
	raw := value[1 : len(value)-1]
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return raw, true
	}
	text = append(make([]byte, 0, len(raw)), raw[:i]...)
	for i < len(raw) {
		if raw[i] != '\\' {
			text = append(text, raw[i])
			i++
			continue
		}
		c := raw[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := codeUnit(raw[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				if len(raw) < i+6 || raw[i] != '\\' || raw[i+1] != 'u' {
					return nil, false
				}
				if r = utf16.DecodeRune(r, codeUnit(raw[i+2:])); r == utf8.RuneError {
					return nil, false
				}
				i += 6
			}
			text = utf8.AppendRune(text, r)
			continue
		}
		text = append(text, c)
	}
	return text, true
}

// codeUnit reads four hexadecimal digits.
func codeUnit(digits []byte) rune {
	return unhex(digits[0])<<12 | unhex(digits[1])<<8 | unhex(digits[2])<<4 | unhex(digits[3])
}

func unhex(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}
