package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// ParseJSON decodes one JSON value into nil, bool, int, float64, json.Number, string, []any and map[string]any. Whole numbers are int if they fit and
// json.Number otherwise, so that none is rounded. If a key is given twice, the last value counts. Invalid UTF-8 becomes U+FFFD, as in encoding/json.
// A value may have 10,000 levels.
//
// For small objects, such as most payloads, encoding/json takes three times as long. A fuzz test compares the two.
func ParseJSON(text []byte) (any, error) {
	s := scanner{in: text}
	s.space()
	v, ok := s.parse(1)
	if ok {
		if s.space(); s.pos < len(text) {
			ok = s.fail("something follows the value")
		}
	}
	if !ok {
		return nil, fmt.Errorf("%s (%s)", s.msg, s.place())
	}
	return v, nil
}

// maxParsed is encoding/json's own limit.
const maxParsed = 10_000

// parse decodes the value that begins at pos.
func (s *scanner) parse(depth int) (any, bool) {
	if s.pos >= len(s.in) {
		return nil, s.fail("")
	}
	start := s.pos
	switch c := s.in[s.pos]; c {
	case '{', '[':
		if depth > maxParsed {
			return nil, s.fail("is nested too deeply")
		}
		if s.pos++; c == '{' {
			return s.parseObject(depth + 1)
		}
		return s.parseArray(depth + 1)
	case '"':
		text, ok := s.parseText()
		return text, ok
	case 't':
		return true, s.literal("true")
	case 'f':
		return false, s.literal("false")
	case 'n':
		return nil, s.literal("null")
	}
	if !s.number() {
		return nil, false
	}
	return numberOf(string(s.in[start:s.pos])), true
}

func (s *scanner) parseObject(depth int) (any, bool) {
	m := make(map[string]any)
	if s.next() == '}' {
		s.pos++
		return m, true
	}
	for {
		name, ok := s.key()
		if !ok {
			return nil, false
		}
		key, ok := s.decoded(name)
		if !ok {
			return nil, false
		}
		s.space()
		v, ok := s.parse(depth)
		if !ok {
			return nil, false
		}
		m[key] = v
		if more, ok := s.more('}'); !more {
			return m, ok
		}
	}
}

func (s *scanner) parseArray(depth int) (any, bool) {
	list := []any{}
	if s.next() == ']' {
		s.pos++
		return list, true
	}
	for {
		s.space()
		v, ok := s.parse(depth)
		if !ok {
			return nil, false
		}
		list = append(list, v)
		if more, ok := s.more(']'); !more {
			return list, ok
		}
	}
}

func (s *scanner) parseText() (string, bool) {
	start := s.pos
	if !s.text() {
		return "", false
	}
	return s.decoded(s.in[start:s.pos])
}

// decoded decodes the string that was read last, quotes included.
func (s *scanner) decoded(quoted []byte) (string, bool) {
	raw := quoted[1 : len(quoted)-1]
	if s.plain || !s.escaped && utf8.Valid(raw) {
		return string(raw), true
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return text, err == nil || s.fail(err.Error())
}

// numberOf decodes a scanned number.
func numberOf(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	for i := range len(text) {
		if c := text[i]; c == '.' || c|0x20 == 'e' {
			if f, err := strconv.ParseFloat(text, 64); err == nil {
				return f
			}
			break
		}
	}
	return json.Number(text) // beyond int, or beyond float64
}
