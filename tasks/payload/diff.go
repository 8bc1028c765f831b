package payload

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A Line is one line of a comparison.
type Line struct {
	Mark byte // '-': only before, '+': only after, ' ': in both
	Text string
}

// maxCompared is how many lines of each text are compared; longer texts differ as a whole.
const maxCompared = 2000

// Diff compares two texts, JSON with one value a line and keys in their order. Of what is the same, only so many lines around a difference are
// returned; a Line with the text "…" stands for the others.
func Diff(before, after []byte, context int) []Line {
	return diff(lines(before), lines(after), context)
}

// DiffTexts is [Diff] for any texts: their lines are compared as they are.
func DiffTexts(before, after string, context int) []Line {
	return diff(split(before), split(after), context)
}

func diff(a, b []string, context int) []Line {
	var all []Line
	if len(a) > maxCompared || len(b) > maxCompared {
		all = append(marked('-', a), marked('+', b)...)
	} else {
		all = compare(a, b)
	}
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Mark != ' ' {
			for j := max(0, i-context); j <= min(len(all)-1, i+context); j++ {
				near[j] = true
			}
		}
	}
	var shown []Line
	for i, l := range all {
		switch {
		case near[i]:
			shown = append(shown, l)
		case len(shown) == 0 || shown[len(shown)-1].Text != "…":
			shown = append(shown, Line{' ', "…"})
		}
	}
	return shown
}

func lines(text []byte) []string {
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") == nil {
		text = indented.Bytes()
	}
	return split(string(text))
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func marked(mark byte, list []string) []Line {
	all := make([]Line, len(list))
	for i, text := range list {
		all[i] = Line{mark, text}
	}
	return all
}

// compare finds a longest common subsequence.
func compare(a, b []string) (all []Line) {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	all = marked(' ', a[:start])
	a, b = a[start:], b[start:]
	end := 0
	for end < len(a) && end < len(b) && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	same := marked(' ', a[len(a)-end:])
	a, b = a[:len(a)-end], b[:len(b)-end]
	length := make([][]int32, len(a)+1) // of the longest common subsequence of a[i:] and b[j:]
	for i := range length {
		length[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, Line{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			all = append(all, Line{'-', a[i]})
			i++
		default:
			all = append(all, Line{'+', b[j]})
			j++
		}
	}
	return append(all, same...)
}
