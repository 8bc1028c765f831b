package format

import (
	"strings"
	"unicode/utf8"
)

// outLine is a line of the formatted text. Columns are counted in characters, from 0.
type outLine struct {
	text    string // with its indentation, without its comment
	comment string
	column  int  // where the comment begins; for one behind a text, where it began before
	gap     int  // how many blanks were before a comment behind a text
	aligned bool // a comment on a line of its own that goes on below one behind a text
	literal bool // the text is a part of a value
}

func (l *outLine) blank() bool { return l.text == "" && l.comment == "" && !l.literal }

// behind reports whether the line has a comment behind a text.
func (l *outLine) behind() bool { return l.text != "" && l.comment != "" }

// add appends a line, after one blank line if there was one before it.
func (p *printer) add(l outLine) {
	if p.gap && len(p.lines) > 0 {
		p.lines = append(p.lines, outLine{})
	}
	p.gap = false
	p.lines = append(p.lines, l)
}

// text gives the formatted text, with its comments in their columns.
func (p *printer) text() string {
	for i := range p.lines {
		p.place(i)
	}
	var b strings.Builder
	for i, l := range p.lines {
		b.WriteString(l.text)
		if l.comment != "" {
			b.WriteString(strings.Repeat(" ", l.column-utf8.RuneCountInString(l.text)))
			b.WriteString(l.comment)
		}
		if i < len(p.lines)-1 || !p.openEnd {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// place gives the comments of a paragraph that had one column before a column again: those that begin with the line i.
func (p *printer) place(i int) {
	first := &p.lines[i]
	if !first.behind() || first.gap < 0 {
		return
	}
	var group []*outLine
	column, most := first.column, 0
	for j := i; j < len(p.lines) && !p.lines[j].blank(); j++ {
		l := &p.lines[j]
		if l.column == column && (l.behind() && l.gap >= 0 || l.aligned) {
			group = append(group, l)
			most = max(most, utf8.RuneCountInString(l.text))
		}
	}
	switch {
	case len(group) > 1:
		column = max(column, most+1)
	case first.gap <= 2:
		column = most + 2
	default:
		column = max(column, most+2)
	}
	for _, l := range group {
		l.column, l.gap, l.aligned = column, -1, false
	}
}
