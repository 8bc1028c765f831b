package events

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// EscapeControl makes text from strangers fit for a terminal: control characters (C0, DEL, C1), bytes that are not UTF-8,
// line separators and the invisible characters that reorder text are written as \n, \u009b or \x9b. Everything else,
// backslashes included, stays as it is; a text without such characters is returned itself.
func EscapeControl(s string) string {
	i := unsafeForTerminal(s)
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for ; i >= 0; i = unsafeForTerminal(s) {
		b.WriteString(s[:i])
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[i+size:]
	}
	b.WriteString(s)
	return b.String()
}

// unsafeForTerminal is the offset of the first character that must be escaped, or -1.
func unsafeForTerminal(s string) int {
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return i
		}
		i += size
	}
	return -1
}
