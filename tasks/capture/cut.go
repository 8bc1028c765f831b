package capture

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"evrun/store"
	"evrun/tasks/expression"
)

// nearLineEnd is how far from a cut the end of a line is looked for.
const nearLineEnd = 4 << 10

// neatly shortens head and tail, between which omitted bytes were left out. If a line ends near the cut, head ends and tail begins there. No part of a
// secret stays at the cut. The new number of omitted bytes is returned, too.
func neatly(secrets *expression.Secrets, head, tail string, omitted int64) (string, string, int64) {
	whole := len(head) + len(tail)
	from := max(len(head)-nearLineEnd, 0)
	if i := strings.LastIndexByte(head[from:], '\n'); i >= 0 {
		head = head[:from+i+1]
	}
	if i := strings.IndexByte(tail[:min(nearLineEnd, len(tail))], '\n'); i >= 0 {
		tail = tail[i+1:]
	}
	head = head[:len(head)-telling(secrets.Begun(head))]
	tail = tail[telling(secrets.Ended(tail)):]
	return head, tail, omitted + int64(whole-len(head)-len(tail))
}

// telling returns the length of a part of a secret at a cut, or 0 if it is too short to reveal anything: any text may have it.
func telling(n int) int {
	if n < 4 {
		return 0
	}
	return n
}

// join puts a note of what was left out between two parts, on a line of its own.
func join(head string, omitted int64, tail string) string {
	note := fmt.Sprintf("[… %d bytes left out …]\n", omitted)
	if head != "" && !strings.HasSuffix(head, "\n") {
		note = "\n" + note
	}
	return head + note + tail
}

// bound cuts a stream that has become longer than limit: "[secret]" and the replacement character may be longer than what they replace.
func bound(s *store.Stream, limit int) {
	if len(s.Head)+len(s.Tail) <= limit {
		return
	}
	half := limit / 2
	if s.Tail == "" {
		s.Head, s.Tail = s.Head[:half], s.Head[half:]
	}
	whole := len(s.Head) + len(s.Tail)
	s.Head = strings.ToValidUTF8(s.Head[:min(half, len(s.Head))], "")
	s.Tail = strings.ToValidUTF8(s.Tail[max(len(s.Tail)-half, 0):], "")
	s.Omitted += int64(whole - len(s.Head) - len(s.Tail))
}

// runeStart moves a cut back to the beginning of a character.
func runeStart(text []byte, at int) int {
	for back := 0; back < utf8.UTFMax && at-back > 0 && at-back < len(text); back++ {
		if utf8.RuneStart(text[at-back]) {
			return at - back
		}
	}
	return at
}
