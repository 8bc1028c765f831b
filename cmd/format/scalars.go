package format

import (
	"strings"
	"unicode/utf8"
)

// skip steps over blanks in a line.
func (p *printer) skip(i int) int {
	for i < len(p.src) && (p.src[i] == ' ' || p.src[i] == '\t') {
		i++
	}
	return i
}

// ends reports whether a line ends at i.
func (p *printer) ends(i int) bool { return i >= len(p.src) || p.src[i] == '\n' }

// lineEnd gives the end of the line of i.
func (p *printer) lineEnd(i int) int {
	if n := strings.IndexByte(p.src[min(i, len(p.src)):], '\n'); n >= 0 {
		return i + n
	}
	return len(p.src)
}

// column gives the column of i in its line, in characters.
func (p *printer) column(i int) int {
	return utf8.RuneCountInString(p.src[strings.LastIndexByte(p.src[:i], '\n')+1 : i])
}

// word gives the first place from i on where one of some bytes is.
func (p *printer) word(i int, stop string) int {
	if n := strings.IndexAny(p.src[i:], stop); n >= 0 {
		return i + n
	}
	return len(p.src)
}

// closing gives the place behind the quote that closes the text at i.
func (p *printer) closing(i int) int {
	quote := p.src[i]
	for i++; i < len(p.src); i++ {
		switch {
		case p.src[i] == '\\' && quote == '"':
			i++
		case p.src[i] == quote && quote == '\'' && i+1 < len(p.src) && p.src[i+1] == quote:
			i++
		case p.src[i] == quote:
			return i + 1
		}
	}
	return len(p.src)
}

// key reports whether a key is at i, and gives the place of the colon behind it.
func (p *printer) key(i int) (colon int, ok bool) {
	for p.src[i] == '&' || p.src[i] == '!' {
		i = p.skip(p.word(i, blanks))
		if p.ends(i) {
			return 0, false
		}
	}
	switch p.src[i] {
	case '[', '{', '|', '>', '#':
		return 0, false
	case '*':
		i = p.word(i, blanks)
	case '\'', '"':
		end := p.closing(i)
		if strings.Contains(p.src[i:end], "\n") {
			return 0, false
		}
		i = end
	default:
		i = p.plainEnd(i)
	}
	i = p.skip(i)
	return i, i < len(p.src) && p.src[i] == ':' && (i+1 == len(p.src) || strings.IndexByte(blanks, p.src[i+1]) >= 0)
}

// plainEnd gives the end of a text without quotes on its first line, outside of brackets.
func (p *printer) plainEnd(i int) int {
	last := i
	for ; !p.ends(i); i++ {
		c := p.src[i]
		after := i+1 == len(p.src) || strings.IndexByte(blanks, p.src[i+1]) >= 0
		switch {
		case c == ':' && after, c == '#' && last < i:
			return last
		case c != ' ' && c != '\t':
			last = i + 1
		}
	}
	return last
}

// plain writes a text without quotes, outside of brackets, and gives the place behind it.
func (p *printer) plain(i int) int {
	at, top := p.below(p.column(i)), p.top()
	end := p.plainEnd(i)
	p.cur = append(p.cur, p.src[i:end]...)
	for p.ends(p.skip(end)) {
		line, empty := p.lineEnd(end)+1, 0
		for ; line < len(p.src) && p.ends(p.skip(line)); empty++ {
			line = p.lineEnd(line) + 1
		}
		if line >= len(p.src) {
			break
		}
		from := p.skip(line)
		if p.src[from] == '#' || p.column(from) <= top.old || from == line && p.marker(from) {
			break
		}
		p.wrap(empty, at(p.column(from)))
		end = p.plainEnd(from)
		p.cur = append(p.cur, p.src[from:end]...)
	}
	return end
}

// wrap ends a line inside of a text, and begins the next one.
func (p *printer) wrap(empty, column int) {
	p.add(outLine{text: string(p.cur), literal: true})
	for range empty {
		p.add(outLine{literal: true})
	}
	p.cur = append(p.cur[:0], strings.Repeat(" ", column)...)
}

// quoted writes a text in quotes, and gives the place behind it. at decides the columns of its next lines.
func (p *printer) quoted(i int, at func(column int) int) int {
	end := p.closing(i)
	text := p.src[i:end]
	for from := i; ; {
		line, rest, more := strings.Cut(text, "\n")
		if !more {
			p.cur = append(p.cur, text...)
			return end
		}
		p.cur = append(p.cur, trimQuoted(line, p.src[i])...)
		from += len(line) + 1
		empty, text0 := 0, rest
		for p.ends(p.skip(from)) {
			empty++
			from = p.lineEnd(from) + 1
		}
		from = p.skip(from)
		text = text0[len(text0)-(end-from):]
		p.wrap(empty, at(p.column(from)))
	}
}

// trimQuoted removes the blanks at the end of a line in quotes, but keeps an escaped one.
func trimQuoted(line string, quote byte) string {
	short := strings.TrimRight(line, " \t")
	escapes := len(short) - len(strings.TrimRight(short, `\`))
	if quote == '"' && escapes%2 == 1 && len(short) < len(line) {
		return line[:len(short)+1]
	}
	return short
}

// literal writes a text that begins with | or >.
func (p *printer) literal(i int) {
	top := p.top()
	header := p.src[i:p.word(i, blanks)]
	p.cur = append(p.cur, header...)
	p.end(i + len(header))
	body, last := p.bodyLines(top.old, header)
	old, now := p.bodyIndent(body, top.old), top.new+2
	if n := strings.IndexAny(header, "123456789"); n >= 0 {
		step := int(header[n] - '0')
		old, now = max(top.old, 0)+step, max(top.new, 0)+step
	}
	kept := 0
	for i, line := range body {
		if len(line) > old || strings.TrimLeft(line, " ") != "" {
			kept = i + 1
		}
	}
	if strings.Contains(header, "+") {
		kept = len(body)
	} else if kept < len(body) {
		p.gap, p.align = true, -1
	}
	gap := p.gap
	p.gap = false
	for _, line := range body[:kept] {
		text := ""
		if len(line) > old {
			text = strings.Repeat(" ", now) + line[old:]
		}
		p.add(outLine{text: text, literal: true})
	}
	p.gap = gap
	if last && kept == len(body) && kept > 0 && len(body[kept-1]) > old {
		p.openEnd = !strings.HasSuffix(p.src, "\n")
	}
}

// bodyLines reads the lines below the header of a text. last reports whether the source ends with them.
func (p *printer) bodyLines(parent int, header string) (body []string, last bool) {
	indent := -1
	if n := strings.IndexAny(header, "123456789"); n >= 0 {
		indent = max(parent, 0) + int(header[n]-'0')
	}
	for p.at < len(p.src) {
		end := p.lineEnd(p.at)
		line := p.src[p.at:end]
		spaces := len(line) - len(strings.TrimLeft(line, " "))
		if spaces < len(line) {
			if indent < 0 {
				indent = max(spaces, parent+1)
			}
			if spaces < indent {
				return body, false
			}
		}
		body = append(body, line)
		p.at = end + 1
	}
	return body, true
}

// bodyIndent gives the indentation of a text: that of its first line that is not blank.
func (p *printer) bodyIndent(body []string, parent int) int {
	for _, line := range body {
		if spaces := len(line) - len(strings.TrimLeft(line, " ")); spaces < len(line) {
			return spaces
		}
	}
	longest := parent + 1
	for _, line := range body {
		longest = max(longest, len(line))
	}
	return longest
}
