package format

import (
	"strings"
	"unicode/utf8"
)

// bracket is an open [ or {.
type bracket struct {
	hangs bool // nothing but other brackets follows it on its line
	base  int  // the indentation of its line
	at    int  // its column
}

// below gives the column of a line in the bracket, or of its end.
func (b bracket) below(closes bool) int {
	switch {
	case b.hangs && closes:
		return b.base
	case b.hangs:
		return b.base + 2
	case closes:
		return b.at
	}
	return b.at + 1
}

// flow writes what is in brackets, and gives the place behind the last one. Its line breaks stay.
func (p *printer) flow(i int) int {
	var open []bracket
	var before byte // the first byte of the token before; 0 where a line begins
	plain := false  // that token is a text without quotes
	for {
		from := i
		i = p.skip(i)
		if p.ends(i) || p.src[i] == '#' {
			b := open[len(open)-1]
			i, plain = p.breakFlow(from, b, plain)
			before = 0
			continue
		}
		end, text := p.token(i, before)
		if plain && p.goesOn(i) {
			end, before = p.plainInFlow(i), 'x'
			p.cur = append(p.cur, p.src[i:end]...)
			i = end
			continue
		}
		if before == ':' && strings.IndexByte(",]}", p.src[i]) >= 0 { // a missing value
			if i > from {
				p.cur = append(p.cur, ' ')
			}
		} else if spaced(before, p.src[i], end-i) {
			p.cur = append(p.cur, ' ')
		}
		plain = false
		switch c := p.src[i]; c {
		case '[', '{':
			open = append(open, bracket{p.hangs(i), p.indent, utf8.RuneCount(p.cur)})
			p.cur = append(p.cur, c)
		case ']', '}':
			open = open[:len(open)-1]
			if p.cur = append(p.cur, c); len(open) == 0 {
				return end
			}
		case '\'', '"':
			b := open[len(open)-1]
			p.quoted(i, func(int) int { return b.below(false) })
		default:
			p.cur = append(p.cur, p.src[i:end]...)
			plain = text
		}
		before = p.src[i]
		if plain {
			before = 'x'
		}
		i = end
	}
}

// spaced reports whether a space is between two tokens, by their first bytes, and the second one's size. before is 0 where a line begins, and x for a
// text without quotes.
func spaced(before, c byte, size int) bool {
	switch {
	case before == 0, before == '[', before == '{':
		return false
	case before == ':':
		return true
	case c == ',', c == ']', c == '}':
		return false
	case c == ':' && size == 1: // it may be a part of the names of anchors
		return before == '*' || before == '&' || before == '?' || before == ',' || before == '!'
	}
	return true
}

// token gives the end of the token at i, and whether it is a text without quotes; before is as in spaced.
func (p *printer) token(i int, before byte) (end int, plain bool) {
	alone := p.ends(i+1) || strings.IndexByte(blanks+",[]{}", p.src[i+1]) >= 0
	switch c := p.src[i]; c {
	case '[', ']', '{', '}', ',':
		return i + 1, false
	case ':':
		if alone || before != 0 && strings.IndexByte("\"'}]", before) >= 0 {
			return i + 1, false
		}
	case '\'', '"':
		return p.closing(i), false
	case '&', '*', '!':
		return p.word(i, blanks+",[]{}"), false
	case '?':
		if alone {
			return i + 1, false
		}
	}
	return p.plainInFlow(i), true
}

// plainInFlow gives the end of a text without quotes on its line, inside of brackets.
func (p *printer) plainInFlow(i int) int {
	last := i
	for ; !p.ends(i); i++ {
		switch c := p.src[i]; {
		case strings.IndexByte(",[]{}", c) >= 0, c == '#' && last < i:
			return last
		case c == ':' && (p.ends(i+1) || strings.IndexByte(blanks+",[]{}", p.src[i+1]) >= 0):
			return last
		case c != ' ' && c != '\t':
			last = i + 1
		}
	}
	return last
}

// hangs reports whether only brackets follow the one at i on its line.
func (p *printer) hangs(i int) bool {
	for i++; !p.ends(i) && strings.IndexByte(" \t[{", p.src[i]) >= 0; i++ {
	}
	return p.ends(i) || p.src[i] == '#'
}

// goesOn reports whether a text without quotes on the lines above goes on at i.
func (p *printer) goesOn(i int) bool {
	switch c := p.src[i]; c {
	case ',', '[', ']', '{', '}', '#':
		return false
	case ':':
		return !p.ends(i+1) && strings.IndexByte(blanks+",[]{}", p.src[i+1]) < 0
	}
	return true
}

// breakFlow ends the line at i, with its comment, writes the lines without a value below it, and begins the next line. It gives the place of the
// value there. text reports whether a text without quotes ends at i; goesOn, whether the value goes on with it: then blank lines are a part of it.
func (p *printer) breakFlow(i int, b bracket, text bool) (value int, goesOn bool) {
	commented := !p.ends(p.skip(i))
	p.end(i)
	empty := 0
	for {
		from := p.skip(p.at)
		switch {
		case from >= len(p.src):
			return from, false
		case p.ends(from):
			empty++
			p.gap, p.align = true, -1
			p.at = from + 1
		case p.src[from] == '#':
			end := p.lineEnd(from)
			column := p.column(from)
			aligned := column == p.align
			if !aligned {
				column = b.below(false)
			}
			p.add(outLine{comment: strings.TrimRight(p.src[from:end], blanks), column: column, aligned: aligned})
			p.at, commented = end+1, true
		default:
			goesOn = text && !commented && p.goesOn(from)
			if goesOn {
				p.gap = false
				for range empty {
					p.add(outLine{literal: true})
				}
			}
			p.begin(max(0, b.below(strings.IndexByte("]}", p.src[from]) >= 0)))
			return from, goesOn
		}
	}
}
