package handlers

import "strings"

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
