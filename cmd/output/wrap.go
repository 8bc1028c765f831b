package output

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Wrap breaks a text into lines of so many cells: between words where it can, inside of a word that is longer than a line.
func Wrap(text string, cells int) (lines []string) {
	for runewidth.StringWidth(text) > cells {
		line := runewidth.Truncate(text, cells, "")
		if line == "" { // a wide character in one cell
			break
		}
		rest := text[len(line):]
		if !strings.HasPrefix(rest, " ") {
			if i := strings.LastIndexByte(line, ' '); i > 0 && strings.TrimLeft(line[:i], " ") != "" {
				line, rest = line[:i], text[i:]
			}
		}
		lines = append(lines, strings.TrimRight(line, " "))
		text = strings.TrimLeft(rest, " ")
	}
	return append(lines, text)
}
