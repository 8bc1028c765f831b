package output

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// lines breaks a text into lines that fit the terminal after so many cells; each may have least cells. Not on a terminal, the text is one line.
func (p *Printer) lines(text string, after, least int) []string {
	if p.Width == 0 {
		return []string{text}
	}
	return Wrap(text, max(p.Width-after, least))
}

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
