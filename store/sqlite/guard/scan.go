package guard

import (
	"fmt"
	"slices"
	"strings"
)

// parser splits a statement into tokens as SQLite's own tokenizer does (sqlite.org/lang_keywords.html, tokenize.c), as far as it matters here: quoted
// texts, comments, words, and the end of the statement.
type parser struct {
	sql    string
	tokens []token
}

type token struct {
	kind     tokenKind
	from, to int
	word     string // an unquoted word in capitals, or a single sign; empty for the rest
}

type tokenKind int8

const (
	word      tokenKind = iota + 1 // an unquoted name or keyword
	quoted                         // a quoted name, a string, a number
	sign                           // a single character of punctuation
	parameter                      // :name
)

// is reports whether the token is this keyword or sign.
func (t token) is(word string) bool { return t.word == word }

// scan finds the tokens of one statement. Only semicolons, white space and comments may follow its semicolon.
func (p *parser) scan() error {
	if i := strings.IndexByte(p.sql, 0); i >= 0 { // SQLite would stop there
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
	if p.isTrigger() { // each statement of its body has a semicolon; the body's END follows the last of them
		for end >= 0 && end < len(p.tokens) && !p.endsTrigger(end) {
			end++
		}
	}
	if end < 0 || end == len(p.tokens) {
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

// endsTrigger reports whether the token at i is the semicolon after a trigger's body: the body ends with one, then END.
func (p *parser) endsTrigger(i int) bool {
	return p.tokens[i].is(";") && p.tokens[i-1].is("END") && p.tokens[i-2].is(";")
}

// isTrigger recognizes CREATE [TEMP] TRIGGER.
func (p *parser) isTrigger() bool {
	at := 1
	if len(p.tokens) > 1 && (p.tokens[1].is("TEMP") || p.tokens[1].is("TEMPORARY")) {
		at++
	}
	return len(p.tokens) > at && p.tokens[0].is("CREATE") && p.tokens[at].is("TRIGGER")
}

// token reads a token, which it keeps, or white space or a comment at i, and returns its end.
func (p *parser) token(i int) (int, error) {
	c := p.sql[i]
	rest := p.sql[i:]
	switch {
	case c == ' ' || '\t' <= c && c <= '\r':
		return i + 1, nil
	case strings.HasPrefix(rest, "--"):
		return i + len(strings.SplitN(rest, "\n", 2)[0]), nil
	case strings.HasPrefix(rest, "/*"):
		n := strings.Index(rest[2:], "*/")
		if n < 0 {
			return 0, &ParseError{Offset: i, Msg: "the comment is not closed", Hint: `close it with "*/"`}
		}
		return i + n + 4, nil
	case strings.IndexByte("'\"`[", c) >= 0:
		return p.quoted(i, i)
	case (c == 'x' || c == 'X') && strings.HasPrefix(rest[1:], "'"):
		return p.quoted(i, i+1)
	case strings.IndexByte(":?@$#", c) >= 0:
		return p.parameter(i)
	case '0' <= c && c <= '9':
		return p.keep(quoted, i, p.endOfWord(i+1)), nil
	case isWord(c):
		return p.keep(word, i, p.endOfWord(i+1)), nil
	}
	return p.keep(sign, i, i+1), nil
}

func (p *parser) keep(kind tokenKind, from, to int) int {
	t := token{kind: kind, from: from, to: to}
	if kind == word || kind == sign {
		t.word = strings.ToUpper(p.sql[from:to])
	}
	p.tokens = append(p.tokens, t)
	return to
}

// quoted reads a quoted token. A doubled quote stands for itself, except in [ ].
func (p *parser) quoted(from, open int) (int, error) {
	end := p.sql[open]
	if end == '[' {
		end = ']'
	}
	for i := open + 1; i < len(p.sql); i++ {
		switch {
		case p.sql[i] != end:
		case end != ']' && i+1 < len(p.sql) && p.sql[i+1] == end:
			i++
		default:
			return p.keep(quoted, from, i+1), nil
		}
	}
	return 0, &ParseError{Offset: open, Msg: fmt.Sprintf("the %c is not closed", p.sql[open])}
}

func (p *parser) parameter(i int) (int, error) {
	end := p.endOfWord(i + 1)
	switch {
	case strings.HasPrefix(p.sql[i:], "${"):
		return 0, &ParseError{Offset: i, Msg: "a statement can't have an expression in it", Hint: "write :name here, and name: ${ … } under params"}
	case p.sql[i] != ':' || end == i+1:
		name := p.sql[i+1 : end]
		if name == "" || p.sql[i] == '?' {
			name = "name"
		}
		return 0, &ParseError{Offset: i, Msg: fmt.Sprintf("a parameter is written :name, not %s", p.sql[i:end]), Hint: fmt.Sprintf("write :%s", name)}
	}
	return p.keep(parameter, i, end), nil
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
