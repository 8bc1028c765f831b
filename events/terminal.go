package events

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// EscapeControl makes untrusted text safe for a terminal. It writes control characters (C0, DEL, C1), bytes that are not UTF-8, line separators and
// invisible characters, such as those that reorder text, as \n, \u009b or \x9b. Everything else, backslashes included, stays unchanged; a text
// without such characters is returned unchanged, not copied.
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
			b.Write(appendEscape(nil, r))
		}
		s = s[i+size:]
	}
	b.WriteString(s)
	return b.String()
}

// unsafeForTerminal returns the offset of the first character that must be escaped, or -1.
func unsafeForTerminal(s string) int {
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || hidden(r) {
			return i
		}
		i += size
	}
	return -1
}

// hidden reports whether a character is a control character (C0, DEL, C1) or a line separator, or is invisible because it has no width or reorders
// its surroundings. Such characters make a text look different from its content.
func hidden(r rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case r <= 0x9f, r == 0xad, r == 0x61c, r == 0x180e:
		return true
	case r < 0x200b:
		return false
	case r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb:
		return true
	}
	return r >= 0xe0000 && r <= 0xe007f // tag characters
}
