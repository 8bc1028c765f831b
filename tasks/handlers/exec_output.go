package handlers

import (
	"bytes"
	"fmt"
	"strings"
)

// keepOutput is how much of each output of a command is kept: half of it from the beginning, half from the end.
const keepOutput = 64 << 10

// output keeps the beginning and the end of what is written to it, keepOutput bytes at most.
type output struct {
	head  []byte
	tail  []byte // once it is full, a ring that begins at start
	start int
	total int64
}

// Write never fails.
func (o *output) Write(p []byte) (int, error) {
	const half = keepOutput / 2
	n := len(p)
	o.total += int64(n)
	fill := func(b []byte) []byte {
		k := min(half-len(b), len(p))
		b, p = append(b, p[:k]...), p[k:]
		return b
	}
	o.head = fill(o.head)
	if len(p) > half { // all but the last half would be overwritten at once
		p = p[len(p)-half:]
	}
	o.tail = fill(o.tail)
	for len(p) > 0 {
		k := copy(o.tail[o.start:], p)
		o.start, p = (o.start+k)%half, p[k:]
	}
	return n, nil
}

// whole reports whether everything was kept.
func (o *output) whole() bool { return o.total <= keepOutput }

// text returns the kept output as UTF-8, with a note where something was left out. It is cut there at the ends of lines, because a
// part of a secret could not be recognised and removed.
func (o *output) text() string {
	head, tail := o.head, append(o.tail[o.start:len(o.tail):len(o.tail)], o.tail[:o.start]...)
	note := ""
	if !o.whole() {
		head, tail = wholeLines(head, tail)
		note = fmt.Sprintf("[… %d bytes left out …]\n", o.total-int64(len(head)+len(tail)))
		if len(head) > 0 && head[len(head)-1] != '\n' {
			note = "\n" + note
		}
	}
	return strings.ToValidUTF8(string(head)+note+string(tail), "\uFFFD")
}

// longestSecret is how much is dropped at a cut inside a longer line.
const longestSecret = 4 << 10

// wholeLines drops the cut lines: the last one of head and the first one of tail.
func wholeLines(head, tail []byte) (_, _ []byte) {
	from := len(head) - longestSecret
	if i := bytes.LastIndexByte(head[from:], '\n'); i >= 0 {
		from += i + 1
	}
	to := bytes.IndexByte(tail[:longestSecret], '\n') + 1
	if to == 0 {
		to = longestSecret
	}
	return head[:from], tail[to:]
}

// How much of a command's output an error quotes.
const (
	quotedLines = 10
	quotedBytes = 2 << 10
)

// lastLines returns the end of a text, for an error: a single line follows a colon, several lines begin on a new line.
func lastLines(text string) string {
	text = strings.TrimRight(text, " \t\r\n")
	if len(text) > quotedBytes {
		text = "…" + strings.ToValidUTF8(text[len(text)-quotedBytes:], "")
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(len(lines)-quotedLines, 0):]
	text = strings.TrimSpace(strings.Join(lines, "\n"))
	switch {
	case text == "":
		return ""
	case strings.Contains(text, "\n"):
		return ":\n" + text
	}
	return ": " + text
}
