package yaml

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"evrun/tasks/fault"
)

// syntaxError is a place where the library stopped. The library's message is correct but seldom helps, so the methods look for common mistakes near
// the place.
type syntaxError struct {
	*Text
	stage   yaml.Stage
	at      int    // where it stopped
	context int    // where the construct around it begins; -1: unknown
	line    string // that the place is on
	start   int    // of the line
	indent  int    // of the line, in bytes
}

// syntax makes a fault of the library's error.
func (t *Text) syntax(err error) *fault.Fault {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &fault.Fault{Message: err.Error(), Err: err}
	}
	e := syntaxError{Text: t, stage: load.Stage, at: t.offset(load.Mark.Line, load.Mark.Column), context: -1}
	if load.ContextMark.Line > 0 {
		e.context = t.offset(load.ContextMark.Line, load.ContextMark.Column)
	}
	e.line, e.start = t.LineText(t.Line(e.at))
	e.indent = len(e.line) - len(strings.TrimLeft(e.line, " \t"))
	for _, look := range []func() *fault.Fault{e.tab, e.odd, e.quoted, e.indicator, e.afterQuote, e.bracket, e.noSpace, e.secondColon, e.item, e.indentation} {
		if f := look(); f != nil {
			f.Err = err
			return f
		}
	}
	return &fault.Fault{Offset: e.at, Message: "this can't be read: " + load.Message, Err: err}
}

// byte gives the byte at an offset, 0 at the end and for -1.
func (e *syntaxError) byte(at int) byte {
	if at < 0 || at >= len(e.Source) {
		return 0
	}
	return e.Source[at]
}

// ended reports whether only blanks and comments follow.
func (e *syntaxError) ended(at int) bool { return e.space(at) == len(e.Source) }

func (e *syntaxError) tab() *fault.Fault {
	if tab := strings.IndexByte(e.line[:e.indent], '\t'); tab >= 0 && e.at <= e.start+e.indent {
		return e.fault(e.start+tab, "a tab in the indentation", "YAML is indented with spaces only; the lines below were not checked")
	}
	return nil
}

// odd finds characters that word processors and web pages use instead of plain ones.
func (e *syntaxError) odd() *fault.Fault {
	for _, at := range []int{e.context, e.start - 1, e.at} {
		if at < 0 {
			continue
		}
		text, start := e.LineText(e.Line(at))
		if f := oddity(text); f != nil {
			f.Offset += start
			return f
		}
	}
	return nil
}

// oddity finds a no-break space that should be a space, and a typographic dash that should be a hyphen.
func oddity(line string) *fault.Fault {
	for i, r := range line {
		before := strings.TrimLeft(line[:i], " \t")
		switch {
		case r == '\u00a0' && (before == "" || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "-")):
			return (&fault.Fault{Offset: i, Message: "a no-break space (U+00A0)"}).Hinting("YAML wants a plain space here")
		case (r == '–' || r == '—') && before == "" && strings.HasPrefix(strings.TrimLeft(line[i+utf8.RuneLen(r):], "\u00a0"), " "):
			return (&fault.Fault{Offset: i, Message: fmt.Sprintf("a typographic dash (%c)", r)}).Hinting(`an item of a list begins with a hyphen: "- "`)
		}
	}
	return nil
}

// quoted finds quotes that are never closed and bad escapes.
func (e *syntaxError) quoted() *fault.Fault {
	if q := e.byte(e.context); q != '"' && q != '\'' || e.stage != yaml.ScannerStage {
		return nil
	}
	if e.byte(e.at-2) == '\\' { // it looked for the digits of the escape
		e.at -= 2
	}
	if e.byte(e.at) != '\\' {
		if e.ended(e.at) || e.at == e.start {
			return e.unclosedQuote(e.context)
		}
		return nil
	}
	r, _ := utf8.DecodeRuneInString(e.Source[e.at+1:])
	if digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[r]; digits > 0 {
		return e.fault(e.at, fmt.Sprintf(`\%c needs %d hexadecimal digits of a character`, r, digits), "")
	}
	return e.fault(e.at, fmt.Sprintf(`\%c means nothing in double quotes`, r), `write a backslash as \\, or put the text in single quotes, where it is a letter like any other`)
}

func (e *syntaxError) unclosedQuote(at int) *fault.Fault {
	return e.fault(at, "this quote is never closed", "end the text with "+e.Source[at:at+1]+"; lines that go on inside of it are indented further than its key")
}

// anchorName matches the names that people give to anchors. YAML allows others.
var anchorName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL\pN_-]+$`) })

// indicator finds texts whose first character has a meaning in YAML.
func (e *syntaxError) indicator() *fault.Fault {
	at := e.at
	if value := e.start + len(valueBegins().FindString(e.line)); e.byte(value) == '*' && value < e.at { // */5 * * * *
		at = value
	} else if e.context >= 0 && strings.IndexByte("*&!|>", e.byte(e.context)) >= 0 {
		at = e.context
	}
	quote := func(more string) *fault.Fault {
		return e.fault(at, "a text that begins with "+e.Source[at:at+1]+" must be quoted", more)
	}
	switch c := e.byte(at); c {
	case '*', '&':
		if e.stage == yaml.ComposerStage {
			name, _, _ := strings.Cut(e.rest(at+1), " ")
			if !anchorName().MatchString(name) { // such as *.created
				return quote(`write "` + e.rest(at) + `"`)
			}
			return e.fault(at, "no anchor above is called "+fault.Quote(name), "write &"+fault.Clip(name, 60)+" before the value that it stands for, and quote a text that begins with *")
		}
		hint := "; in YAML, *name stands for the value that has the anchor &name"
		return quote(`write "` + e.rest(at) + `"` + hint)
	case '!':
		return e.fault(at, "tags (!name) are not supported", "leave it out; quote a text that begins with !")
	case '@', '`', '%':
		return quote(`write "` + e.rest(at) + `"`)
	case '|', '>':
		if at != e.at {
			return quote("alone, | and > begin a text on the lines below")
		}
		return e.fault(at, "texts over several lines (| and >) can't stand inside of [ ] and { }", "quote the text")
	}
	return nil
}

// valueBegins matches the part of a line before its first value.
var valueBegins = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[ \t]*(?:- +)*(?:[^\s:]+: +)?[\[{]?`) })

// rest gives a text up to the end of its line, for a hint.
func (e *syntaxError) rest(at int) string {
	text, start := e.LineText(e.Line(at))
	s, _, _ := strings.Cut(text[at-start:], " #")
	s = strings.TrimRight(s, " \t")
	if i := strings.IndexAny(s, ",]}"); i > 0 && strings.ContainsAny(text[:at-start], "[{") {
		s = s[:i]
	}
	if utf8.RuneCountInString(s) > 40 || strings.ContainsAny(s, `"\`) {
		return "…"
	}
	return s
}

// bracket finds brackets that are never closed, brackets that close another one, and mistakes between them.
func (e *syntaxError) bracket() *fault.Fault {
	open := e.context
	if c := e.byte(open); c != '[' && c != '{' {
		stray := strings.IndexByte(",]}", e.byte(e.at)) >= 0
		switch open = e.lastOpen(); {
		case open < 0 && stray:
			return e.stray()
		case open < 0 || !stray && !e.ended(e.at):
			return nil
		}
	}
	return e.between(open)
}

// stray makes the fault of a comma or a closing bracket where no bracket is open.
func (e *syntaxError) stray() *fault.Fault {
	if before := strings.TrimRight(e.Source[e.start:e.at], " \t"); strings.HasSuffix(before, `"`) || strings.HasSuffix(before, "'") {
		return e.fault(e.at, "text after the closing quote", "quote the whole text, or leave the rest out")
	}
	return e.fault(e.at, "a value is expected here, not "+e.Source[e.at:e.at+1], "quote a text that begins with it")
}

// cutByComment matches a comment that seems to be a part of a text in brackets.
var cutByComment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^\s#] #[^\s#].*[\]}]`) })

// between makes the fault of a place behind an open bracket.
func (e *syntaxError) between(open int) *fault.Fault {
	closing := "]"
	if e.Source[open] == '{' {
		closing = "}"
	}
	_, first := e.LineText(e.Line(open))
	depth := e.space(first) - first
	switch c := e.byte(e.at); {
	case e.ended(e.at), e.start > open && e.indent <= depth && c != ']' && c != '}':
		hint := "end it with " + closing + "; lines that go on inside of it are indented further than its key"
		if line, _, _ := strings.Cut(e.Source[open:], "\n"); cutByComment().MatchString(line) {
			hint = "a # behind a space begins a comment, so that the " + closing + " is in it: quote the text that has the #"
		}
		return e.fault(open, "this "+e.Source[open:open+1]+" is never closed", hint)
	case c == ']' || c == '}':
		if closing[0] == c {
			return e.fault(e.at, "a value is expected here, not "+string(c), "quote a text that begins with it")
		}
		return e.fault(e.at, "this closes a bracket that is not the one open here", fmt.Sprintf("the %c on line %d wants a %s", e.Source[open], e.Line(open)+1, closing))
	case (c == '{' || c == '[') && e.byte(e.at-1) == '$':
		return e.fault(e.at-1, "a text with ${ … } must be quoted inside of [ ] and { }", "write "+quotedIn(e.Source, open, e.at-1))
	case c == ',':
		return e.fault(e.at, "a comma with nothing before it", "")
	}
	return e.fault(e.at, "a comma or "+closing+" is expected here", "")
}

// lastOpen gives the offset of the last unclosed bracket before the place, -1 for none. It ignores quotes.
func (e *syntaxError) lastOpen() int {
	for i, depth := e.at-1, 0; i >= 0; i-- {
		switch e.Source[i] {
		case ']', '}':
			depth++
		case '[', '{':
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return -1
}

var keyWithoutSpace = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([ \t]*(?:- +)*)([^\s:'"#\[{]+):([^\s/].*)$`) })

// noSpace finds name:value, which YAML reads as a text.
func (e *syntaxError) noSpace() *fault.Fault {
	for _, at := range []int{e.context, e.at} {
		if at < 0 || e.byte(e.at) == ':' && at == e.at {
			continue
		}
		text, start := e.LineText(e.Line(at))
		if m := keyWithoutSpace().FindStringSubmatch(text); m != nil && at <= start+len(m[1])+len(m[2]) {
			return e.fault(start+len(m[1])+len(m[2]), "a space is missing after the colon", "write "+m[2]+": "+strings.TrimSpace(fault.Clip(m[3], 40)))
		}
	}
	if e.context >= 0 && e.Line(e.context) < e.Line(e.at) && e.stage == yaml.ScannerStage {
		return e.fault(e.context, "a key is expected here, followed by a colon and a space", "text that goes on from the line above must be indented further than its key")
	}
	return nil
}

// afterQuote finds text after a closing quote, which is often a quote inside the text: 'it's'.
func (e *syntaxError) afterQuote() *fault.Fault {
	before := strings.TrimRight(e.Source[:e.at], " \t")
	if before == "" || e.ended(e.at) {
		return nil
	}
	q := before[len(before)-1]
	if q != '"' && q != '\'' || strings.IndexByte(`,:"'[]{}`, e.byte(e.at)) >= 0 {
		return nil
	}
	open := strings.LastIndexByte(before[:len(before)-1], q)
	if open >= 0 && open < e.start {
		return e.unclosedQuote(open)
	}
	hint := "quote the whole text, in '…' where it has double quotes in it"
	if q == '\'' {
		hint = `quote the whole text, in "…" where it has single quotes in it; inside '…' a quote is written twice`
	}
	return e.fault(e.at, "text after the closing quote", hint)
}

// secondColon finds a key where none is allowed.
func (e *syntaxError) secondColon() *fault.Fault {
	if e.byte(e.at) != ':' {
		return nil
	}
	if strings.Contains(e.Source[e.start:e.at], ": ") {
		return e.fault(e.at, "a colon and a space inside of a text without quotes", "quote the text; or write the mapping on the lines below, or in braces")
	}
	if e.at == e.start+e.indent {
		return e.fault(e.at, "a colon without a key before it", "quote a text that begins with a colon")
	}
	return e.fault(e.start+e.indent, "this looks like a key, but is indented as if the text above went on", "give it the indentation of the key that it belongs beside, or quote the text")
}

// item finds an item of a list where none is allowed.
func (e *syntaxError) item() *fault.Fault {
	if e.byte(e.at) != '-' || e.at+1 < len(e.Source) && !strings.Contains(blanks, e.Source[e.at+1:e.at+2]) {
		return nil
	}
	if e.at > e.start+e.indent {
		return e.fault(e.at, "a list can't begin on the line of its key", "write its items on the lines below, or as [a, b]")
	}
	return e.fault(e.at, "a list's item among keys", "indent the list by more than the key that it belongs to")
}

// indentation finds lines whose indentation matches no line above, and keys among the items of a list.
func (e *syntaxError) indentation() *fault.Fault {
	if e.at != e.start+e.indent || e.context < 0 || e.context >= e.start {
		return nil
	}
	_, first := e.LineText(e.Line(e.context))
	column := e.context - first
	switch {
	case e.indent == column && e.byte(e.context) == '-':
		return e.fault(e.at, "this stands among the items of a list", `begin it with "- ", or indent it as far as the key that it belongs beside`)
	case e.indent == column:
		return e.fault(e.at, "a key is expected here, followed by a colon and a space", "text that goes on from the line above must be indented further than its key")
	}
	hint := "indent it by " + fault.Plural(column, "space")
	for line := e.Line(e.at) - 1; line >= 0; line-- {
		above, _ := e.LineText(line)
		if text := strings.TrimLeft(above, " "); text != "" && text[0] != '#' {
			if deep := len(above) - len(text); deep > e.indent {
				hint = fmt.Sprintf("indent it by %d or by %s", column, fault.Plural(deep, "space"))
			}
			break
		}
	}
	return e.fault(e.at, "the indentation of this line matches nothing above it", hint)
}
