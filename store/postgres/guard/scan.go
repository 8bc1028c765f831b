package guard

import (
	"fmt"
	"slices"
	"strings"
)

// parser splits a statement into tokens as PostgreSQL's scanner does (scan.l), as far as it matters here: quoted texts, comments, words, parameters, and
// the end of the statement. Nothing depends on it being exact: the server itself decides what the statement does, see [Statements].
type parser struct {
	sql    string
	tokens []token
}

type token struct {
	kind     tokenKind
	from, to int
	word     string // an unquoted word in capitals, or a sign; empty for the rest
}

type tokenKind int8

const (
	word      tokenKind = iota + 1 // an unquoted name or keyword
	quoted                         // a string, a number
	name                           // a quoted name
	sign                           // punctuation
	parameter                      // :name
)

// is reports whether the token is this keyword or sign.
func (t token) is(word string) bool { return t.word == word }

// in reports whether the token is one of these keywords or signs.
func (t token) in(words ...string) bool { return t.word != "" && slices.Contains(words, t.word) }

// scan finds the tokens of one statement. Only semicolons, white space and comments may follow its semicolon.
func (p *parser) scan() error {
	if i := strings.IndexByte(p.sql, 0); i >= 0 {
		return &ParseError{Offset: i, Msg: "a statement can't have a NUL in it"}
	}
	for i := 0; i < len(p.sql); {
		next, err := p.token(i)
		if err != nil {
			return err
		}
		i = next
	}
	end := slices.IndexFunc(p.tokens, func(t token) bool { return t.is(";") })
	if end < 0 {
		return nil
	}
	for _, t := range p.tokens[end:] {
		if !t.is(";") {
			return &ParseError{Offset: t.from, Msg: "a second statement begins here", Hint: "write one statement; another one needs a handler of its own"}
		}
	}
	p.tokens = p.tokens[:end]
	return nil
}

// token reads a token, which it keeps, or white space or a comment at i, and returns its end.
func (p *parser) token(i int) (int, error) {
	c := p.sql[i]
	rest := p.sql[i:]
	switch {
	case c == ' ' || '\t' <= c && c <= '\r':
		return i + 1, nil
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexAny(rest, "\r\n"); n >= 0 {
			return i + n, nil
		}
		return len(p.sql), nil
	case strings.HasPrefix(rest, "/*"):
		return p.comment(i)
	case opensQuote(rest) >= 0:
		return p.quoted(i, i+opensQuote(rest), c|0x20 == 'e')
	case c == '`':
		return 0, &ParseError{Offset: i, Msg: "PostgreSQL has no names in backquotes", Hint: `quote a name like "this"`}
	case c == '$':
		return p.dollar(i)
	case c == ':':
		return p.colon(i)
	case c == '?' && len(rest) > 1 && '0' <= rest[1] && rest[1] <= '9':
		return 0, wrongParameter(i, p.sql[i:p.endOfWord(i+1)], "name")
	case '0' <= c && c <= '9':
		return p.keep(quoted, i, p.endOfWord(i+1)), nil
	case isWord(c):
		return p.keep(word, i, p.endOfWord(i+1)), nil
	}
	return p.keep(sign, i, i+1), nil
}

// opensQuote returns where the quote of a string or a quoted name is: 0, or behind its prefix (E, B, X, N, U&); -1: there is none.
func opensQuote(text string) int {
	switch c := text[0]; {
	case c == '\'' || c == '"':
		return 0
	case strings.IndexByte("eEbBxXnN", c) >= 0 && strings.HasPrefix(text[1:], "'"):
		return 1
	case c|0x20 == 'u' && (strings.HasPrefix(text[1:], "&'") || strings.HasPrefix(text[1:], `&"`)):
		return 2
	}
	return -1
}

func (p *parser) keep(kind tokenKind, from, to int) int {
	t := token{kind: kind, from: from, to: to}
	if kind == word || kind == sign {
		t.word = strings.ToUpper(p.sql[from:to])
	}
	p.tokens = append(p.tokens, t)
	return to
}

// comment reads a comment, in which there may be others.
func (p *parser) comment(from int) (int, error) {
	depth := 0
	for i := from; i+1 < len(p.sql); {
		switch p.sql[i : i+2] {
		case "/*":
			depth++
			i += 2
		case "*/":
			depth--
			i += 2
			if depth == 0 {
				return i, nil
			}
		default:
			i++
		}
	}
	return 0, &ParseError{Offset: from, Msg: "the comment is not closed", Hint: `close it with "*/"`}
}

// quoted reads a string or a quoted name. A doubled quote stands for itself, and so does one behind a backslash where these count.
func (p *parser) quoted(from, open int, backslashes bool) (int, error) {
	end := p.sql[open]
	kind := quoted
	if end == '"' {
		kind = name
	}
	for i := open + 1; i < len(p.sql); i++ {
		switch {
		case backslashes && p.sql[i] == '\\':
			i++
		case p.sql[i] != end:
		case i+1 < len(p.sql) && p.sql[i+1] == end:
			i++
		default:
			return p.keep(kind, from, i+1), nil
		}
	}
	return 0, &ParseError{Offset: open, Msg: fmt.Sprintf("the %c is not closed", end)}
}

// dollar reads a string between dollar signs, such as $$it's$$ or $x$it's$x$.
func (p *parser) dollar(from int) (int, error) {
	if strings.HasPrefix(p.sql[from:], "${") {
		return 0, &ParseError{Offset: from, Msg: "a statement can't have an expression in it", Hint: "write :name here, and name: ${ … } under params"}
	}
	end := from + 1
	for end < len(p.sql) && isWord(p.sql[end]) && p.sql[end] != '$' {
		end++
	}
	tag := p.sql[from+1 : end]
	switch {
	case end == len(p.sql) || p.sql[end] != '$' || tag != "" && '0' <= tag[0] && tag[0] <= '9':
		if tag == "" || '0' <= tag[0] && tag[0] <= '9' {
			return 0, wrongParameter(from, p.sql[from:end], "name")
		}
		return 0, wrongParameter(from, p.sql[from:end], tag)
	}
	n := strings.Index(p.sql[end+1:], "$"+tag+"$")
	if n < 0 {
		return 0, &ParseError{Offset: from, Msg: fmt.Sprintf("the $%s$ is not closed", tag)}
	}
	return p.keep(quoted, from, end+1+n+len(tag)+2), nil
}

// colon reads a parameter (:name), a cast (::), or the colon of an array's slice (1:2).
func (p *parser) colon(i int) (int, error) {
	if strings.HasPrefix(p.sql[i:], "::") {
		return p.keep(sign, i, i+2), nil
	}
	end := i + 1
	for end < len(p.sql) && isWord(p.sql[end]) && p.sql[end] != '$' {
		end++
	}
	if end == i+1 || '0' <= p.sql[i+1] && p.sql[i+1] <= '9' {
		return p.keep(sign, i, i+1), nil
	}
	return p.keep(parameter, i, end), nil
}

func wrongParameter(offset int, text, name string) error {
	return &ParseError{Offset: offset, Msg: fmt.Sprintf("a parameter is written :name, not %s", text), Hint: fmt.Sprintf("write :%s", name)}
}

func (p *parser) endOfWord(i int) int {
	for i < len(p.sql) && isWord(p.sql[i]) {
		i++
	}
	return i
}

// isWord reports whether c can be in a name.
func isWord(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
